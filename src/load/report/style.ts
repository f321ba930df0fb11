/** The look of a report: one style sheet, light and dark by what the reader prefers, light on paper. */

const light = `
  --paper: #fdfdfc; --ink: #1b1e23; --soft: #646a73; --faint: #dcdcd8; --grid: #ebebe8; --raised: #f5f5f2;
  --blue: #2b6cb0; --blue-soft: #8fb3d9; --deep: #173f6b; --orange: #c4661a; --red: #bf2f2a; --green: #2f7d4f;
  --grey: #8b9098; --red-wash: #fbeceb; --green-wash: #edf5ef; --orange-wash: #fbf1e7;`;

const dark = `
  --paper: #15171a; --ink: #e4e5e7; --soft: #989ea8; --faint: #383c42; --grid: #26292e; --raised: #1c1f23;
  --blue: #6ea8e6; --blue-soft: #3f6796; --deep: #c3defa; --orange: #e39a55; --red: #ee736b; --green: #6cc08b;
  --grey: #7b818a; --red-wash: #2e1d1d; --green-wash: #19261e; --orange-wash: #2c2319;`;

export const style = `
:root { color-scheme: light dark; ${light} }
@media (prefers-color-scheme: dark) { :root { ${dark} } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums; }
main, header, footer { max-width: 1080px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 36px; }
h1 { font-size: 21px; line-height: 1.3; font-weight: 600; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 15px; font-weight: 600; margin: 40px 0 10px; padding-top: 10px; border-top: 1px solid var(--faint); }
h3 { font-size: 13px; font-weight: 600; margin: 0; }
p { margin: 0 0 8px; max-width: 76ch; }
.soft, .sub { color: var(--soft); }
.sub { margin: 4px 0 0; }
.brand { font-size: 12px; color: var(--soft); margin: 0 0 4px; }
code { font: 0.93em/1.4 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }

.verdict { margin: 22px 0 0; padding: 11px 16px; border-left: 4px solid var(--tone); background: var(--wash); border-radius: 0 4px 4px 0; }
.verdict strong { color: var(--tone); font-size: 16px; font-weight: 650; }
.verdict p { margin: 2px 0 0; }
.good { --tone: var(--green); --wash: var(--green-wash); }
.bad { --tone: var(--red); --wash: var(--red-wash); }
.warn { --tone: var(--orange); --wash: var(--orange-wash); }

.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); gap: 1px; margin: 20px 0 0; padding: 1px;
  border-radius: 4px; overflow: hidden; }
.facts div { box-shadow: 0 0 0 1px var(--faint); padding: 9px 13px 10px; }
.facts dt { font-size: 12px; color: var(--soft); }
.facts dd { margin: 0; font-size: 19px; line-height: 1.3; font-weight: 600; white-space: nowrap; }
.facts dd + dd { font-size: 12px; font-weight: 400; color: var(--soft); white-space: normal; }
.facts .alarm { color: var(--red); }

ul.notes { margin: 16px 0 0; padding: 0 0 0 18px; max-width: 84ch; }
ul.notes li { margin: 2px 0; }
ul.notes li::marker { color: var(--soft); }

.table { overflow-x: auto; margin: 0 0 4px; } .table:focus-visible { outline: 2px solid var(--blue); outline-offset: 3px; }
table { border-collapse: collapse; min-width: 100%; font-size: 13px; line-height: 1.4; }
table.tight { min-width: 0; } table.tight th, table.tight td { padding-left: 32px; } table.tight th:first-child, table.tight td:first-child { padding-left: 0; }
caption { text-align: left; color: var(--soft); padding: 0 0 6px; font-size: 13px; }
th, td { padding: 5px 0 5px 18px; text-align: right; vertical-align: baseline; white-space: nowrap; border-bottom: 1px solid var(--grid); }
th:first-child, td:first-child { padding-left: 0; }
th.text, td.text, tbody th { text-align: left; }
td.wide { white-space: normal; min-width: 18ch; }
thead th { font-weight: 500; color: var(--soft); font-size: 12px; } thead th, thead td { border-bottom-color: var(--faint); }
tbody th { font-weight: 500; white-space: normal; overflow-wrap: anywhere; min-width: 12ch; }
tbody th small { display: block; font-weight: 400; font-size: 12px; color: var(--soft); }
.ok { color: var(--green); } .fail { color: var(--red); }
td.zero { color: var(--soft); }
.share { display: inline-block; width: 110px; height: 8px; background: var(--grid); vertical-align: 0; border-radius: 1px; }
.share i { display: block; height: 8px; background: var(--tone, var(--blue)); border-radius: 1px; }
dl.plain { display: grid; grid-template-columns: max-content 1fr; gap: 3px 20px; margin: 0; font-size: 13px; }
dl.plain dt { color: var(--soft); } dl.plain dd { margin: 0; overflow-wrap: anywhere; }
.columns { display: grid; grid-template-columns: 1fr 1fr; gap: 0 48px; }
.columns > section > h2 { margin-top: 40px; }

figure { margin: 0 0 22px; break-inside: avoid; }
figcaption { display: flex; flex-wrap: wrap; gap: 2px 18px; align-items: baseline; margin: 0 0 8px; }
figcaption .unit { color: var(--soft); font-size: 12px; font-weight: 400; }
.legend { display: flex; flex-wrap: wrap; gap: 0 16px; margin: 0; padding: 0; list-style: none; font-size: 12px; color: var(--soft); }
.legend i { display: inline-block; width: 15px; height: 0; border-top: 2px solid var(--line); vertical-align: 4px; margin-right: 6px; }
.legend .area i { height: 8px; border: 0; background: var(--line); vertical-align: 0; opacity: 0.55; }
.legend .dashed i { border-top-style: dashed; border-top-width: 1.5px; }
.legend .thin i { border-top-width: 1px; }
.legend .dots i { width: 7px; height: 7px; border: 0; border-radius: 50%; background: var(--line); vertical-align: 1px; }
.legend output { color: var(--ink); font-weight: 600; margin-left: 5px; }
.hint { color: var(--soft); font-size: 12px; margin: 6px 0 0 58px; }
.frame { position: relative; height: calc(var(--high) + 22px); padding: 0 10px 22px 58px; }
.field { position: relative; height: 100%; }
.frame svg { display: block; width: 100%; height: 100%; overflow: visible; }
.grid { stroke: var(--grid); stroke-width: 1; } .grid.faint { stroke-dasharray: 1 3; } .base { stroke: var(--faint); stroke-width: 1; }
svg path, svg line, svg rect { vector-effect: non-scaling-stroke; }
.stroke { fill: none; stroke: var(--line); stroke-width: 1.6; stroke-linejoin: round; stroke-linecap: round; }
.stroke.thin { stroke-width: 1; opacity: 0.8; } .stroke.dashed { stroke-width: 1.4; stroke-dasharray: 4 3.5; stroke-linecap: butt; }
.fill { fill: var(--line); opacity: 0.28; stroke: none; } .rug { stroke: var(--line); stroke-width: 1; fill: none; }
.dot { stroke: var(--line); stroke-width: 8; stroke-linecap: round; fill: none; } .dot.small { stroke-width: 4; }
.shade { fill: var(--raised); stroke: none; }
.blue { --line: var(--blue); } .blue-soft { --line: var(--blue-soft); } .deep { --line: var(--deep); } .orange { --line: var(--orange); }
.red { --line: var(--red); } .grey { --line: var(--grey); } .green { --line: var(--green); }
.y span, .x span, .says { position: absolute; font-size: 11px; line-height: 14px; color: var(--soft); white-space: nowrap; }
.y span { right: calc(100% + 8px); transform: translateY(50%); }
.x span { top: calc(100% + 5px); transform: translateX(-50%); }
.x span.end { transform: translateX(-100%); } .x span.start { transform: none; }
.says { top: 2px; padding-left: 5px; }
.cursor { position: absolute; top: 0; bottom: 0; width: 0; border-left: 1px solid var(--soft); pointer-events: none; display: none; }
.cursor b { position: absolute; top: calc(100% + 5px); transform: translateX(-50%); font-size: 11px; line-height: 14px; font-weight: 600; background: var(--paper); padding: 0 8px; white-space: nowrap; }

footer { margin-top: 44px; padding-top: 12px; padding-bottom: 40px; font-size: 12px; color: var(--soft); }

@media (max-width: 640px) {
  main, header, footer { padding-left: 14px; padding-right: 14px; }
  header { padding-top: 20px; }
  .columns { grid-template-columns: 1fr; }
  .facts { grid-template-columns: 1fr 1fr; }
  .frame { padding-left: 50px; padding-right: 4px; } .hint { margin-left: 0; }
  .x .more { display: none; } .x .near { transform: translateX(-75%); }
  .share { width: 56px; } tbody th { min-width: 15ch; }
  dl.plain { grid-template-columns: 1fr; gap: 0; } dl.plain dd { margin-bottom: 6px; }
  th, td { padding-left: 14px; }
}
@media print {
  :root { color-scheme: light; ${light} --paper: #fff; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  body { font-size: 11px; } main, header, footer { max-width: none; padding-left: 0; padding-right: 0; }
  h1 { font-size: 18px; } .facts { grid-template-columns: repeat(7, 1fr); } .facts div { padding: 6px 8px; } .facts dd { font-size: 14px; } .facts dd + dd, .facts dt { font-size: 10px; }
  h2 { margin-top: 26px; break-after: avoid; } tr, .verdict, .facts { break-inside: avoid; } .cursor { display: none !important; }
  .table { overflow: visible; } table { font-size: 10px; } th, td { padding-left: 9px; }
}
@page { margin: 14mm; }
`;

/** The look of the report, light and dark. The colours are told apart by people who see few of them, too. */

export const STYLE = `
:root { color-scheme: light dark; --paper: #fcfcfb; --card: #fff; --ink: #1b1b1a; --soft: #5d5c58; --rule: #e4e3df; --bad: #b3261e;
  --c0: #1f5fd0; --c1: #c8501e; --c2: #0f8a5f; --c3: #8a4fc7; --c4: #a07800; --c5: #b8357f; --c6: #3f7f94; --c7: #6b6b66; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #161615; --card: #1f1f1d; --ink: #efeeea; --soft: #a9a8a2; --rule: #393835; --bad: #ff8a80;
    --c0: #6ba3ff; --c1: #ff9264; --c2: #4fd3a0; --c3: #c29bff; --c4: #e0b83c; --c5: #ff86c0; --c6: #7cc6dd; --c7: #b3b2ab; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px; max-width: 1240px; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 20px; margin: 40px 0 4px; } h3 { font-size: 15px; margin: 20px 0 4px; }
p, li { max-width: 75ch; } p { margin: 4px 0 12px; } .soft, figcaption + p { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 460px), 1fr)); gap: 16px; align-items: start; }
figure { margin: 0; padding: 14px; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; }
figcaption { font-weight: 600; margin-bottom: 8px; }
svg { display: block; width: 100%; height: auto; } svg text { font-size: 12px; fill: var(--soft); font-variant-numeric: tabular-nums; }
svg text.case { fill: var(--ink); font-weight: 600; } svg text.value { fill: var(--ink); }
figure p { margin: 8px 0 0; font-size: 13px; color: var(--soft); }
.grid { stroke: var(--rule); } .axis, .tick { stroke: var(--soft); } .even { stroke: var(--ink); stroke-dasharray: 2 3; }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round; } .strong { stroke-width: 3.2; } .dashed { stroke-dasharray: 6 4; }
.dot { stroke: var(--card); stroke-width: 1; }
${Array.from({ length: 8 }, (_, n) => `.line.c${n} { stroke: var(--c${n}); } .dot.c${n} { fill: var(--c${n}); } .fill.c${n} { fill: var(--c${n}); }`).join("\n")}
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; list-style: none; margin: 8px 0 0; padding: 0; font-size: 13px; }
.legend li { display: flex; align-items: center; gap: 6px; } .key { width: 24px; height: 8px; flex: none; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 10px; border-bottom: 1px solid var(--rule); text-align: right; white-space: nowrap; } th:first-child, td:first-child { text-align: left; }
th { color: var(--soft); font-weight: 600; } small { color: var(--soft); } .bad { color: var(--bad); font-weight: 600; }
details { margin: 12px 0; } summary { cursor: pointer; color: var(--soft); } pre { overflow-x: auto; font-size: 12px; padding: 10px; background: var(--card); border: 1px solid var(--rule); border-radius: 6px; }
`;

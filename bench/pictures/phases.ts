/** Where the time of a start goes: a bar for each stack that knows its phases, as SVG. Pure. */
import { type Figure, shown } from "../frame/figures.ts";
import { escapeHtml } from "./escape.ts";

/** Of these the wait consists, but for what the gateway needs itself; the app comes after it. */
const WITHIN = ["fork", "spawn", "boot", "import", "lifespan"];
const REST = "rest of the wait";

interface Phase {
  readonly name: string;
  readonly ms: number;
}

/** Each phase has the same colour everywhere. */
const COLOURS = [...WITHIN, REST, "app"];

const WIDTH = 560;
const ROW = 72;
const BAR = 20;

/** Null where no stack knows its phases. */
export function phaseChart(title: string, figures: readonly Figure[]): string | null {
  const rows = [...Map.groupBy(figures, (figure) => figure.stack)].flatMap(([stack, some]) => {
    const of = (metric: string) => some.find((figure) => figure.metric === metric)?.value.median ?? 0;
    const phases = phasesOf(of);
    return phases.length === 0 ? [] : [{ stack, phases, total: of("total") }];
  });
  if (rows.length === 0) return null;
  const drawn = rows.map(({ stack, phases, total }, at) =>
    bar(`${stack}: ${shown(total)} ms`, phases, at * ROW),
  );
  const height = rows.length * ROW;
  return `<figure><figcaption>${escapeHtml(title)}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeHtml(title)}">${drawn.join("\n")}</svg>
<p>Each bar is a whole start, whatever its length; medians of the phases.</p></figure>`;
}

function phasesOf(of: (metric: string) => number): Phase[] {
  const wait = of("wait");
  if (wait === 0) return [];
  const within = WITHIN.map((name) => ({ name, ms: of(name) }));
  const rest = Math.max(0, wait - within.reduce((sum, { ms }) => sum + ms, 0));
  return [...within, { name: REST, ms: rest }, { name: "app", ms: of("app") }].filter(({ ms }) => ms > 0);
}

function bar(title: string, phases: readonly Phase[], y: number): string {
  const whole = phases.reduce((sum, { ms }) => sum + ms, 0);
  let x = 0;
  const pieces = phases.map(({ name, ms }) => {
    const from = x;
    const width = (ms / whole) * WIDTH;
    x += width;
    return `<rect class="fill c${COLOURS.indexOf(name)}" x="${from.toFixed(1)}" y="${y + 22}" width="${Math.max(1, width - 2).toFixed(1)}" height="${BAR}" rx="2"><title>${name} ${shown(ms)} ms</title></rect>`;
  });
  const words = phases.map(
    ({ name, ms }) => `<tspan class="fill c${COLOURS.indexOf(name)}">■</tspan> ${name} ${shown(ms)}`,
  );
  return `<text class="case" x="0" y="${y + 14}">${escapeHtml(title)}</text>${pieces.join("")}<text x="0" y="${y + 58}">${words.join("  ")}</text>`;
}

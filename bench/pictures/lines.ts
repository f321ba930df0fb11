/** A chart of lines as SVG. Pure. */
import { shown } from "../frame/figures.ts";
import { escapeHtml } from "./escape.ts";
import { linear, logarithmic, named, type Scale } from "./scale.ts";

export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Colour, by its number in the style. */
  readonly colour: number;
  /** Tells lines of one colour apart. */
  readonly dashed?: boolean;
  readonly strong?: boolean;
}

export interface Chart {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly lines: readonly Line[];
}

export interface Axis {
  readonly label: string;
  readonly log?: boolean;
  /** The only values that are named; default: round ones. */
  readonly only?: readonly number[];
}

const WIDTH = 560;
const HEIGHT = 300;
const LEFT = 52;
const RIGHT = 12;
const TOP = 12;
const BOTTOM = 44;
/** More points than this are a curve: none of them is marked. */
const MARKED = 12;

export function lineChart({ title, x, y, lines }: Chart): string {
  const all = lines.flatMap(({ points }) => points);
  const across = scaleOf(
    x,
    all.map(([value]) => value),
    { from: LEFT, to: WIDTH - RIGHT },
  );
  const up = scaleOf(
    y,
    all.map(([, value]) => value),
    { from: HEIGHT - BOTTOM, to: TOP },
  );
  const parts = [
    grid(across, up, x),
    axisNames(x, y),
    ...[...lines].reverse().map((line) => drawn(line, across, up)),
  ];
  return `<figure><figcaption>${escapeHtml(title)}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(title)}">${parts.join("\n")}</svg>
${legend(lines)}</figure>`;
}

function scaleOf(
  { log = false }: Axis,
  values: readonly number[],
  place: { from: number; to: number },
): Scale {
  return log ? logarithmic(values, place) : linear(values, place);
}

function grid(across: Scale, up: Scale, { only }: Axis): string {
  const rows = up.ticks.map((tick) => {
    const y = up.at(tick).toFixed(1);
    return `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}"/><text x="${LEFT - 6}" y="${y}" dy="4" text-anchor="end">${named(tick)}</text>`;
  });
  const bottom = HEIGHT - BOTTOM;
  const columns = (only ?? across.ticks).map((tick) => {
    const x = across.at(tick).toFixed(1);
    return `<line class="tick" x1="${x}" x2="${x}" y1="${bottom}" y2="${bottom + 4}"/><text x="${x}" y="${bottom + 17}" text-anchor="middle">${named(tick)}</text>`;
  });
  const base = `<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${bottom}" y2="${bottom}"/>`;
  return [...rows, ...columns, base].join("");
}

function axisNames(x: Axis, y: Axis): string {
  const middle = (LEFT + WIDTH - RIGHT) / 2;
  const half = (TOP + HEIGHT - BOTTOM) / 2;
  return `<text class="label" x="${middle}" y="${HEIGHT - 6}" text-anchor="middle">${escapeHtml(x.label)}</text><text class="label" transform="translate(12 ${half}) rotate(-90)" text-anchor="middle">${escapeHtml(y.label)}</text>`;
}

function drawn(
  { name, points, colour, dashed = false, strong = false }: Line,
  across: Scale,
  up: Scale,
): string {
  const places = points.map(([x, y]) => `${across.at(x).toFixed(1)},${up.at(y).toFixed(1)}`);
  const style = `line c${colour}${dashed ? " dashed" : ""}${strong ? " strong" : ""}`;
  const marks =
    points.length > MARKED
      ? []
      : points.map(([x, y], at) => {
          const [cx, cy] = (places[at] ?? "").split(",");
          return `<circle class="dot c${colour}" cx="${cx}" cy="${cy}" r="${strong ? 4 : 3}"><title>${escapeHtml(name)}, ${named(x)}: ${shown(y)}</title></circle>`;
        });
  return `<polyline class="${style}" points="${places.join(" ")}"/>${marks.join("")}`;
}

export function legend(lines: readonly Omit<Line, "points">[]): string {
  const entries = lines.map(
    ({ name, colour, dashed = false, strong = false }) =>
      `<li><svg viewBox="0 0 24 8" class="key"><line class="line c${colour}${dashed ? " dashed" : ""}${strong ? " strong" : ""}" x1="0" x2="24" y1="4" y2="4"/></svg>${escapeHtml(name)}</li>`,
  );
  return `<ul class="legend">${entries.join("")}</ul>`;
}

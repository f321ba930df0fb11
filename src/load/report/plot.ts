/**
 * A plot: an SVG of paths that stretches with the page, with its words beside it in HTML so that they keep their size on a narrow
 * screen. Coordinates: x is 0 to 1,000, y is 0 (top) to 300.
 */

import { type Markup, markup, trusted } from "./markup.ts";
import type { Scale } from "./scale.ts";

export const WIDTH = 1_000;
export const HEIGHT = 300;

export type Tone = "blue" | "blue-soft" | "deep" | "orange" | "red" | "grey" | "green";

/** How a figure is written when the reader points at it. */
export type Kind = "ms" | "number" | "rate";

export interface Line {
  readonly name: string;
  readonly tone: Tone;
  /** area: filled down to zero. rug: a stroke at the foot wherever the value is above zero. dots: no line between the points. */
  readonly style: "line" | "thin" | "dashed" | "area" | "rug" | "dots";
  readonly kind: Kind;
  /** As many as the plot has xs; NaN where there is nothing to say. */
  readonly values: readonly number[];
}

export interface Plot {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  /** What the plot says, for those who cannot see it. */
  readonly says: string;
  readonly xs: readonly number[];
  readonly x: Scale;
  readonly y: Scale;
  readonly lines: readonly Line[];
  /** Spans of x that are marked: the warm-up, the end in which nothing is begun any more. */
  readonly shades: readonly { readonly from: number; readonly to: number; readonly label: string }[];
  readonly highPx: number;
  /** A sentence below; empty for none. */
  readonly hint: string;
}

export function drawn(plot: Plot): Markup {
  return markup`<figure>
<figcaption><h3 id="${plot.id}-title">${plot.title} <span class="unit">${plot.unit}</span></h3>
<ul class="legend">${plot.lines.filter((line) => line.style !== "rug").map(legend)}</ul></figcaption>
<div class="frame" style="--high:${plot.highPx}px" data-plot="${plot.id}"><div class="field">
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-labelledby="${plot.id}-title" aria-describedby="${plot.id}-says">
<title>${plot.title}</title><desc id="${plot.id}-says">${plot.says}</desc>
${plot.shades.map((shade) => shaded(plot.x, shade))}${grid(plot)}
${plot.lines.map((line) => stroke(plot, line))}
</svg>
${plot.shades.map((shade) => markup`<span class="says" style="left:${percent(plot.x.position(shade.from))}">${shade.label}</span>`)}
<div class="y" aria-hidden="true">${plot.y.ticks.map(({ at, label }) => (label === "" ? null : markup`<span style="bottom:${percent(at)}">${label}</span>`))}</div>
<div class="x" aria-hidden="true">${xLabels(plot.x)}</div>
<div class="cursor"><b></b></div></div></div>
${plot.hint === "" ? null : markup`<p class="hint">${plot.hint}</p>`}
</figure>
`;
}

/** What the page's script needs to say the figures of a point: positions and values in the order of the legend. */
export function pointable(plot: Plot): unknown {
  const shown = plot.lines.filter((line) => line.style !== "rug");
  return {
    time: plot.x.kind === "time",
    log: plot.x.kind,
    xs: plot.xs.map((x) => rounded(x, 7)),
    at: plot.xs.map((x) => rounded(plot.x.position(x), 5)),
    lines: shown.map((line) => ({
      kind: line.kind,
      values: line.values.map((value) => (Number.isNaN(value) ? null : rounded(value, 4))),
    })),
  };
}

/** The points that stand between two gaps: a line through one point could not be seen. */
export function alone(d: string): string {
  const pieces = d.split("M").filter((piece) => piece.split("L").length === 2);
  return pieces.map((piece) => `M${piece.split("L")[0]}h0`).join("");
}

/** Path data through the points; a new piece begins after each gap. */
export function path(plot: Pick<Plot, "xs" | "x" | "y">, values: readonly number[]): string {
  let text = "";
  let open = false;
  for (const [at, value] of values.entries()) {
    const x = plot.x.position(plot.xs[at]!);
    const y = plot.y.position(value);
    if (Number.isNaN(x) || Number.isNaN(y)) {
      open = false;
      continue;
    }
    text += `${open ? "L" : `M${place(x, y)}L`}${place(x, y)}`;
    open = true;
  }
  return text;
}

function place(x: number, y: number): string {
  return `${coordinate(x * WIDTH)} ${coordinate((1 - y) * HEIGHT)}`;
}

function coordinate(value: number): string {
  return String(Math.round(value * 100) / 100);
}

function stroke(plot: Plot, line: Line): Markup {
  const { tone, style, values } = line;
  if (style === "rug") {
    const strokes = values.map((value, at) =>
      value > 0 ? `M${coordinate(plot.x.position(plot.xs[at]!) * WIDTH)} ${HEIGHT}v5` : "",
    );
    return markup`<path class="rug ${tone}" d="${strokes.join("")}"/>`;
  }
  if (style === "dots") {
    const dots = values.map((value, at) =>
      Number.isNaN(value) ? "" : `M${place(plot.x.position(plot.xs[at]!), plot.y.position(value))}h0`,
    );
    return markup`<path class="dot ${tone}" d="${dots.join("")}"/>`;
  }
  const d = path(plot, style === "area" ? withoutFoot(values) : values);
  const lone = alone(d);
  const marks = lone === "" ? null : markup`<path class="dot small ${tone}" d="${lone}"/>`;
  if (style !== "area") return markup`<path class="stroke ${style} ${tone}" d="${d}"/>${marks}`;
  return markup`<path class="fill ${tone}" d="${closed(d)}"/><path class="stroke thin ${tone}" d="${d}"/>${marks}`;
}

/** Zeros between zeros are left out: an area of nothing is no line along the foot. */
export function withoutFoot(values: readonly number[]): number[] {
  return values.map((value, at) =>
    value === 0 && (values[at - 1] ?? 0) === 0 && (values[at + 1] ?? 0) === 0 ? Number.NaN : value,
  );
}

/** Each piece of a path, filled down to the foot. */
export function closed(d: string): string {
  return d
    .split("M")
    .filter((piece) => piece !== "")
    .map((piece) => {
      const points = piece.split("L");
      const foot = (point: string) => `${point.split(" ")[0]} ${HEIGHT}`;
      return `M${foot(points[0]!)}L${points.join("L")}L${foot(points.at(-1)!)}Z`;
    })
    .join("");
}

function grid(plot: Plot): Markup {
  const across = plot.y.ticks.map(({ at, label }) => {
    const y = coordinate((1 - at) * HEIGHT);
    const kind = at === 0 ? "base" : label === "" ? "grid faint" : "grid";
    return `<path class="${kind}" d="M0 ${y}H${WIDTH}"/>`;
  });
  const down = plot.x.ticks.map(
    ({ at }) => `<path class="grid" d="M${coordinate(at * WIDTH)} 0V${HEIGHT}"/>`,
  );
  return trusted([...down, ...across].join(""));
}

function shaded(x: Scale, { from, to }: Plot["shades"][number]): Markup {
  const left = x.position(from) * WIDTH;
  const width = x.position(to) * WIDTH - left;
  return markup`<rect class="shade" x="${coordinate(left)}" y="0" width="${coordinate(width)}" height="${HEIGHT}"/>`;
}

/** Every second label gives way on a narrow screen; those at the ends stay within the plot. */
function xLabels(x: Scale): Markup[] {
  return x.ticks.map(({ at, label }, index) => {
    const more = x.ticks.length > 4 && index % 2 === 1 ? "more" : "";
    const end = at > 0.985 ? "end" : at > 0.94 ? "near" : "";
    const names = [more, end].filter((name) => name !== "").join(" ");
    return markup`<span class="${names}" style="left:${percent(at)}">${label}</span>`;
  });
}

function legend(line: Line): Markup {
  return markup`<li class="${line.style} ${line.tone}"><i></i>${line.name}<output></output></li>`;
}

function percent(at: number): string {
  return `${Math.round(at * 10_000) / 100}%`;
}

function rounded(value: number, digits: number): number {
  return Number(value.toPrecision(digits));
}

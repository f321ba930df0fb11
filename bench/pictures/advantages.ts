/** How many times better Headrace is than each peer, as dots with their spread over the rounds, as SVG. Pure. */
import { type Figure, shown } from "../frame/figures.ts";
import { lookOf } from "./colours.ts";
import { escapeHtml } from "./escape.ts";
import { logarithmic, named } from "./scale.ts";

export interface Advantage {
  readonly case: string;
  readonly peer: string;
  /** Above 1: Headrace is better. */
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** Turned over where less is better, so that more is always better for Headrace. */
export function advantagesOf(figures: readonly Figure[], metric: string): Advantage[] {
  return figures.flatMap((figure) => {
    const ratio = figure.against?.ratio ?? null;
    if (figure.metric !== metric || ratio === null) return [];
    const { median, low, high } = ratio;
    const base = { case: figure.case, peer: figure.stack };
    return figure.about.better === "more"
      ? [{ ...base, median, low, high }]
      : [{ ...base, median: 1 / median, low: 1 / high, high: 1 / low }];
  });
}

const WIDTH = 560;
const NAMES = 190;
const VALUES = 44;
const ROW = 18;
const HEAD = 36;
const CASE = 26;

export function advantageChart(title: string, all: readonly Advantage[]): string {
  const place = { from: NAMES, to: WIDTH - VALUES };
  const scale = logarithmic([0.5, 2, ...all.flatMap(({ low, high }) => [low, high])], place);
  const rows: string[] = [];
  let y = HEAD;
  for (const name of new Set(all.map((each) => each.case))) {
    rows.push(`<text class="case" x="0" y="${y + 16}">${escapeHtml(name)}</text>`);
    y += CASE;
    for (const each of all.filter((one) => one.case === name)) {
      rows.push(row(each, y, (value) => scale.at(value).toFixed(1)));
      y += ROW;
    }
  }
  const height = y + 8;
  const columns = scale.ticks.map((tick) => {
    const x = scale.at(tick).toFixed(1);
    return `<line class="${tick === 1 ? "even" : "grid"}" x1="${x}" x2="${x}" y1="${HEAD}" y2="${height}"/><text x="${x}" y="30" text-anchor="middle">${named(tick)}</text>`;
  });
  return `<figure><figcaption>${escapeHtml(title)}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeHtml(title)}">${SIDES}${columns.join("")}${rows.join("\n")}</svg></figure>`;
}

/** The case says how many processes there are. */
function shortened(peer: string): string {
  return peer.replace(/, \d+ processes$/, "");
}

/** Which side of 1 is whose. */
const SIDES = `<text class="label" x="${NAMES}" y="12">← the peer is better</text><text class="label" x="${WIDTH - VALUES}" y="12" text-anchor="end">Headrace is better →</text>`;

function row({ peer, median, low, high }: Advantage, y: number, at: (value: number) => string): string {
  const middle = y + ROW / 2;
  const { colour } = lookOf(peer);
  const words = `${shown(median)} (${shown(low)} to ${shown(high)})`;
  return `<g><title>${escapeHtml(peer)}: ${words}</title><text x="${NAMES - 8}" y="${middle + 4}" text-anchor="end">${escapeHtml(shortened(peer))}</text><line class="line c${colour}" x1="${at(low)}" x2="${at(high)}" y1="${middle}" y2="${middle}"/><circle class="dot c${colour}" cx="${at(median)}" cy="${middle}" r="4"/><text class="value" x="${WIDTH}" y="${middle + 4}" text-anchor="end">${shown(median)}</text></g>`;
}

/** What is read out of a result: each figure against its peers, and the bars. Pure. */
import type { Bar, Metric, PartResult } from "./model.ts";
import { byRound, median, ratios, type Spread, spread } from "./statistics.ts";

/** One figure of one stack, and what the Headrace of its case makes against it. */
export interface Figure {
  readonly part: string;
  readonly case: string;
  readonly stack: string;
  readonly metric: string;
  readonly about: Metric;
  readonly value: Spread;
  /** The Headrace's value divided by this one, within each round; null for a Headrace. */
  readonly against: { readonly stack: string; readonly ratio: Spread | null; readonly main: boolean } | null;
}

export function figuresOf(part: PartResult): Figure[] {
  const seen = new Map<string, Figure>();
  for (const { case: name, stack } of part.samples) {
    for (const [metric, about] of Object.entries(part.metrics)) {
      const key = JSON.stringify([name, stack, metric]);
      if (seen.has(key)) continue;
      const values = byRound(part, name, stack, metric);
      const value = spread([...values.values()]);
      if (value === null) continue;
      const pair = part.pairs.find((each) => each.case === name && each.peer === stack);
      const own = pair === undefined ? null : ratios(byRound(part, name, pair.stack, metric), values);
      const against =
        pair === undefined || own === null
          ? null
          : { stack: pair.stack, ratio: spread(own), main: pair.main };
      seen.set(key, { part: part.name, case: name, stack, metric, about, value, against });
    }
  }
  // Headrace first, then its peers as they were measured.
  const all = [...seen.values()];
  return [...all.filter(({ against }) => against === null), ...all.filter(({ against }) => against !== null)];
}

export interface BarResult extends Bar {
  readonly value: number;
  readonly reached: boolean;
  readonly text: string;
}

export function barsOf(part: PartResult): BarResult[] {
  return part.bars.map((bar) => {
    const value = median([...byRound(part, bar.case, bar.stack, bar.metric).values()]);
    const { least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY } = bar;
    const unit = part.metrics[bar.metric]?.unit ?? "";
    const wanted = bar.least === undefined ? `at most ${bar.most}` : `at least ${bar.least}`;
    return {
      ...bar,
      value,
      // Without a single round that counts there is no value, and nothing is reached.
      reached: value >= least && value <= most,
      text: `${`${bar.metric} ${shown(value)} ${unit}`.trim()}, ${wanted}`,
    };
  });
}

/** Three digits, or whole. */
export function shown(value: number): string {
  if (!Number.isFinite(value)) return "?";
  const size = Math.abs(value);
  if (size >= 1_000) return Math.round(value).toLocaleString("en-US");
  if (Number.isInteger(value) || size >= 100) return value.toFixed(0);
  return size >= 10 ? value.toFixed(1) : size >= 0.1 ? value.toFixed(2) : value.toPrecision(2);
}

/** Share of the machine that others took, by round over all its measurements: mean and worst. */
export function othersByRound(
  part: PartResult,
): { readonly round: number; readonly mean: number; readonly worst: number }[] {
  return [...new Set(part.samples.map(({ round }) => round))]
    .sort((a, b) => a - b)
    .map((round) => {
      const shares = part.samples.filter((each) => each.round === round).map(({ others }) => others);
      return {
        round,
        mean: shares.reduce((sum, share) => sum + share, 0) / shares.length,
        worst: Math.max(...shares),
      };
    });
}

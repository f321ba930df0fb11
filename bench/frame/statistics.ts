/** Medians, ratios within rounds, and a test that tells a change from noise. All pure. */
import type { PartResult, Sample } from "./model.ts";

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** The value that was measured below which a share of the values lies; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Middle and ends of the values of several rounds. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly rounds: number;
}

/** Null without values. */
export function spread(values: readonly number[]): Spread | null {
  if (values.length === 0) return null;
  return {
    median: median(values),
    low: Math.min(...values),
    high: Math.max(...values),
    rounds: values.length,
  };
}

/** The samples that count. */
export function counted({ samples }: PartResult): readonly Sample[] {
  return samples.filter(({ faults }) => faults.length === 0);
}

/** One value a round, in the order of the rounds; rounds that do not count are left out. */
export function byRound(part: PartResult, name: string, stack: string, metric: string): Map<number, number> {
  const found = counted(part).filter((each) => each.case === name && each.stack === stack);
  const values = found.flatMap(({ round, values: all }): [number, number][] => {
    const value = all[metric];
    return value === undefined || !Number.isFinite(value) ? [] : [[round, value]];
  });
  return new Map(values.sort(([a], [b]) => a - b));
}

/** The ratio of two stacks within each round: a slow phase of the machine falls on both. */
export function ratios(own: ReadonlyMap<number, number>, peer: ReadonlyMap<number, number>): number[] {
  return [...own].flatMap(([round, value]) => {
    const other = peer.get(round);
    return other === undefined || other <= 0 || value <= 0 ? [] : [value / other];
  });
}

/** A figure of two runs: its values by round, all above zero. */
export interface TwoRuns {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** Orders of the rounds that are tried; where there are more, so many are drawn. */
const MOST_ORDERS = 20_000;

/**
 * p-values for "nothing changed", one for each figure, adjusted for how many figures there are: the chance that, were all rounds of both
 * runs alike, any figure would stand out as much. Step-down maxT permutation (Westfall and Young, Resampling-Based Multiple Testing,
 * 1993, algorithm 4.1; in the words of Ge, Dudoit and Speed, Resampling-based multiple testing for microarray data analysis, Test 12,
 * 2003, box 3). Whole rounds change sides, with all their figures, so figures that move together do not count twice, and five rounds
 * against five suffice however many figures there are (252 orders, so no p below 1/126). The statistic is Welch's t of the logarithms:
 * a ratio of two and one of a half are as far from one.
 *
 * Figures must have the same numbers of rounds; @param seed draws the orders where there are too many to try all.
 */
export function adjustedP(figures: readonly TwoRuns[], seed = 1): number[] {
  const first = figures[0];
  if (first === undefined) return [];
  const [n, all] = [first.before.length, first.before.length + first.after.length];
  const logs = figures.map(({ before, after }) => [...before, ...after].map(Math.log));
  const strength = (sides: Uint8Array) => logs.map((values) => Math.abs(welch(values, sides)));
  const asMeasured = strength(Uint8Array.from({ length: all }, (_, at) => (at < n ? 0 : 1)));
  const order = [...asMeasured.keys()].sort((a, b) => (asMeasured[b] ?? 0) - (asMeasured[a] ?? 0));
  const exceeded = new Float64Array(order.length);
  const { sides, exact } = orders(all, n, seed);
  for (const each of sides) {
    const seen = strength(each);
    let most = 0;
    for (let at = order.length - 1; at >= 0; at--) {
      const figure = order[at] ?? 0;
      most = Math.max(most, seen[figure] ?? 0);
      if (most >= (asMeasured[figure] ?? 0) * (1 - 1e-9)) exceeded[at] = (exceeded[at] ?? 0) + 1;
    }
  }
  const adjusted = new Array<number>(order.length).fill(1);
  let least = 0;
  order.forEach((figure, at) => {
    // A drawn set lacks the order as measured: it counts as one more (Phipson and Smyth, Permutation p-values should never be zero, 2010).
    const p = exact ? (exceeded[at] ?? 0) / sides.length : ((exceeded[at] ?? 0) + 1) / (sides.length + 1);
    least = Math.max(least, p);
    adjusted[figure] = least;
  });
  return adjusted;
}

/** Welch's t of the values of side 1 against those of side 0; 0 where nothing differs, infinite where only the sides do. */
function welch(values: readonly number[], sides: Uint8Array): number {
  const [a, b] = [0, 1].map((side) => moments(values.filter((_, at) => sides[at] === side)));
  if (a === undefined || b === undefined) return 0;
  const apart = b.mean - a.mean;
  if (Math.abs(apart) < 1e-12) return 0;
  return apart / Math.sqrt(a.variance / a.count + b.variance / b.count);
}

function moments(values: readonly number[]): { mean: number; variance: number; count: number } {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, variance: count < 2 ? 0 : squares / (count - 1), count };
}

/** Every way to give `n` of `all` rounds to the first run, or as many as are allowed, drawn by chance. */
function orders(all: number, n: number, seed: number): { sides: Uint8Array[]; exact: boolean } {
  if (choose(all, n) > MOST_ORDERS) return { sides: drawn(all, n, seed), exact: false };
  const sides: Uint8Array[] = [];
  const taken: number[] = [];
  const go = (from: number) => {
    if (taken.length === n) {
      const side = new Uint8Array(all).fill(1);
      for (const at of taken) side[at] = 0;
      sides.push(side);
      return;
    }
    for (let at = from; at <= all - (n - taken.length); at++) {
      taken.push(at);
      go(at + 1);
      taken.pop();
    }
  };
  go(0);
  return { sides, exact: true };
}

/** Fisher and Yates' shuffle, fed by a small generator (mulberry32) so that a verdict can be repeated. */
function drawn(all: number, n: number, seed: number): Uint8Array[] {
  let state = seed >>> 0;
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return Array.from({ length: MOST_ORDERS }, () => {
    const side = Uint8Array.from({ length: all }, (_, at) => (at < n ? 0 : 1));
    for (let at = all - 1; at > 0; at--) {
      const other = Math.floor(random() * (at + 1));
      [side[at], side[other]] = [side[other] ?? 0, side[at] ?? 0];
    }
    return side;
  });
}

export function choose(all: number, n: number): number {
  let ways = 1;
  for (let at = 1; at <= Math.min(n, all - n); at++) ways = (ways * (all - at + 1)) / at;
  return Math.round(ways);
}

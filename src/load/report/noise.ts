/**
 * How far a figure of a run moves by chance, from the run itself. Pure.
 *
 * The seconds of a run are drawn anew with replacement, in blocks of neighbours so that what hangs together in time (a pause of the
 * collector, a line that drains) stays together, and the figure is taken of each such run: the circular block bootstrap (Politis and
 * Romano 1992, after Künsch 1989), blocks of n^(1/3) points (Hall, Horowitz and Jing 1995). The spread of the figures over many draws
 * is the noise. It knows what changed from second to second within the run; it cannot know what changes from one run to the next.
 *
 * A point of a series has p50, p95, p99 and max, but no distribution. It is given that of the whole run, stretched between these
 * four: of all distributions that have them, the one that differs least (in the sense of Kullback and Leibler) from the whole
 * run's. So percentiles can be taken of any choice of seconds.
 */

import { Histogram } from "../histogram.ts";
import type { Random } from "../random.ts";
import type { LoadResult, Point } from "../result.ts";

/** Values at which the distributions are held: enough for steps of 1 to 3 % over three or four decades. */
const GRID = 320;

/** A figure of some seconds of a run, from the sums over them. */
export type Figure = (sums: Sums) => number;

export interface Sums {
  /** Of each quantity of the model, in its order. */
  readonly quantities: Float64Array;
  /** Natural logarithm of the value in milliseconds that a share (0 to 1) of all requests does not exceed. NaN when there are none. */
  readonly logPercentile: (share: number) => number;
}

/** The measured seconds of a run, in a form in which sums over blocks are quick. */
export class Seconds {
  readonly length: number;
  readonly #width: number;
  /** Running sums over the points: the quantities, then the cumulative distribution at the grid. */
  readonly #running: Float64Array;
  readonly #quantities: number;
  readonly #grid: Float64Array;

  /** `quantities[k][i]` is the k-th quantity in the i-th measured point. */
  constructor(result: LoadResult, points: readonly Point[], quantities: readonly (readonly number[])[]) {
    const whole = wholeOf(result);
    this.length = points.length;
    this.#quantities = quantities.length;
    this.#grid = whole.grid;
    this.#width = quantities.length + whole.grid.length;
    this.#running = new Float64Array((points.length + 1) * this.#width);
    const row = new Float64Array(this.#width);
    for (const [at, point] of points.entries()) {
      for (const [k, values] of quantities.entries()) row[k] = values[at] ?? 0;
      whole.spread(point, row.subarray(quantities.length));
      const [from, to] = [at * this.#width, (at + 1) * this.#width];
      for (let k = 0; k < this.#width; k++) this.#running[to + k] = this.#running[from + k]! + row[k]!;
    }
  }

  /** Sums over blocks of `size` points that begin at `starts`; behind the last point comes the first again. */
  sums(starts: readonly number[], size: number): Sums {
    const total = new Float64Array(this.#width);
    for (const start of starts) {
      const end = start + size;
      this.#add(total, start, Math.min(end, this.length));
      if (end > this.length) this.#add(total, 0, end - this.length);
    }
    const cumulative = total.subarray(this.#quantities);
    return {
      quantities: total.subarray(0, this.#quantities),
      logPercentile: (share) => crossing(this.#grid, cumulative, share * cumulative.at(-1)!),
    };
  }

  #add(total: Float64Array, from: number, to: number): void {
    const [low, high] = [from * this.#width, to * this.#width];
    for (let k = 0; k < this.#width; k++)
      total[k] = total[k]! + this.#running[high + k]! - this.#running[low + k]!;
  }
}

/** How far figures of two runs lie from each other by chance: for each figure the differences, after less before, about their middle. */
export function differences(
  runs: { readonly before: Seconds; readonly after: Seconds; readonly paired: boolean },
  figures: readonly Figure[],
  draw: { readonly random: Random; readonly times: number },
): Float64Array[] {
  const { before, after, paired } = runs;
  const [here, there] = [middle(before, figures), middle(after, figures)];
  const found = figures.map(() => new Float64Array(draw.times));
  for (let time = 0; time < draw.times; time++) {
    const earlier = blocks(before.length, draw.random);
    // Runs on the same plan rise and fall together: drawn at the same moments, what the plan did is the same on both sides.
    const later = paired ? earlier : blocks(after.length, draw.random);
    const [a, b] = [
      before.sums(earlier, blockSize(before.length)),
      after.sums(later, blockSize(after.length)),
    ];
    for (const [k, figure] of figures.entries())
      found[k]![time] = figure(b) - there[k]! - (figure(a) - here[k]!);
  }
  return found;
}

function middle(seconds: Seconds, figures: readonly Figure[]): number[] {
  const sums = seconds.sums([0], seconds.length);
  return figures.map((figure) => figure(sums));
}

/** Points in a block of a series of n. */
export function blockSize(n: number): number {
  return Math.max(1, Math.round(Math.cbrt(n)));
}

function blocks(n: number, random: Random): number[] {
  return Array.from({ length: Math.max(1, Math.round(n / blockSize(n))) }, () => random.integer(0, n - 1));
}

/** Half the width of the band that holds chance alone, for one of several judgements made together. */
export function band(found: Float64Array, quantile: number): number {
  const sorted = Float64Array.from(found).filter(Number.isFinite).sort();
  if (sorted.length < found.length / 2) return Number.POSITIVE_INFINITY;
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  const variance = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (sorted.length - 1);
  // A figure that jumps between two levels is no normal one: its outermost draws count as well.
  const outermost = Math.max(
    -sorted[Math.floor(sorted.length * 0.005)]!,
    sorted[Math.ceil(sorted.length * 0.995) - 1]!,
  );
  return Math.max(quantile * Math.sqrt(variance), outermost);
}

/**
 * Quantile of Student's t: few blocks know their own spread badly. Abramowitz and Stegun 26.7.5, from the normal quantile z.
 */
export function studentQuantile(z: number, freedom: number): number {
  const f = Math.max(1, freedom);
  return z + (z ** 3 + z) / (4 * f) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * f ** 2);
}

interface Whole {
  /** Natural logarithms of milliseconds, rising. */
  readonly grid: Float64Array;
  /** Fills in how many requests of a point took at most each value of the grid. */
  readonly spread: (point: Point, into: Float64Array) => void;
}

const LEVELS = [0, 0.5, 0.95, 0.99, 1] as const;

function wholeOf(result: LoadResult): Whole {
  const { response } = result.latency;
  const points = result.series.filter((point) => point.maxMs > 0);
  const [least, most] = extremes(response, points);
  const step = Math.log(most / least) / (GRID - 1);
  const grid = Float64Array.from({ length: GRID }, (_, at) => Math.log(least) + at * step);
  const histogram = Histogram.fromBase64(response.hdr);
  const share = Float64Array.from(grid, (log) =>
    histogram.count === 0 ? 0 : 1 - histogram.countAbove(Math.exp(log) * 1_000) / histogram.count,
  );
  const shareAt = (log: number) => {
    const place = Math.min(GRID - 1, Math.max(0, (log - grid[0]!) / step));
    const low = Math.min(GRID - 2, Math.floor(place));
    return share[low]! + (share[low + 1]! - share[low]!) * (place - low);
  };
  const spread = (point: Point, into: Float64Array) => {
    // What was refused or cut has no time; a point of nothing else says nothing of times.
    if (point.maxMs === 0) {
      into.fill(0);
      return;
    }
    const knots = [least, point.p50Ms, point.p95Ms, point.p99Ms, point.maxMs].map((ms) =>
      Math.log(Math.max(ms, least)),
    );
    let k = 1;
    for (let at = 0; at < GRID; at++) {
      const value = grid[at]!;
      while (k < 5 && value >= knots[k]! - 1e-9) k++;
      into[at] = point.done * (k === 5 || at === GRID - 1 ? 1 : between(value, k, knots, shareAt));
    }
  };
  return { grid, spread };
}

/** The share below a value that lies between the knots k−1 and k. */
function between(
  value: number,
  k: number,
  knots: readonly number[],
  shareAt: (log: number) => number,
): number {
  const [low, high] = [knots[k - 1]!, knots[k]!];
  const [from, to] = [shareAt(low), shareAt(high)];
  // Where the whole run has nothing between them, it is spread evenly.
  const part = to - from > 1e-12 ? (shareAt(value) - from) / (to - from) : (value - low) / (high - low);
  const inside = Math.min(1, Math.max(0, part));
  return LEVELS[k - 1]! + (LEVELS[k]! - LEVELS[k - 1]!) * inside;
}

/** The span of the grid, a little wider than all values; a microsecond at the least. */
function extremes(response: LoadResult["latency"]["response"], points: readonly Point[]): [number, number] {
  let [least, most] = response.count > 0 ? [response.minMs, response.maxMs] : [1, 1];
  for (const point of points) {
    least = Math.min(least, point.p50Ms);
    most = Math.max(most, point.maxMs);
  }
  least = Math.max(0.001, least * 0.99);
  return [least, Math.max(most * 1.01, least * 1.1)];
}

/** Where a cumulative distribution reaches a sum, between the values of the grid. */
function crossing(grid: Float64Array, cumulative: Float64Array, wanted: number): number {
  if (!(cumulative.at(-1)! > 0)) return Number.NaN;
  let [low, high] = [0, cumulative.length - 1];
  while (low < high) {
    const half = (low + high) >> 1;
    if (cumulative[half]! >= wanted) high = half;
    else low = half + 1;
  }
  if (low === 0) return grid[0]!;
  const [below, above] = [cumulative[low - 1]!, cumulative[low]!];
  const part = above > below ? (wanted - below) / (above - below) : 1;
  return grid[low - 1]! + (grid[low]! - grid[low - 1]!) * part;
}

/**
 * When requests begin, in an open loop: a schedule that does not look at what comes back. Pure.
 *
 * The planned rate is a line of straight pieces. Let N(t) be the area under it: how many requests are due by t. Constant arrivals
 * are the moments at which N passes whole numbers; Poisson arrivals are those at which it passes the sums of exponential gaps
 * (time rescaling, Lewis and Shedler 1979). Of n processes each takes every n-th arrival, or an n-th of the rate: the union is the plan.
 */

import type { Random } from "./random.ts";

/** A point of the planned rate. */
export interface Stage {
  /** Since the start, in ms. */
  readonly atMs: number;
  /** Requests per second. */
  readonly rate: number;
}

/** A rate that stays. */
export function constantRate(rate: number, durationMs: number): readonly Stage[] {
  return [
    { atMs: 0, rate },
    { atMs: durationMs, rate },
  ];
}

/** A plan with its warm-up in front, which has the rate with which the plan begins, or half of its peak where that is nothing. */
export function withWarmup(stages: readonly Stage[], warmupMs: number): readonly Stage[] {
  if (warmupMs === 0) return stages;
  const first = stages[0]?.rate ?? 0;
  const rate = first > 0 ? first : Math.max(...stages.map((stage) => stage.rate)) / 2;
  return [
    ...constantRate(rate, warmupMs),
    ...stages.map((stage) => ({ atMs: stage.atMs + warmupMs, rate: stage.rate })),
  ];
}

/** Requests due by `atMs`: the area under the line. */
export function dueBy(stages: readonly Stage[], atMs: number): number {
  let due = 0;
  for (let i = 1; i < stages.length; i++) {
    const from = stages[i - 1]!;
    const to = stages[i]!;
    const span = Math.min(atMs, to.atMs) - from.atMs;
    if (span <= 0) break;
    const slope = to.atMs === from.atMs ? 0 : (to.rate - from.rate) / (to.atMs - from.atMs);
    due += (from.rate * span + (slope * span * span) / 2) / 1_000;
  }
  return due;
}

/** In arrivals: what sums of areas may be off by. An arrival so near the end of a piece belongs to the next. */
const ROUNDING = 1e-6;

/** The arrivals of one of several processes. */
export class Arrivals {
  readonly #stages: readonly Stage[];
  readonly #share: number;
  readonly #random: Random | null;
  /** Which piece the next arrival lies in, and how many of this process are due before it. */
  #piece = 1;
  #before = 0;
  /** The next arrival, in arrivals of this process. */
  #next: number;

  /** `random`: for Poisson arrivals; null for constant ones. */
  constructor(
    stages: readonly Stage[],
    part: { readonly index: number; readonly of: number },
    random: Random | null,
  ) {
    this.#stages = stages;
    this.#share = 1 / part.of;
    this.#random = random;
    this.#next = random === null ? part.index / part.of : random.exponential();
  }

  /** The moment of the next arrival in ms since the start, in rising order; Infinity when there is no more. */
  take(): number {
    for (; this.#piece < this.#stages.length; this.#piece++) {
      const from = this.#stages[this.#piece - 1]!;
      const to = this.#stages[this.#piece]!;
      const spanMs = to.atMs - from.atMs;
      const area = (((from.rate + to.rate) / 2) * spanMs * this.#share) / 1_000;
      const wanted = this.#next - this.#before;
      if (wanted + ROUNDING < area) {
        this.#next += this.#random === null ? 1 : this.#random.exponential();
        return (
          from.atMs + timeOf(wanted, { rate0: from.rate * this.#share, rate1: to.rate * this.#share, spanMs })
        );
      }
      this.#before += area;
    }
    return Number.POSITIVE_INFINITY;
  }
}

/** The time at which the area under a straight piece reaches `count`: the root of the parabola, in the form that does not cancel. */
function timeOf(count: number, piece: { rate0: number; rate1: number; spanMs: number }): number {
  if (count <= 0) return 0;
  const { rate0, rate1, spanMs } = piece;
  const slope = (rate1 - rate0) / spanMs;
  const under = rate0 * rate0 + 2 * slope * count * 1_000;
  return Math.min(spanMs, (2 * count * 1_000) / (rate0 + Math.sqrt(Math.max(0, under))));
}

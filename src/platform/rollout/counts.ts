/** What the counters of revisions tell a guard: which of them have changed since when, and what has not been answered in time. */

import type { Outcome } from "../../gateway/meter.ts";
import type { Sample } from "./guard.ts";

/** What a revision has done since its start. */
export interface Counts extends Outcome {
  /** Instances that had been ready and ended unasked. */
  readonly crashes: number;
}

/** What came since now. */
export function since(counts: () => Counts): () => Counts {
  const first = counts();
  return () => joined(counts(), first, -1);
}

/** What all of them did. */
export function together(all: readonly (() => Counts)[]): () => Counts {
  return () => all.map((counts) => counts()).reduce((sum, counts) => joined(sum, counts, 1));
}

function joined(a: Counts, b: Counts, sign: 1 | -1): Counts {
  return {
    arrived: a.arrived + sign * b.arrived,
    settled: a.settled + sign * b.settled,
    abandoned: a.abandoned + sign * b.abandoned,
    requests: a.requests + sign * b.requests,
    errors: a.errors + sign * b.errors,
    crashes: a.crashes + sign * b.crashes,
    times: a.times.map((count, i) => count + sign * b.times[i]!),
  };
}

/**
 * Reads counters again and again, and remembers how many requests had come when: of those that had come by then, all but as many as are
 * settled now have waited since. In whatever order they are answered, it is never more than there are.
 */
export class Watch {
  readonly #counts: () => Counts;
  readonly #boundsS: readonly number[];
  /** Rising in both; the first one is older than the longest bound, or the first of all. */
  #arrivals: readonly { readonly at: number; readonly arrived: number }[] = [];

  constructor(counts: () => Counts, boundsS: readonly number[]) {
    this.#counts = counts;
    this.#boundsS = boundsS;
  }

  /** @param now milliseconds */
  read(now: number): Sample {
    const { arrived, settled, ...counts } = this.#counts();
    this.#arrivals = [...this.#arrivals, { at: now, arrived }];
    const overdue = this.#boundsS.map((bound) => Math.max(0, this.#arrivedBy(now - bound * 1_000) - settled));
    const oldest = this.#lastBy(now - this.#boundsS.at(-1)! * 1_000);
    this.#arrivals = this.#arrivals.slice(Math.max(0, oldest));
    return { ...counts, overdue };
  }

  #arrivedBy(at: number): number {
    return this.#arrivals[this.#lastBy(at)]?.arrived ?? 0;
  }

  #lastBy(at: number): number {
    return this.#arrivals.findLastIndex((one) => one.at <= at);
  }
}

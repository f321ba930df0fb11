/** Turns the rows of a trace into the times at which requests come. */

import type { Random } from "./random.ts";
import type { Trace, TraceRow } from "./trace.ts";

/** Times in milliseconds, ascending. By chance: a Poisson process for rates, places drawn at random for counts. */
export class Arrivals {
  /** When the next request comes; Infinity after the last. */
  next = 0;
  /** The row that {@link next} stands in. */
  row: TraceRow;
  readonly #rows: readonly TraceRow[];
  readonly #random: Random;
  readonly #even: boolean;
  #index = 0;
  #left: number;
  /** Part of the next even request that time has paid for already. The first comes half a distance after the start. */
  #phase = 0.5;

  constructor(trace: Trace, random: Random, even: boolean) {
    this.#rows = trace.rows;
    this.#random = random;
    this.#even = even;
    this.row = trace.rows[0]!;
    this.#left = this.row.arrivals;
    this.next = this.row.fromMs;
    this.advance();
  }

  /** Moves on to the request after this one. */
  advance(): void {
    for (;;) {
      const { row } = this;
      const at = this.#even ? this.#evenly(row) : row.counted ? this.#drawn(row) : this.#poisson(row);
      if (at < row.toMs) {
        this.next = at;
        return;
      }
      const following = this.#rows[this.#index + 1];
      if (following === undefined) {
        this.next = Number.POSITIVE_INFINITY;
        return;
      }
      this.#index += 1;
      this.row = following;
      this.#left = following.arrivals;
      this.next = following.fromMs;
    }
  }

  #evenly(row: TraceRow): number {
    const perMs = row.arrivals / (row.toMs - row.fromMs);
    const at = this.next + Math.max(0, 1 - this.#phase) / perMs;
    this.#phase = at < row.toMs ? 0 : this.#phase + (row.toMs - this.next) * perMs;
    return at;
  }

  /** The next of those that are left, of all places that they could have. */
  #drawn(row: TraceRow): number {
    if (this.#left <= 0) return Number.POSITIVE_INFINITY;
    const at = row.toMs - (row.toMs - this.next) * (1 - this.#random.next()) ** (1 / this.#left);
    this.#left -= 1;
    return Math.min(at, row.toMs - 1e-9 * (row.toMs - row.fromMs));
  }

  #poisson(row: TraceRow): number {
    if (row.arrivals === 0) return Number.POSITIVE_INFINITY;
    return this.next + this.#random.exponential((row.toMs - row.fromMs) / row.arrivals);
  }
}

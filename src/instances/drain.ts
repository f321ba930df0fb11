/** Waiting until an instance has nothing left to do. */

import type { Clock } from "../base/clock.ts";
import type { Rows } from "./ports.ts";
import { timings } from "./settings.ts";

/** Longest time that timers can hold: about 24 days. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * Waits until no slot of a row is reserved and then the worker reports no open stream. Only both together mean that it is empty: a
 * reserved slot may be for a request that has not arrived yet, and an open stream may be one whose gateway has died.
 *
 * The table's count has no events. It is read on the worker's news and, while it is not 0, every few milliseconds.
 */
export class DrainWatch {
  readonly #clock: Clock;
  readonly #rows: Rows;
  readonly #row: number;
  readonly #askStats: () => void;
  #check: (() => void) | undefined;
  #answered: ((streams: number) => void) | undefined;
  #hasten: ((budgetMs: number) => void) | undefined;

  /** @param askStats has the worker count its streams; the answer comes to {@link stats} */
  constructor(clock: Clock, rows: Rows, row: number, askStats: () => void) {
    this.#clock = clock;
    this.#rows = rows;
    this.#row = row;
    this.#askStats = askStats;
  }

  /** The worker said that it is idle. */
  idle(): void {
    this.#check?.();
  }

  /** The worker counted its streams. */
  stats(streams: number): void {
    this.#answered?.(streams);
  }

  /** From now on there is only this much time. */
  hasten(budgetMs: number): void {
    this.#hasten?.(budgetMs);
  }

  /** True when it is empty or `exited` resolves, false when that took longer than `budgetMs`. */
  wait(budgetMs: number, exited: Promise<void>): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    let cancelCheck = () => {};
    const check = () => {
      cancelCheck();
      if (this.#rows.inFlight(this.#row) === 0) this.#askStats();
      else cancelCheck = this.#clock.after(timings.drainCheckMs, check);
    };
    this.#check = check;
    this.#answered = (streams) => {
      if (streams === 0 && this.#rows.inFlight(this.#row) === 0) resolve(true);
    };
    let cancelDeadline = () => {};
    this.#hasten = (leftMs) => {
      cancelDeadline();
      cancelDeadline = this.#clock.after(Math.min(Math.max(0, leftMs), LONGEST_MS), () => resolve(false));
    };
    this.#hasten(budgetMs);
    void exited.then(() => resolve(true));
    check();
    return promise.finally(() => {
      cancelCheck();
      cancelDeadline();
      this.#check = undefined;
      this.#answered = undefined;
      this.#hasten = undefined;
    });
  }
}

/**
 * Waits until every gateway has given back its slots of a row whose instance is gone, `budgetMs` at most: a slot given back after the
 * row has a new owner would be taken off the wrong count.
 */
export function slotsReturned(clock: Clock, rows: Rows, row: number, budgetMs: number): Promise<void> {
  const deadline = clock.now() + budgetMs;
  return new Promise((resolve) => {
    const check = () => {
      if (rows.inFlight(row) === 0 || clock.now() >= deadline) resolve();
      else clock.after(timings.drainCheckMs, check);
    };
    check();
  });
}

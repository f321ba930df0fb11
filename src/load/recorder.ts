/** Counts what happens in one generator process, and hands it on once a second. Its memory does not grow with time. */

import { Book, type Outcome } from "./book.ts";
import { Histogram } from "./histogram.ts";
import type { Tick } from "./messages.ts";

/** Figures that are what they are at a moment. */
export interface Gauges {
  readonly connections: number;
  readonly inFlight: number;
  readonly users: number;
}

export class Recorder {
  bytesIn = 0;
  bytesOut = 0;
  /** Until when requests are begun, as a moment of `performance.now()`; what ends later does not belong to the rate. */
  endsAt = Number.POSITIVE_INFINITY;
  #opened = 0;
  #inTime = 0;
  #warmUntil = 0;
  readonly #connect = new Histogram();
  readonly #warmupMs: number;
  /** What was due in the warm-up, and all else. */
  readonly #warm: Book;
  readonly #measured: Book;
  #cpu = process.cpuUsage();
  #tickAtS = 0;

  /** @param warmupMs what is due before it has passed is in no total */
  constructor(names: readonly string[], warmupMs = 0) {
    this.#warmupMs = warmupMs;
    this.#warm = new Book(names);
    this.#measured = new Book(names);
  }

  /** The run begins. @param at moment of `performance.now()` */
  begin(at: number): void {
    this.#warmUntil = at + this.#warmupMs;
  }

  /**
   * Where a request is entered. When it ended does not matter: a request that the warm-up left in flight would bring its waiting
   * into the figures of those that came after it. @param dueAt moment of `performance.now()`
   */
  book(dueAt: number): Book {
    return dueAt < this.#warmUntil ? this.#warm : this.#measured;
  }

  connected(ms: number): void {
    this.#opened++;
    this.#connect.record(ms * 1_000);
  }

  /** @param book where the request was entered when it was begun */
  ended(outcome: Outcome, book: Book): void {
    book.ended(outcome);
    // A rate is that of a span of time: what the warm-up left belongs to it, what is worked off afterwards does not.
    const { failure, endedAt } = outcome;
    if (failure === null && endedAt >= this.#warmUntil && endedAt <= this.endsAt) this.#inTime++;
  }

  /** Everything since the last ticks, one for the warm-up and one for the rest where there is such; counting begins anew. */
  ticks(atS: number, gauges: Gauges): readonly Tick[] {
    // Timers are late by a little.
    const warmup = Math.max(1, Math.round(atS)) * 1_000 <= this.#warmupMs;
    const spanS = atS - this.#tickAtS;
    this.#tickAtS = atS;
    const common = { type: "tick", atS, spanS, ...gauges, checks: {} } as const;
    const process = this.#takeProcess();
    // What is due already after a warm-up that ends in this moment waits for the next tick.
    if (warmup) return [{ ...common, ...process, warmup, ...this.#warm.take() }];
    const measured = { ...common, ...process, warmup, ...this.#measured.take() };
    if (this.#warm.empty) return [measured];
    // The time is told once.
    const nothing = { spanS: 0, bytesIn: 0, bytesOut: 0, opened: 0, inTime: 0, connect: NOTHING, cpuUs: 0 };
    return [{ ...measured, ...nothing, warmup: true, ...this.#warm.take() }, measured];
  }

  /** What belongs to no request, or to the time in which it happened. */
  #takeProcess() {
    const cpu = process.cpuUsage(this.#cpu);
    const taken = {
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      opened: this.#opened,
      inTime: this.#inTime,
      connect: this.#connect.take(true),
      cpuUs: cpu.user + cpu.system,
      memoryBytes: process.memoryUsage.rss(),
    };
    this.bytesIn = 0;
    this.bytesOut = 0;
    this.#opened = 0;
    this.#inTime = 0;
    this.#cpu = process.cpuUsage();
    return taken;
  }
}

const NOTHING = { counts: [], sumUs: 0, minUs: 0, maxUs: 0 };

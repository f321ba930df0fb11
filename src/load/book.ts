/** What is counted of requests, by when they were due: a recorder keeps one book for the warm-up and one for the rest. */

import { Histogram } from "./histogram.ts";
import type { Failure, RequestTick, Tick } from "./messages.ts";

/** An arrival begun this much after it was due is late: the generator's own fault. */
export const LATE_MS = 10;

/** How one request ended. Moments are those of `performance.now()`. */
export interface Outcome {
  readonly name: string;
  readonly intendedAt: number;
  /** 0: it was never sent. */
  readonly sentAt: number;
  readonly firstByteAt: number;
  readonly endedAt: number;
  /** 0: no answer. */
  readonly status: number;
  readonly failure: Failure | null;
}

interface Named {
  done: number;
  failed: number;
  readonly response: Histogram;
}

/** The part of a tick that a book fills. */
export type Entries = Pick<
  Tick,
  | "planned"
  | "started"
  | "done"
  | "failed"
  | "late"
  | "blocked"
  | "dropped"
  | "resent"
  | "statuses"
  | "failures"
  | "response"
  | "passed"
  | "service"
  | "firstByte"
  | "lateness"
  | "requests"
>;

export class Book {
  planned = 0;
  started = 0;
  blocked = 0;
  dropped = 0;
  resent = 0;
  #late = 0;
  #done = 0;
  #failed = 0;
  #statuses = new Map<number, number>();
  #failures = new Map<Failure, number>();
  readonly #response = new Histogram();
  readonly #passed = new Histogram();
  readonly #service = new Histogram();
  readonly #firstByte = new Histogram();
  readonly #lateness = new Histogram();
  /** Null: there is one kind of request, and the totals say it all. */
  readonly #named: Map<string, Named> | null;

  constructor(names: readonly string[]) {
    const named = () => ({ done: 0, failed: 0, response: new Histogram() });
    this.#named = names.length < 2 ? null : new Map(names.map((name) => [name, named()]));
  }

  get empty(): boolean {
    return this.planned + this.started + this.blocked + this.dropped + this.resent + this.#done === 0;
  }

  /** An arrival was begun. @param lateMs after it was due */
  arrived(lateMs: number): void {
    this.planned++;
    this.#lateness.record(lateMs * 1_000);
    if (lateMs > LATE_MS) this.#late++;
  }

  ended(outcome: Outcome): void {
    const { endedAt, sentAt, failure } = outcome;
    const us = (endedAt - outcome.intendedAt) * 1_000;
    this.#done++;
    if (outcome.status !== 0) {
      this.#statuses.set(outcome.status, (this.#statuses.get(outcome.status) ?? 0) + 1);
      this.#service.record((endedAt - sentAt) * 1_000);
      this.#firstByte.record((outcome.firstByteAt - sentAt) * 1_000);
    }
    // What was cut or refused has no time to tell; a timeout has: leaving it out would make slow look fast.
    const counts = outcome.status !== 0 || failure === "timeout";
    if (counts) this.#response.record(us);
    if (failure === null) this.#passed.record(us);
    else this.#fail(failure);
    const named = this.#named?.get(outcome.name);
    if (named === undefined) return;
    named.done++;
    if (failure !== null) named.failed++;
    if (counts) named.response.record(us);
  }

  #fail(failure: Failure): void {
    this.#failed++;
    this.#failures.set(failure, (this.#failures.get(failure) ?? 0) + 1);
  }

  /** All that was entered; the book begins anew. */
  take(): Entries {
    const entries: Entries = {
      planned: this.planned,
      started: this.started,
      done: this.#done,
      failed: this.#failed,
      late: this.#late,
      blocked: this.blocked,
      dropped: this.dropped,
      resent: this.resent,
      statuses: Object.fromEntries(this.#statuses),
      failures: Object.fromEntries(this.#failures),
      response: this.#response.take(true),
      passed: this.#passed.take(true),
      service: this.#service.take(true),
      firstByte: this.#firstByte.take(true),
      lateness: this.#lateness.take(true),
      requests: this.#takeNamed(),
    };
    this.planned = 0;
    this.started = 0;
    this.blocked = 0;
    this.dropped = 0;
    this.resent = 0;
    this.#late = 0;
    this.#done = 0;
    this.#failed = 0;
    this.#statuses = new Map();
    this.#failures = new Map();
    return entries;
  }

  #takeNamed(): Record<string, RequestTick> {
    const ticks: Record<string, RequestTick> = {};
    for (const [name, named] of this.#named ?? []) {
      ticks[name] = { done: named.done, failed: named.failed, response: named.response.take(true) };
      named.done = 0;
      named.failed = 0;
    }
    return ticks;
  }
}

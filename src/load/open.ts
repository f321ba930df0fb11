/**
 * The open loop: requests begin when the schedule says, on a connection that is free, else on a new one. A service that is slow
 * gets more of them in flight, as it would from people.
 */

import { Arrivals } from "./arrivals.ts";
import { Driver } from "./driver.ts";
import type { Link } from "./link.ts";
import type { OpenPlan } from "./plan.ts";
import { Random } from "./random.ts";
import type { Recorder } from "./recorder.ts";
import { Waiting } from "./waiting.ts";

/**
 * Timers tick in milliseconds: what is begun within this of its moment is on time, and its latency counts from when it was begun.
 * Otherwise a service that answers in 200 µs would seem to take one millisecond. Anything later counts from its moment.
 */
const ON_TIME_MS = 2;
/**
 * Connections being made at once. After a pause many arrivals are due together; were each to connect, the backlog of the server
 * would overflow, and the kernel's retry after one second would look like the service's doing.
 */
const CONNECTING = 256;
/** What is not begun this long after the end of the schedule is not begun at all: the rate was beyond the machine. */
const OVERTIME_MS = 1_000;
/** More waiting than this in one process are not begun at all: its memory has an end. */
const MOST_WAITING = 100_000;
/** After this much of beginning requests, answers have their turn. */
const TURN_MS = 4;

export class OpenDriver extends Driver {
  readonly #plan: OpenPlan;
  readonly #arrivals: Arrivals;
  /** Idle links by origin; the last used is taken first, so that few are used. */
  readonly #idle: Link[][];
  /** Requests for which no connection may be opened, by origin. */
  readonly #waiting: readonly Waiting[];
  /** Of the schedule. */
  #endsAt = 0;
  #next: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(plan: OpenPlan, recorder: Recorder) {
    super(plan, recorder);
    this.#plan = plan;
    const random = plan.poisson ? new Random(plan.seed * 7_919 + plan.part.index) : null;
    this.#arrivals = new Arrivals(plan.stages, plan.part, random);
    this.#next = this.#arrivals.take();
    this.#idle = plan.origins.map(() => []);
    this.#waiting = plan.origins.map(() => new Waiting());
  }

  protected begin(): void {
    this.#endsAt = this.startedAt + this.#plan.stages.at(-1)!.atMs;
    this.recorder.endsAt = this.#endsAt;
    this.#turn();
  }

  protected stopBeginning(): void {
    clearTimeout(this.#timer);
    this.#next = Number.POSITIVE_INFINITY;
  }

  protected more(): boolean {
    return this.#next !== Number.POSITIVE_INFINITY;
  }

  protected free(link: Link): void {
    const exchange = this.#waiting[link.origin]!.take();
    if (exchange !== undefined) link.send(exchange);
    else this.#idle[link.origin]!.push(link);
  }

  protected lost(link: Link): void {
    const idle = this.#idle[link.origin]!;
    const at = idle.indexOf(link);
    if (at !== -1) idle.splice(at, 1);
    this.#connectWaiting();
  }

  protected override abandon(): void {
    for (const waiting of this.#waiting) {
      for (let exchange = waiting.take(); exchange !== undefined; exchange = waiting.take())
        this.drop(exchange, "unfinished");
    }
  }

  #turn(): void {
    const began = performance.now();
    let now = began;
    if (now > this.#endsAt + OVERTIME_MS) this.#skipRest(now);
    while (this.startedAt + this.#next <= now) {
      // Late beginners make the time in which requests are begun longer.
      this.recorder.endsAt = Math.max(this.recorder.endsAt, now);
      this.#arrive(this.startedAt + this.#next, now);
      this.#next = this.#arrivals.take();
      now = performance.now();
      if (now - began > TURN_MS) break;
    }
    if (this.#next === Number.POSITIVE_INFINITY) {
      this.settle();
      return;
    }
    const delay = this.startedAt + this.#next - now;
    this.#timer = setTimeout(() => this.#turn(), Math.max(0, Math.floor(delay)));
  }

  #skipRest(now: number): void {
    for (; this.#next !== Number.POSITIVE_INFINITY; this.#next = this.#arrivals.take()) {
      const dueAt = this.startedAt + this.#next;
      this.recorder.book(dueAt).arrived(now - dueAt);
    }
  }

  #arrive(dueAt: number, now: number): void {
    const late = now - dueAt;
    const book = this.recorder.book(dueAt);
    book.arrived(late);
    const request = this.mix.draw(this.random);
    const { origin } = request;
    const waiting = this.#waiting[origin]!;
    if (waiting.length >= MOST_WAITING) {
      book.dropped++;
      return;
    }
    const exchange = this.exchange(request, dueAt, late <= ON_TIME_MS ? now : dueAt);
    const link = this.#idle[origin]!.pop();
    if (link !== undefined) link.send(exchange);
    else if (this.#mayConnect()) this.connect(origin, exchange);
    else {
      if (this.links.size >= this.#plan.maxConnections) book.blocked++;
      waiting.push(exchange);
    }
  }

  override ready(link: Link, connectMs: number): void {
    super.ready(link, connectMs);
    this.#connectWaiting();
  }

  #mayConnect(): boolean {
    return this.connecting < CONNECTING && this.links.size < this.#plan.maxConnections;
  }

  /** There may be room for one more. */
  #connectWaiting(): void {
    if (!this.#mayConnect()) return;
    for (const [origin, waiting] of this.#waiting.entries()) {
      const exchange = waiting.take();
      if (exchange === undefined) continue;
      this.connect(origin, exchange);
      return;
    }
  }
}

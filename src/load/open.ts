/**
 * The open loop: requests begin when the schedule says, on a connection that is free, else on a new one. A service that is slow
 * gets more of them in flight, as it would from people.
 */

import { Arrivals } from "./arrivals.ts";
import { Driver } from "./driver.ts";
import type { Exchange, Link } from "./link.ts";
import type { OpenPlan } from "./plan.ts";
import { Random } from "./random.ts";
import type { Recorder } from "./recorder.ts";

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
/** After this much of beginning requests, answers have their turn. */
const TURN_MS = 4;

export class OpenDriver extends Driver {
  readonly #plan: OpenPlan;
  readonly #arrivals: Arrivals;
  /** Idle links by origin; the last used is taken first, so that few are used. */
  readonly #idle: Link[][];
  /** Requests for which no connection may be opened, oldest first; some may have ended meanwhile. */
  readonly #waiting: Exchange[] = [];
  #waitingFrom = 0;
  #next: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(plan: OpenPlan, recorder: Recorder) {
    super(plan, recorder);
    this.#plan = plan;
    const random = plan.poisson ? new Random(plan.seed * 7_919 + plan.part.index) : null;
    this.#arrivals = new Arrivals(plan.stages, plan.part, random);
    this.#next = this.#arrivals.take();
    this.#idle = plan.origins.map(() => []);
  }

  protected begin(): void {
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
    const exchange = this.#takeWaiting(link.origin);
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
    for (const exchange of this.#waiting.splice(0).slice(this.#waitingFrom)) {
      if (exchange.dueIn !== null && exchange.link === null) this.drop(exchange, "unfinished");
    }
    this.#waitingFrom = 0;
  }

  #turn(): void {
    const began = performance.now();
    let now = began;
    if (now > this.startedAt + this.#plan.stages.at(-1)!.atMs + OVERTIME_MS) this.#skipRest(now);
    while (this.startedAt + this.#next <= now) {
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
      this.recorder.planned++;
      this.recorder.arrived(now - this.startedAt - this.#next);
    }
  }

  #arrive(dueAt: number, now: number): void {
    const late = now - dueAt;
    this.recorder.planned++;
    this.recorder.arrived(late);
    const exchange = this.exchange(late <= ON_TIME_MS ? now : dueAt);
    const { origin } = exchange.request;
    const link = this.#idle[origin]!.pop();
    if (link !== undefined) link.send(exchange);
    else if (this.#mayConnect()) this.connect(origin, exchange);
    else {
      if (this.links.size >= this.#plan.maxConnections) this.recorder.blocked++;
      this.#waiting.push(exchange);
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
    if (this.#waiting.length === 0 || !this.#mayConnect()) return;
    for (let origin = 0; origin < this.#idle.length; origin++) {
      const exchange = this.#takeWaiting(origin);
      if (exchange === undefined) continue;
      this.connect(origin, exchange);
      return;
    }
  }

  /** The request that has waited longest for this origin. Those that timed out meanwhile are passed over. */
  #takeWaiting(origin: number): Exchange | undefined {
    const waiting = this.#waiting;
    while (this.#waitingFrom < waiting.length && waiting[this.#waitingFrom]!.dueIn === null)
      this.#waitingFrom++;
    const at = waiting.findIndex((exchange, index) => index >= this.#waitingFrom && wants(exchange, origin));
    if (at === -1) {
      if (this.#waitingFrom === waiting.length && waiting.length > 0) {
        waiting.length = 0;
        this.#waitingFrom = 0;
      }
      return undefined;
    }
    const exchange = waiting[at]!;
    if (at === this.#waitingFrom) this.#waitingFrom++;
    else waiting.splice(at, 1);
    if (this.#waitingFrom > 1_024) {
      waiting.splice(0, this.#waitingFrom);
      this.#waitingFrom = 0;
    }
    return exchange;
  }
}

function wants(exchange: Exchange, origin: number): boolean {
  return exchange.dueIn !== null && exchange.link === null && exchange.request.origin === origin;
}

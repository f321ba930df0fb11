/**
 * Many connections at once.
 *
 * ```
 *   opening ──all are open or failed──▶ holding ──time over──▶ closing ──▶ done
 *   (each makes a request)        (a rate over them)   (each makes another, then is closed)
 * ```
 * The request at the end shows that what was held still worked.
 */

import { Arrivals, constantRate } from "./arrivals.ts";
import { Driver } from "./driver.ts";
import type { Exchange, Link } from "./link.ts";
import type { Failure } from "./messages.ts";
import type { HoldPlan } from "./plan.ts";
import type { Recorder } from "./recorder.ts";

type Phase = "opening" | "holding" | "closing";

/** Connections being made at once. */
const CONNECTING = 256;
const TURN_MS = 10;

export class HoldDriver extends Driver {
  readonly #plan: HoldPlan;
  #phase: Phase = "opening";
  #toOpen: number;
  /** Moment at which the next may be opened or closed, in ms since the phase began. */
  #phaseAt = 0;
  #moved = 0;
  /** Connections that are idle and held, in turns. */
  #held: Link[] = [];
  #toClose: Link[] = [];
  readonly #closing = new Set<Link>();
  #arrivals: Arrivals | null = null;
  #next = Number.POSITIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #over = false;

  constructor(plan: HoldPlan, recorder: Recorder) {
    super(plan, recorder);
    this.#plan = plan;
    this.#toOpen = plan.connections;
  }

  protected begin(): void {
    this.#phaseAt = performance.now();
    this.#open();
  }

  protected stopBeginning(): void {
    clearTimeout(this.#timer);
    this.#over = true;
  }

  protected more(): boolean {
    return !this.#over;
  }

  protected free(link: Link): void {
    if (this.#closing.delete(link)) {
      link.close();
      return;
    }
    this.#held.push(link);
    this.#look();
  }

  protected lost(link: Link, failure: Failure | null): void {
    this.#closing.delete(link);
    const at = this.#held.indexOf(link);
    if (at !== -1) this.#held.splice(at, 1);
    // It was held and should still be there.
    if (at !== -1 && this.#phase !== "closing" && failure === null && !this.#over) {
      this.drop(this.#request(), "closed");
    }
    this.#look();
  }

  /** One that is due now. */
  #request(): Exchange {
    const now = performance.now();
    this.recorder.book(now).planned++;
    return this.exchange(this.mix.draw(this.random), now);
  }

  /** As many as the pace allows. */
  #allowed(): number {
    const due = Math.floor(((performance.now() - this.#phaseAt) * this.#plan.openPerS) / 1_000) + 1;
    return due - this.#moved;
  }

  #open(): void {
    for (let n = this.#allowed(); n > 0 && this.#toOpen > 0 && this.connecting < CONNECTING; n--) {
      this.#toOpen--;
      this.#moved++;
      const exchange = this.#request();
      this.connect(exchange.request.origin, exchange);
    }
    if (this.#toOpen > 0) this.#timer = setTimeout(() => this.#open(), TURN_MS);
  }

  /** Whether the phase is over. */
  #look(): void {
    if (this.#phase === "opening" && this.#toOpen === 0 && this.inFlight === 0) this.#hold();
    else if (this.#phase === "closing" && this.#toClose.length === 0 && this.links.size === 0)
      this.#over = true;
  }

  #hold(): void {
    this.#phase = "holding";
    this.#phaseAt = performance.now();
    const { rate, holdMs, part } = this.#plan;
    if (rate > 0) {
      this.#arrivals = new Arrivals(constantRate(rate, holdMs), part, null);
      this.#next = this.#arrivals.take();
    }
    this.#ask();
  }

  /** Requests over what is held, until the time is over. */
  #ask(): void {
    const now = performance.now();
    while (this.#phaseAt + this.#next <= now) {
      const dueAt = this.#phaseAt + this.#next;
      this.#next = this.#arrivals?.take() ?? Number.POSITIVE_INFINITY;
      const book = this.recorder.book(dueAt);
      book.arrived(now - dueAt);
      const link = this.#held.shift();
      if (link === undefined) {
        book.blocked++;
        this.drop(this.exchange(this.mix.draw(this.random), dueAt), "unfinished");
      } else link.send(this.exchange(this.mix.draw(this.random), dueAt));
    }
    const end = this.#phaseAt + this.#plan.holdMs;
    if (now >= end) this.#close();
    else
      this.#timer = setTimeout(
        () => this.#ask(),
        Math.max(0, Math.min(end, this.#phaseAt + this.#next) - now),
      );
  }

  #close(): void {
    this.#phase = "closing";
    this.#phaseAt = performance.now();
    this.#moved = 0;
    this.#toClose = [...this.links];
    this.#closeMore();
  }

  #closeMore(): void {
    for (let n = this.#allowed(); n > 0 && this.#toClose.length > 0; n--) {
      const link = this.#toClose.pop()!;
      this.#moved++;
      if (link.state === "gone") continue;
      this.#closing.add(link);
      // A busy one is closed when its answer is there.
      if (link.state !== "idle") continue;
      const at = this.#held.lastIndexOf(link);
      if (at !== -1) this.#held.splice(at, 1);
      link.send(this.#request());
    }
    if (this.#toClose.length > 0) this.#timer = setTimeout(() => this.#closeMore(), TURN_MS);
    else this.#look();
  }
}

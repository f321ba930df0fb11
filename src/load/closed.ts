/**
 * The closed loop: so many users, each begins the next request when the last was answered. A service that is slow is asked less,
 * so its latency leaves out the waiting of users who would have come anyway.
 */

import { Driver } from "./driver.ts";
import type { Link } from "./link.ts";
import type { Failure } from "./messages.ts";
import type { ClosedPlan } from "./plan.ts";
import type { Recorder } from "./recorder.ts";

/** Connections being made at once: more would overflow the backlog of a server that is new to them. */
const CONNECTING = 128;
/** Before a user whose connection failed tries again. */
const AGAIN_MS = 50;

export class ClosedDriver extends Driver {
  readonly #plan: ClosedPlan;
  readonly #idle: Link[][];
  #begun = 0;
  /** Users without a request in flight. */
  #resting: number;
  #over = false;

  constructor(plan: ClosedPlan, recorder: Recorder) {
    super(plan, recorder);
    this.#plan = plan;
    this.#resting = plan.connections;
    this.#idle = plan.origins.map(() => []);
  }

  protected begin(): void {
    const { durationMs } = this.#plan;
    if (durationMs !== null) this.recorder.endsAt = this.startedAt + durationMs;
    if (durationMs !== null) setTimeout(() => this.finish(this.plan.timeoutMs), durationMs).unref();
    this.#beginMore();
  }

  protected stopBeginning(): void {
    this.#over = true;
  }

  protected more(): boolean {
    return !this.#over && (this.#plan.requestLimit === null || this.#begun < this.#plan.requestLimit);
  }

  protected free(link: Link): void {
    this.#idle[link.origin]!.push(link);
    this.#resting++;
    this.#beginMore();
  }

  override ready(link: Link, connectMs: number): void {
    super.ready(link, connectMs);
    this.#beginMore();
  }

  protected lost(link: Link, failure: Failure | null): void {
    const idle = this.#idle[link.origin]!;
    const at = idle.indexOf(link);
    // An idle connection that the other side closed belonged to nobody.
    if (at !== -1) {
      idle.splice(at, 1);
      return;
    }
    this.#resting++;
    if (failure === null) this.#beginMore();
    else setTimeout(() => this.#beginMore(), AGAIN_MS);
  }

  #beginMore(): void {
    while (this.#resting > 0 && this.connecting < CONNECTING && this.more()) {
      this.#begun++;
      this.#resting--;
      const now = performance.now();
      this.recorder.book(now).planned++;
      const exchange = this.exchange(this.mix.draw(this.random), now);
      const { origin } = exchange.request;
      const link = this.#idle[origin]!.pop();
      if (link === undefined) this.connect(origin, exchange);
      else link.send(exchange);
    }
  }
}

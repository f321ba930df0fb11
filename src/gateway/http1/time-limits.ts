/** When a connection's time is over. Times are those of the coarse ticker: a limit is kept to within a quarter of the shortest one. */
import type { HttpLimits } from "../settings.ts";
import type { Ticker } from "../ticker.ts";
import type { Transport } from "../transport.ts";
import type { Exchange } from "./exchange.ts";
import { Phase, State } from "./states.ts";

/**
 * A FIN this soon after the request, in milliseconds, is taken for "I have sent everything"; a later one for "I am
 * leaving", which looks the same on the wire.
 */
const WITH_REQUEST = 1000;
/** How long a client that has sent FIN may wait for its answer before it is asked whether it is still there. */
const PROBE_AFTER = 300;
const PROBE_AGAIN = 5000;

/** The clocks of one connection. */
export class TimeLimits {
  /** When the state was entered. */
  private since: number;
  /** When the client last sent something. */
  private progressAt: number;
  private endedAt = 0;
  private probedAt = 0;
  private stalledAt = 0;
  private takenThen = -1;

  constructor(
    private readonly limits: HttpLimits,
    private readonly ticker: Ticker,
  ) {
    this.since = this.progressAt = ticker.now;
  }

  restart(): void {
    this.since = this.progressAt = this.ticker.now;
  }

  progress(): void {
    this.progressAt = this.ticker.now;
  }

  clientEnded(): void {
    this.endedAt = this.ticker.now;
    this.probedAt = 0;
  }

  /** Whether the FIN came with the request rather than while it was being answered. */
  get endedWithRequest(): boolean {
    return this.endedAt - this.since < WITH_REQUEST;
  }

  /** Whether it is time to ask a client that has sent FIN whether it is still there. */
  probeDue(now: number): boolean {
    const due =
      this.probedAt === 0
        ? !this.endedWithRequest || now - this.endedAt >= PROBE_AFTER
        : now - this.probedAt >= PROBE_AGAIN;
    if (due) this.probedAt = now;
    return due;
  }

  /** Whether the client has not taken a byte of what is queued for too long. */
  sendingStalled(transport: Transport, now: number): boolean {
    const limit = this.limits.sendTimeoutMs;
    if (limit === 0 || transport.queued === 0) {
      this.takenThen = -1;
      return false;
    }
    if (transport.taken !== this.takenThen) {
      this.takenThen = transport.taken;
      this.stalledAt = now;
      return false;
    }
    return now - this.stalledAt >= limit;
  }

  /** Whether the time that `state` allows is over. */
  over(state: number, exchange: Exchange | null, now: number): boolean {
    switch (state) {
      case State.IDLE:
        return past(now - this.since, this.limits.idleTimeoutMs);
      case State.HEAD:
        return past(now - this.since, this.limits.headerTimeoutMs);
      case State.BODY:
        // As long as the app asks for nothing, it is not the client who is slow.
        return (
          exchange !== null && exchange.granted > 0 && past(now - this.progressAt, this.limits.bodyTimeoutMs)
        );
      case State.DISCARDING:
        return past(now - this.progressAt, this.limits.bodyTimeoutMs);
      default:
        return false;
    }
  }
}

function past(elapsed: number, limit: number): boolean {
  return limit > 0 && elapsed >= limit;
}

/**
 * What to do about a client that has sent FIN and still has no answer. A client that has only finished sending must get
 * its answer; one that has closed must not hold a slot. An interim response tells them apart: a closed socket
 * answers it with a reset. Where HTTP has no room for one (HTTP/1.0, a response that has begun) the time of the FIN decides.
 */
export function probe(exchange: Exchange, limits: TimeLimits, now: number): "wait" | "ask" | "gone" {
  if (exchange.phase >= Phase.ENDED) return "wait";
  if (exchange.answerable && exchange.head.version === 11) return limits.probeDue(now) ? "ask" : "wait";
  return limits.endedWithRequest ? "wait" : "gone";
}

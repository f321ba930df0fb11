/** What to do about a quiet connection. */
export type PingAdvice = "nothing" | "ping" | "give-up";

/**
 * Decides when to ping a client and when to give it up. Pure: times are arguments, in milliseconds on one clock.
 *
 * ```
 *  quiet ──interval──▶ waiting for a pong ──timeout without a byte either way──▶ give up
 *    ▲                        │
 *    └──────── pong ──────────┘
 * ```
 */
export class PingWatch {
  readonly #intervalMs: number;
  readonly #timeoutMs: number;
  #aliveAt: number;
  #pingAt: number;
  #waits = false;

  /** @param intervalMs between pings, 0 for none; `timeoutMs` - for the pong, 0 for ever */
  constructor(intervalMs: number, timeoutMs: number, now: number) {
    this.#intervalMs = intervalMs;
    this.#timeoutMs = timeoutMs;
    this.#aliveAt = now;
    this.#pingAt = now;
  }

  /** Bytes came from the client, or it took some: a sign of life while a pong may be stuck behind a large frame. */
  alive(now: number): void {
    this.#aliveAt = now;
  }

  pong(): void {
    this.#waits = false;
  }

  /**
   * Says what to do now; after "ping" a ping counts as sent. `deaf`: we do not read at the moment. Then a pong may be waiting for us and
   * the client is not to blame, but it is still pinged: a client that is gone answers with a reset, which is all we can hear.
   */
  look(now: number, deaf: boolean): PingAdvice {
    if (this.#intervalMs === 0) return "nothing";
    if (deaf) this.#aliveAt = now;
    if (this.#waits && this.#timeoutMs > 0 && !deaf) {
      return now - Math.max(this.#pingAt, this.#aliveAt) >= this.#timeoutMs ? "give-up" : "nothing";
    }
    if (now - this.#pingAt < this.#intervalMs) return "nothing";
    this.#pingAt = now;
    this.#waits = true;
    return "ping";
  }
}

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

  /** We do not read: a pong may be waiting for us, so the client is not to blame. */
  deaf(now: number): void {
    this.#pingAt = now;
    this.#waits = false;
  }

  /** After "ping" a ping counts as sent. */
  look(now: number): PingAdvice {
    if (this.#intervalMs === 0) return "nothing";
    if (this.#waits && this.#timeoutMs > 0) {
      return now - Math.max(this.#pingAt, this.#aliveAt) >= this.#timeoutMs ? "give-up" : "nothing";
    }
    if (now - this.#pingAt < this.#intervalMs) return "nothing";
    this.#pingAt = now;
    this.#waits = true;
    return "ping";
  }
}

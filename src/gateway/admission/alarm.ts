/**
 * Tells the platform that requests wait or are refused, so that instances start at once: the first time immediately, while more
 * come no more often than every few milliseconds, and once after the last of them.
 *
 * ```
 *   quiet ──a request──▶ told ──gap over──▶ quiet
 *                          │ ▲
 *              a request   ▼ │ gap over: told again
 *                         owed
 * ```
 */

import type { Clock } from "../../base/clock.ts";

/** A start takes longer than this; telling more often would start nothing earlier. */
export const ALARM_GAP_MS = 5;

export class LineAlarm {
  readonly #clock: Clock;
  readonly #tell: (since: number) => void;
  #toldAt = Number.NEGATIVE_INFINITY;
  /** When the first request came that was not told of; null when none is owed. */
  #owed: number | null = null;

  /** @param tell gets when the first of the requests came, as given to {@link raise} */
  constructor(clock: Clock, tell: (since: number) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** A request that came at `since` waits, or was refused. */
  raise(since: number): void {
    if (this.#owed !== null) return;
    const now = this.#clock.now();
    const gap = this.#toldAt + ALARM_GAP_MS - now;
    if (gap <= 0) {
      this.#toldAt = now;
      this.#tell(since);
      return;
    }
    this.#owed = since;
    this.#clock.after(gap, () => {
      const first = this.#owed!;
      this.#owed = null;
      this.#toldAt = this.#clock.now();
      this.#tell(first);
    });
  }
}

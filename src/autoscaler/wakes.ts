/** How long requests that found no instance waited for one: from the first of them to the first ready instance. */

/** Upper bounds in seconds. */
export const WAKE_BOUNDS_S: readonly number[] = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

export class Wakes {
  /** By bound, the last beyond all of them; not cumulative. */
  readonly counts = new Array<number>(WAKE_BOUNDS_S.length + 1).fill(0);
  sumS = 0;
  #since: number | null = null;

  /** Requests wait and no instance is ready; the first of them since then. Whoever is first counts. */
  waited(since: number): void {
    this.#since ??= since;
  }

  /** An instance is ready. */
  ready(now: number): void {
    if (this.#since === null) return;
    const seconds = Math.max(0, now - this.#since) / 1_000;
    this.#since = null;
    const at = WAKE_BOUNDS_S.findIndex((bound) => seconds <= bound);
    this.counts[at === -1 ? WAKE_BOUNDS_S.length : at]!++;
    this.sumS += seconds;
  }

  /** Wakes so far. */
  get total(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }
}

/** Pure: how long a refused client should stay away. */

const LEAST_S = 1;
const MOST_S = 120;

/**
 * Whole seconds until the line that stands now has been worked off.
 * @param waiting requests in the line
 * @param drainRate requests that the service finishes per second; 0 when none were lately
 */
export function retryAfterSeconds(waiting: number, drainRate: number): number {
  if (drainRate <= 0) return waiting === 0 ? LEAST_S : MOST_S;
  return Math.min(MOST_S, Math.max(LEAST_S, Math.ceil(waiting / drainRate)));
}

/** Measures a rate from a growing total, over at least a second and at most about ten. `now` is in milliseconds. */
export class DrainRate {
  #from: { at: number; total: number } | undefined;
  #latest: { at: number; total: number } | undefined;

  /** Notes the total finished at `now` and answers the rate per second so far. */
  observe(total: number, now: number): number {
    const from = this.#from;
    if (from === undefined || now - from.at > 20_000) {
      this.#from = { at: now, total };
      this.#latest = this.#from;
      return 0;
    }
    const rate = now > from.at ? ((total - from.total) * 1000) / (now - from.at) : 0;
    if (this.#latest !== undefined && now - this.#latest.at >= 5_000) {
      this.#from = this.#latest;
      this.#latest = { at: now, total };
    }
    return Math.max(0, rate);
  }
}

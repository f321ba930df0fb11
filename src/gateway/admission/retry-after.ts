/** Pure: how long a refused client should stay away. */

const LEAST_S = 1;
const MOST_S = 120;

/** A rate is not told from a shorter time than this. */
const LEAST_MEASURED_MS = 100;
const WINDOW_MS = 5_000;
const FORGET_MS = 20_000;

/**
 * Whole seconds until the line that stands now has been worked off.
 * @param waiting requests in the line
 * @param drainRate requests that the service finishes per second; undefined when that is not known yet
 */
export function retryAfterSeconds(waiting: number, drainRate: number | undefined): number {
  if (drainRate === undefined || waiting === 0) return LEAST_S;
  if (drainRate <= 0) return MOST_S;
  return Math.min(MOST_S, Math.max(LEAST_S, Math.ceil(waiting / drainRate)));
}

/** Measures a rate from a growing total, over the last five to ten seconds. `now` is in milliseconds. */
export class DrainRate {
  #from: { at: number; total: number } | undefined;
  #latest: { at: number; total: number } | undefined;

  /** Notes the total finished at `now`; answers the rate per second, undefined while there is nothing to tell it from. */
  observe(total: number, now: number): number | undefined {
    const from = this.#from;
    if (from === undefined || this.#latest === undefined || now - this.#latest.at > FORGET_MS) {
      this.#from = { at: now, total };
      this.#latest = this.#from;
      return undefined;
    }
    if (now - this.#latest.at >= WINDOW_MS) {
      this.#from = this.#latest;
      this.#latest = { at: now, total };
    }
    const elapsed = now - this.#from!.at;
    return elapsed < LEAST_MEASURED_MS
      ? undefined
      : Math.max(0, ((total - this.#from!.total) * 1000) / elapsed);
  }
}

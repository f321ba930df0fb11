/**
 * How long requests take, from the hand-over to the response's head: quantiles over the last few hundred, old ones fading. A
 * logarithmic histogram whose counts are halved when it is full, so that a service that changes its pace is followed.
 */

/** Bucket bounds grow by a fifth: a quantile is known to about a tenth. */
const GROWTH = 1.2;
const LEAST_MS = 0.05;
const BUCKETS = 120;
const FULL = 512;
/** Quantiles are worked out anew after so many. */
const EVERY = 32;
/** From fewer nothing is concluded. */
const FEWEST = 8;

const LOG_GROWTH = Math.log(GROWTH);

export class ServiceTime {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;
  #since = 0;
  #typical = 0;
  #slow = 0;

  /** @param ms of one request */
  observe(ms: number): void {
    const index = ms <= LEAST_MS ? 0 : Math.min(BUCKETS - 1, Math.ceil(Math.log(ms / LEAST_MS) / LOG_GROWTH));
    this.#counts[index]!++;
    this.#total++;
    if (this.#total >= FULL) {
      for (let i = 0; i < BUCKETS; i++) this.#counts[i]! /= 2;
      this.#total /= 2;
    }
    // At first each counts: the very first requests of a flood must not be judged by nothing.
    if (++this.#since >= EVERY || this.#total <= EVERY) {
      this.#since = 0;
      this.#typical = this.#quantile(0.5);
      this.#slow = this.#quantile(0.99);
    }
  }

  /** Median in milliseconds; 0 while there is too little to tell. */
  get typicalMs(): number {
    return this.#total < FEWEST ? 0 : this.#typical;
  }

  /**
   * What a request should be given, in milliseconds: the slowest of a hundred, but no more than twice the median, because where slow
   * and fast requests are mixed the slow ones say nothing about the next one.
   */
  get neededMs(): number {
    return this.#total < FEWEST ? 0 : Math.min(this.#slow, 2 * this.#typical);
  }

  #quantile(share: number): number {
    let rest = this.#total * share;
    for (let i = 0; i < BUCKETS; i++) {
      rest -= this.#counts[i]!;
      if (rest <= 0) return LEAST_MS * GROWTH ** i;
    }
    return LEAST_MS * GROWTH ** (BUCKETS - 1);
  }
}

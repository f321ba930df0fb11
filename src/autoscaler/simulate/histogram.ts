/** Waits in buckets that grow by two percent: a percentile is off by at most that. */

const GROWTH = Math.log(1.02);
const BUCKETS = 1_200;

export class Histogram {
  readonly #weights = new Float64Array(BUCKETS);
  #total = 0;
  #largest = 0;

  /** Puts a wait in. @param weight how many requests waited so long; a fluid has parts of them */
  add(ms: number, weight = 1): void {
    const bucket = ms <= 0 ? 0 : Math.min(BUCKETS - 1, 1 + Math.floor(Math.log1p(ms) / GROWTH));
    this.#weights[bucket]! += weight;
    this.#total += weight;
    if (ms > this.#largest) this.#largest = ms;
  }

  /** The wait that this share of the requests did not exceed; 0 when there were none. @param share 0 .. 1 */
  percentile(share: number): number {
    let left = this.#total * share;
    for (let bucket = 0; bucket < BUCKETS && this.#total > 0; bucket += 1) {
      left -= this.#weights[bucket]!;
      if (left <= this.#total * 1e-12) {
        return bucket === 0 ? 0 : Math.min(this.#largest, Math.expm1(bucket * GROWTH));
      }
    }
    return this.#largest;
  }

  get largest(): number {
    return this.#largest;
  }

  get total(): number {
    return this.#total;
  }

  clear(): void {
    this.#weights.fill(0);
    this.#total = 0;
    this.#largest = 0;
  }
}

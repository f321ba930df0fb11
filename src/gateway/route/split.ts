/**
 * Which revision of a service a request goes to. By weight, each revision gets its exact share of every run of as many requests as the
 * weights add up to, evenly mixed: nginx's smooth weighted round-robin. By key, the same key always gets the same revision while the
 * weights stay, and when they change only as many keys move as must.
 */

export interface Share<T> {
  readonly to: T;
  /** A whole number, 0 for none. */
  readonly weight: number;
}

export class Split<T> {
  readonly #to: readonly T[];
  readonly #weights: readonly number[];
  readonly #current: number[];
  readonly #total: number;

  /** @throws RangeError without any weight */
  constructor(shares: readonly Share<T>[]) {
    const some = shares.filter(({ weight }) => weight > 0);
    if (some.length === 0) throw new RangeError("a split needs a weight above 0");
    this.#to = some.map(({ to }) => to);
    this.#weights = some.map(({ weight }) => weight);
    this.#current = some.map(() => 0);
    this.#total = this.#weights.reduce((sum, weight) => sum + weight, 0);
  }

  /** The next one by weight. */
  next(): T {
    if (this.#to.length === 1) return this.#to[0]!;
    let best = 0;
    for (let i = 0; i < this.#weights.length; i++) {
      this.#current[i]! += this.#weights[i]!;
      if (this.#current[i]! > this.#current[best]!) best = i;
    }
    this.#current[best]! -= this.#total;
    return this.#to[best]!;
  }

  /** The one that a key belongs to. */
  of(key: string): T {
    if (this.#to.length === 1) return this.#to[0]!;
    let point = (hash(key) / 2 ** 32) * this.#total;
    for (let i = 0; i < this.#weights.length; i++) {
      point -= this.#weights[i]!;
      if (point < 0) return this.#to[i]!;
    }
    return this.#to.at(-1)!;
  }
}

/** FNV-1a, 32 bits, with the finaliser of MurmurHash3: short keys that differ in one character land far apart. */
export function hash(key: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

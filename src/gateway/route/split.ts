/**
 * Which revision of a service a request goes to. By weight, each revision gets its exact share of every run of as many requests as the
 * weights add up to, evenly mixed: nginx's smooth weighted round-robin, worked out once.
 *
 * By key, the same key always gets the same revision while the weights stay: weighted rendezvous hashing (Schindelhauer and Schomaker,
 * Weighted Distributed Hash Tables, 2005). Each revision draws a number for the key, -weight / ln u with u from 0 to 1, and the highest
 * one has it. When the weight of one rises, keys move to that one only, and no more than must.
 */

import { OwnTurns, type Turns } from "./turns.ts";

export interface Share<T> {
  readonly to: T;
  /** What keys know it by, whatever its weight. */
  readonly name: string;
  /** A whole number, 0 for none. */
  readonly weight: number;
}

export class Split<T> {
  readonly #to: readonly T[];
  readonly #weights: readonly number[];
  readonly #total: number;
  /** Of the names. */
  readonly #hashes: readonly number[];
  /** One round: who gets each of as many requests as the weights add up to. */
  readonly #round: readonly T[];
  readonly #turns: Turns;

  /**
   * @param turns counts the requests; gateways that share one share the rounds
   * @throws RangeError without any weight
   */
  constructor(shares: readonly Share<T>[], turns: Turns = new OwnTurns()) {
    const some = shares.filter(({ weight }) => weight > 0);
    if (some.length === 0) throw new RangeError("a split needs a weight above 0");
    this.#to = some.map(({ to }) => to);
    this.#weights = some.map(({ weight }) => weight);
    this.#hashes = some.map(({ name }) => hash(name));
    this.#total = this.#weights.reduce((sum, weight) => sum + weight, 0);
    this.#round = some.length === 1 ? [] : round(some, this.#total);
    this.#turns = turns;
  }

  /** The next one by weight. */
  next(): T {
    if (this.#to.length === 1) return this.#to[0]!;
    return this.#round[this.#turns.next() % this.#total]!;
  }

  /** Those that get requests, at least one. */
  get all(): readonly T[] {
    return this.#to;
  }

  /** The one that a key belongs to. */
  of(key: string): T {
    if (this.#to.length === 1) return this.#to[0]!;
    const own = hash(key);
    let [best, most] = [0, -1];
    for (let i = 0; i < this.#hashes.length; i++) {
      const drawn = (scattered(own ^ this.#hashes[i]!) + 0.5) / 2 ** 32;
      const score = -this.#weights[i]! / Math.log(drawn);
      if (score > most) [best, most] = [i, score];
    }
    return this.#to[best]!;
  }
}

function round<T>(shares: readonly Share<T>[], total: number): readonly T[] {
  const current = shares.map(() => 0);
  return Array.from({ length: total }, () => {
    let best = 0;
    for (const [i, { weight }] of shares.entries()) {
      current[i]! += weight;
      if (current[i]! > current[best]!) best = i;
    }
    current[best]! -= total;
    return shares[best]!.to;
  });
}

/** FNV-1a, 32 bits, with the finaliser of MurmurHash3: short keys that differ in one character land far apart. */
export function hash(key: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 0x01000193);
  return scattered(h);
}

/** MurmurHash3's finaliser: each bit of the one changes half of the other's. */
function scattered(bits: number): number {
  let h = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

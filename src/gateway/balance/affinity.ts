/**
 * Which instance a key belongs to. All gateway processes come to the same answer: it depends on the names of the instances and on the
 * slots in the shared table only.
 *
 * - {@link KeyAffinity}: consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam, 2016). With a balance factor c, no
 *   instance gets a key's request that has c times the average of requests in flight already: with m in flight on n instances the bound
 *   is ⌈c·(m+1)/n⌉. What would go beyond, and what finds the instance full, goes to the next one on the ring.
 * - {@link StickyAffinity}: the gateway itself gives each client a token of its instance, in a cookie.
 */

import type { Candidate } from "./policy.ts";
import { type Member, Ring } from "./ring.ts";

export type AffinitySettings =
  | {
      readonly kind: "key";
      readonly from: KeySource;
      /** c, above 1; 0: an instance is only passed over when it is full. */
      readonly balanceFactor: number;
    }
  | {
      readonly kind: "sticky";
      /** Name of the cookie. */
      readonly cookie: string;
      /** Of the revision, so that tokens tell nothing and outlive nothing. */
      readonly secret: string;
    };

/** Where a request's key stands. Names of headers in lower case. */
export interface KeySource {
  readonly by: "header" | "cookie" | "query";
  readonly name: string;
}

/** An instance, as affinity sees it. */
export interface Home extends Member, Candidate {}

/** Finds the instance for a key. */
export interface Affinity<H extends Home> {
  /** These are the instances now. */
  set(homes: readonly H[]): void;
  /** The instance to try; null when any will do, or none is free. */
  pick(key: string): H | null;
}

/** Up to so many instances, their requests are counted for each request. */
const COUNT_EACH = 64;

export class KeyAffinity<H extends Home> implements Affinity<H> {
  readonly #ring = new Ring<H>();
  readonly #factor: number;
  #homes: readonly H[] = [];
  /** Requests in flight when they were counted last, and how many requests may still go by that. */
  #load = 0;
  #uses = 0;

  constructor(balanceFactor: number) {
    this.#factor = balanceFactor;
  }

  set(homes: readonly H[]): void {
    this.#homes = homes;
    this.#uses = 0;
    this.#ring.set(homes);
  }

  pick(key: string): H | null {
    if (!this.#homes.some(hasRoom)) return null;
    const bound = this.#bound();
    return this.#ring.find(key, ({ inFlight, slots }) => inFlight < bound && inFlight < slots);
  }

  #bound(): number {
    const count = this.#homes.length;
    if (this.#factor === 0 || count === 0) return Number.POSITIVE_INFINITY;
    // Of many instances they are counted now and then: to count 1,000 for each request costs more than all the rest of placing it.
    if (--this.#uses <= 0) {
      this.#load = 0;
      for (const { inFlight } of this.#homes) this.#load += inFlight;
      this.#uses = Math.ceil(count / COUNT_EACH);
    }
    return loadBound(this.#factor, this.#load, count);
  }
}

function hasRoom({ inFlight, slots }: Candidate): boolean {
  return inFlight < slots;
}

/** ⌈c·(m+1)/n⌉ */
export function loadBound(factor: number, inFlight: number, instances: number): number {
  return Math.ceil((factor * (inFlight + 1)) / instances);
}

export class StickyAffinity<H extends Home> implements Affinity<H> {
  readonly #cookie: string;
  readonly #secret: string;
  #homes: ReadonlyMap<string, H> = new Map();
  #tokens: ReadonlyMap<string, string> = new Map();

  constructor({ cookie, secret }: Extract<AffinitySettings, { kind: "sticky" }>) {
    this.#cookie = cookie;
    this.#secret = secret;
  }

  set(homes: readonly H[]): void {
    const known = this.#tokens;
    this.#tokens = new Map(homes.map(({ id }) => [id, known.get(id) ?? tokenOf(id, this.#secret)]));
    this.#homes = new Map(homes.map((home) => [this.#tokens.get(home.id)!, home]));
  }

  pick(token: string): H | null {
    const home = this.#homes.get(token);
    return home !== undefined && hasRoom(home) ? home : null;
  }

  /** Whether a token is that of an instance that takes requests. */
  knows(token: string): boolean {
    return this.#homes.has(token);
  }

  /** The value of Set-Cookie for a client that `instance` has answered; empty when it keeps the token that it has. */
  setCookie(given: string, instance: string, secure: boolean): string {
    const token = this.#tokens.get(instance);
    if (token === undefined || this.#homes.has(given)) return "";
    return `${this.#cookie}=${token}; Path=/; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`;
  }
}

/** 128 bits of HMAC-SHA-256. */
function tokenOf(id: string, secret: string): string {
  return new Bun.CryptoHasher("sha256", secret).update(id).digest("hex").slice(0, 32);
}

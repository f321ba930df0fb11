/**
 * A ring for consistent hashing (Karger et al., 1997): each member stands at many points of a circle, a key belongs to the first member
 * from its own point on. When a member comes, the keys that move all go to it; when one goes, only its keys move.
 *
 * Where a member stands is a function of its name alone, so every process that knows the same members has the same ring.
 */

import { hash } from "../route/split.ts";

/** Points of one member. Its share of all keys is off by about a tenth then (1/√100). */
export const POINTS = 100;

/** A point and its member in one number, so that sorting is quick: 32 bits of point above 21 bits of seat. */
const SEATS = 2 ** 21;

export interface Member {
  readonly id: string;
}

export class Ring<M extends Member> {
  /** Sorted. */
  #points = new Float64Array(0);
  readonly #seats: (M | undefined)[] = [];
  readonly #seatOf = new Map<string, number>();

  /** Makes these the members. Costs a pass over the points, and a sort of those of members that are new. */
  set(members: readonly M[]): void {
    const ids = new Set(members.map(({ id }) => id));
    const gone = new Set<number>();
    for (const [id, seat] of this.#seatOf) {
      if (ids.has(id)) continue;
      gone.add(seat);
      this.#seatOf.delete(id);
      this.#seats[seat] = undefined;
    }
    const fresh: number[] = [];
    let free = 0;
    for (const member of members) {
      const seat = this.#seatOf.get(member.id);
      if (seat !== undefined) {
        this.#seats[seat] = member;
        continue;
      }
      // A seat that was given up in this call still has points that are about to go.
      while (this.#seats[free] !== undefined || gone.has(free)) free++;
      this.#seats[free] = member;
      this.#seatOf.set(member.id, free);
      for (let i = 0; i < POINTS; i++) fresh.push(hash(`${member.id}#${i}`) * SEATS + free);
    }
    if (gone.size > 0 || fresh.length > 0)
      this.#points = merged(this.#points, gone, Float64Array.from(fresh).sort());
  }

  /** The members from the key's point on, nearest first, each as often as it stands there; the first that `fits`. Null: none does. */
  find(key: string, fits: (member: M) => boolean): M | null {
    const points = this.#points;
    const size = points.length;
    let at = firstFrom(points, hash(key) * SEATS);
    for (let i = 0; i < size; i++, at++) {
      if (at === size) at = 0;
      const member = this.#seats[points[at]! % SEATS]!;
      if (fits(member)) return member;
    }
    return null;
  }
}

function merged(
  points: Float64Array,
  gone: ReadonlySet<number>,
  fresh: Float64Array,
): Float64Array<ArrayBuffer> {
  const out = new Float64Array(points.length - gone.size * POINTS + fresh.length);
  let at = 0;
  let next = 0;
  for (const point of points) {
    if (gone.size > 0 && gone.has(point % SEATS)) continue;
    while (next < fresh.length && fresh[next]! < point) out[at++] = fresh[next++]!;
    out[at++] = point;
  }
  while (next < fresh.length) out[at++] = fresh[next++]!;
  return out;
}

/** The index of the first that is not below `value`; the length when all are. */
function firstFrom(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

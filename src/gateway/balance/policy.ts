/** Which instance gets a request. A policy picks a candidate that looks free; taking the slot may still fail, then it is asked again. */

/** What a policy sees of an instance. */
export interface Candidate {
  /** Slots taken, over all gateways. */
  readonly inFlight: number;
  readonly slots: number;
}

/** The index of the instance to try, -1 when all are full. `turn` grows with every request, to break ties in rotation. */
export type Policy = (candidates: readonly Candidate[], turn: number) => number;

/** Up to so many instances are all looked at for each request. */
const LOOK_AT_ALL = 32;
/** Of more instances, so many. */
const LOOK_AT = 16;
/** Multiples of it, modulo 2^32, lie evenly between 0 and 2^32 (Fibonacci hashing: 2^32 divided by the golden ratio). */
const GOLDEN = 0x9e3779b1;

/**
 * The instance with the fewest requests in flight; equals take turns. Among many instances it is the fewest of 16, others each time:
 * looking at 600 for each request costs more than all the rest of placing it, and a few choices balance almost as well as all
 * (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing"). All are looked at before it is said that all are full.
 */
export const leastInFlight: Policy = (candidates, turn) => {
  const size = candidates.length;
  if (size <= LOOK_AT_ALL) return fewest(candidates, turn, size);
  const start = Math.imul(turn, GOLDEN) >>> 0;
  const found = fewest(candidates, start, LOOK_AT);
  return found === -1 ? fewest(candidates, start, size) : found;
};

/** The one with the fewest requests of `count` that follow each other, from `start` on. */
function fewest(candidates: readonly Candidate[], start: number, count: number): number {
  const size = candidates.length;
  let best = -1;
  let least = Number.MAX_SAFE_INTEGER;
  let at = size < 2 ? 0 : start % size;
  for (let i = 0; i < count; i++) {
    const candidate = candidates[at]!;
    const inFlight = candidate.inFlight;
    if (inFlight < least && inFlight < candidate.slots) {
      least = inFlight;
      best = at;
      if (inFlight === 0) break;
    }
    if (++at === size) at = 0;
  }
  return best;
}

/**
 * The first instance with room, in order of age. With few slots each, packing keeps the last instances idle, so that they can be taken
 * away (Knative's firstAvailable, used there for 1 to 3 slots too).
 */
export const firstAvailable: Policy = (candidates) => {
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[i]!;
    if (candidate.inFlight < candidate.slots) return i;
  }
  return -1;
};

/** Instances with up to this many slots are packed. */
const PACK_UP_TO = 3;

export function policyFor(slots: number): Policy {
  return slots <= PACK_UP_TO ? firstAvailable : leastInFlight;
}

/** Which instance gets a request. A policy picks a candidate that looks free; taking the slot may still fail, then it is asked again. */

/** What a policy sees of an instance. */
export interface Candidate {
  /** Slots taken, over all gateways. */
  readonly inFlight: number;
  readonly slots: number;
}

/** The index of the instance to try, -1 when all are full. `turn` grows with every request, to break ties in rotation. */
export type Policy = (candidates: readonly Candidate[], turn: number) => number;

/** The instance with the fewest requests in flight; equals take turns. */
export const leastInFlight: Policy = (candidates, turn) => {
  const size = candidates.length;
  let best = -1;
  let least = Number.MAX_SAFE_INTEGER;
  for (let i = 0; i < size; i++) {
    const at = size === 1 ? 0 : (turn + i) % size;
    const candidate = candidates[at]!;
    const inFlight = candidate.inFlight;
    if (inFlight < least && inFlight < candidate.slots) {
      least = inFlight;
      best = at;
      if (inFlight === 0) break;
    }
  }
  return best;
};

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

/**
 * Whether a line stands because more comes than can be done, or only because much came at once.
 *
 * ```
 *              a request enters                 stood for the interval, or a request in it
 *   empty ─────────────────────▶ standing ──────became hopeless──────────────────────────▶ overloaded
 *     ▲                             │                                                          │
 *     └──────────── empty ──────────┴──────────────────────── empty ───────────────────────────┘
 * ```
 *
 * A burst that is worked off within the interval never leaves `standing`: it is served in order and nothing of it is shed. The
 * interval is the longest wait that the operator allows, so whoever is shed later would not have been served in order either.
 * While overloaded, the newest are served first - they are the ones whose clients still wait - and who has waited longer than a few
 * service times is refused at once.
 *
 * After "Fail at Scale" (Maurer, ACM Queue 2015: a queue that has not been empty for an interval gets a short timeout and is
 * served last in first out) and CoDel (Nichols and Jacobson, 2012: a standing queue, not a long one, is the sign of overload); the
 * timeout is counted in service times instead of a fixed 5 ms, because a model that answers in 2 s is not overloaded by a wait of 10 ms.
 */

export type LineState = "empty" | "standing" | "overloaded";

/** Waits are never refused below this, in milliseconds. */
const LEAST_TARGET_MS = 5;
/** A wait of so many service times is what a line under overload aims at. */
const TARGET_SERVICE_TIMES = 2;
/** By class, the highest first: how many targets a request may wait while overloaded. */
const ALLOWED_TARGETS = [4, 2, 1] as const;

export class Overload {
  readonly #intervalMs: number;
  #since: number | null = null;
  #hopeless = false;

  /** @param intervalMs how long a line may stand, 0 for ever (then only hopeless requests tell) */
  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs > 0 ? intervalMs : Number.POSITIVE_INFINITY;
  }

  /** Someone waits now where nobody did. */
  formed(now: number): void {
    this.#since = now;
    this.#hopeless = false;
  }

  /** Nobody waits any more. */
  emptied(): void {
    this.#since = null;
    this.#hopeless = false;
  }

  /** A request waited so long that its deadline could not be met any more: waiting in order does not work. */
  becameHopeless(): void {
    if (this.#since !== null) this.#hopeless = true;
  }

  state(now: number): LineState {
    if (this.#since === null) return "empty";
    return this.#hopeless || now - this.#since > this.#intervalMs ? "overloaded" : "standing";
  }
}

/**
 * The longest wait of a class while overloaded, in milliseconds.
 * @param rank 0, 1, 2: critical, default, bulk
 * @param typicalMs median service time, 0 when it is not known
 */
export function allowedWaitMs(rank: number, typicalMs: number): number {
  return ALLOWED_TARGETS[rank]! * Math.max(LEAST_TARGET_MS, TARGET_SERVICE_TIMES * typicalMs);
}

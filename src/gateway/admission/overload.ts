/**
 * Whether a line stands because more comes than can be done, or only because much came at once.
 *
 * ```
 *              a request enters               a request waited in vain
 *   empty ─────────────────────▶ standing ─────────────────────────────▶ overloaded
 *     ▲                             │                                         │
 *     └──────────── empty ──────────┴──────────────────────── empty ──────────┘
 * ```
 *
 * In vain waited a request that reached the longest wait, or whose deadline could not be met any more. Before that, waiting in order
 * has done nobody harm, however long the line has stood: steady clients that wait 80 ms each keep one standing all day. From then on
 * it does: everybody behind would wait as long. While overloaded, the newest are served first - they are the ones whose clients still
 * wait - and who has waited longer than a few service times is refused at once.
 *
 * After "Fail at Scale" (Maurer, ACM Queue 2015: under overload a short timeout, and last in first out) and CoDel (Nichols and
 * Jacobson, 2012); the timeout is counted in service times instead of a fixed 5 ms, because a model that answers in 2 s is not
 * overloaded by a wait of 10 ms.
 */

export type LineState = "empty" | "standing" | "overloaded";

/** Waits are never refused below this, in milliseconds. */
const LEAST_TARGET_MS = 5;
/** A wait of so many service times is what a line under overload aims at. */
const TARGET_SERVICE_TIMES = 2;
/** By class, the highest first: how many targets a request may wait while overloaded. */
const ALLOWED_TARGETS = [4, 2, 1] as const;

export class Overload {
  state: LineState = "empty";

  /** Someone waits now where nobody did. */
  formed(): void {
    if (this.state === "empty") this.state = "standing";
  }

  /** Nobody waits any more. */
  emptied(): void {
    this.state = "empty";
  }

  /** A request waited as long as it may, or can; it has not left yet. */
  waitedInVain(): void {
    if (this.state === "standing") this.state = "overloaded";
  }
}

/**
 * The longest wait of a class while overloaded, in milliseconds.
 * @param rank 0, 1, 2: critical, default, bulk
 * @param typicalMs median service time; 0 when it is not known: then no wait is too long
 */
export function allowedWaitMs(rank: number, typicalMs: number): number {
  if (typicalMs === 0) return Number.POSITIVE_INFINITY;
  return ALLOWED_TARGETS[rank]! * Math.max(LEAST_TARGET_MS, TARGET_SERVICE_TIMES * typicalMs);
}

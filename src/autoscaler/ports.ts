/** What the autoscaler needs from the rest of the platform, and what it tells. Bound by platform/. */

import type { Clock } from "../base/clock.ts";
import type { Decision } from "./reasons.ts";

/** Requests at this moment. */
export interface Counts {
  /** In instances, those that drain included. */
  readonly running: number;
  /** In the line. */
  readonly waiting: number;
}

/** Counters that only grow, over all gateways. */
export interface Totals {
  /** Requests that came in, refused ones included. */
  readonly arrived: number;
  /** Requests that were refused for want of a slot. */
  readonly refused: number;
  /** Requests that held a slot and are over. */
  readonly finished: number;
  /** Time that those held their slots, in milliseconds. */
  readonly slotMs: number;
}

/** The instances at this moment. */
export interface PoolView {
  readonly ready: number;
  /** Asked for and not ready yet. Those that drain or stop are in neither number. */
  readonly starting: number;
}

/** Share of its limits that each ready instance uses, null where that is not known. Left out: nothing is known. */
export interface UsageView {
  readonly cpu?: readonly (number | null)[];
  readonly memory?: readonly (number | null)[];
}

/** Everything the loop needs. */
export interface LoopPorts {
  readonly clock: Clock;
  /** Null while nobody takes requests in: then nothing is known. */
  counts(): Counts | null;
  totals(): Totals;
  pool(): PoolView;
  /** As it was measured last. Only with a target for it. */
  usage(): UsageView;
  /** Keeps so many instances from now on. Returns at once. */
  scale(count: number): void;
  /** A decision was taken. `news`: it changes something, or another rule than before spoke. */
  decided(decision: Decision, news: boolean): void;
}

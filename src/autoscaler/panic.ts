/**
 * Panic: while a surge makes its way into the stable average, the short window is followed as well, and nothing shrinks.
 *
 *              the panic window wants >= 200 % of the instances, or a line was answered by a burst
 *   ┌────────┐ ────────────────────────────────────────────────────────────────────────────▶ ┌───────────┐
 *   │ stable │                                                                               │ panicking │ ──┐ again over the
 *   └────────┘ ◀──────────────────────────────────────────────────────────────────────────── └───────────┘ ◀─┘ threshold: extended
 *              not over it for a stable window, nor for two start times
 *
 * A restart with more than one instance begins in panic: what there is is kept until there is history to decide on.
 */

import { type AutoscalerSettings, panicWindowMs } from "./settings.ts";

export type PanicState =
  | { readonly mode: "stable" }
  | {
      readonly mode: "panicking";
      /** When the threshold was last crossed. */
      readonly since: number;
      /** Most instances wanted since the panic began; fewer are not wanted while it lasts. */
      readonly most: number;
    };

export type PanicEdge = "entered" | "extended" | "left" | "none";

export const calm: PanicState = { mode: "stable" };

/** The state after a restart with `instances` running. */
export function panicAfterRestart(now: number, instances: number): PanicState {
  return instances > 1 ? { mode: "panicking", since: now, most: instances } : calm;
}

/** Whether `wanted` instances cross the threshold while there are `instances`, those that start included. */
export function isOverThreshold(wanted: number, instances: number, settings: AutoscalerSettings): boolean {
  return wanted / Math.max(1, instances) >= settings.panicThresholdPercentage / 100;
}

/** How long a panic goes on after the threshold was last crossed. */
export function panicLastsMs(settings: AutoscalerSettings, startTimeMs: number | null): number {
  // With slow starts, what a panic ordered has to be there before the panic is judged.
  return Math.max(settings.stableWindowMs, panicWindowMs(settings), 2 * (startTimeMs ?? 0));
}

/** Takes the one edge that is due at `now`. */
export function stepPanic(
  state: PanicState,
  now: number,
  over: boolean,
  lastsMs: number,
): { readonly state: PanicState; readonly edge: PanicEdge } {
  if (over) {
    const most = state.mode === "panicking" ? state.most : 0;
    return {
      state: { mode: "panicking", since: now, most },
      edge: state.mode === "panicking" ? "extended" : "entered",
    };
  }
  if (state.mode === "panicking" && now - state.since > lastsMs) return { state: calm, edge: "left" };
  return { state, edge: "none" };
}

/** What is wanted while `state` holds: never less than before in the same panic. */
export function holdInPanic(
  state: PanicState,
  wanted: number,
): { readonly state: PanicState; readonly wanted: number } {
  if (state.mode === "stable") return { state, wanted };
  const most = Math.max(state.most, wanted);
  return { state: most === state.most ? state : { ...state, most }, wanted: most };
}

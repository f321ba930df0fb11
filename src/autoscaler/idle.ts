/**
 * To zero, and when. Pure.
 *
 *   ┌────────┐  nothing in the stable window   ┌──────┐  still nothing after the grace   ┌──────┐
 *   │ active │ ──────────────────────────────▶ │ idle │ ───────────────────────────────▶ │ zero │
 *   └────────┘ ◀────────────────────────────── └──────┘                                  └──────┘
 *       ▲              any demand                                                            │
 *       └───────────────────────── any demand: the first request wakes ──────────────────────┘
 *
 * While idle, one instance stays. The way back from zero is taken here at a tick, and by burst.ts in between.
 */

export type IdleState =
  | { readonly mode: "active" }
  | { readonly mode: "idle"; readonly since: number }
  | { readonly mode: "zero" };

export const active: IdleState = { mode: "active" };

/**
 * @param wanted instances that all rules before this one want
 * @param instances that there are, those that start included
 */
export function stepIdle(
  state: IdleState,
  now: number,
  seen: { readonly wanted: number; readonly instances: number },
  graceMs: number,
): { readonly state: IdleState; readonly wanted: number; readonly remainingMs: number } {
  if (seen.wanted > 0) return { state: active, wanted: seen.wanted, remainingMs: 0 };
  if (state.mode === "zero" || seen.instances === 0)
    return { state: { mode: "zero" }, wanted: 0, remainingMs: 0 };
  const since = state.mode === "idle" ? state.since : now;
  const remainingMs = graceMs - (now - since);
  if (remainingMs > 0) return { state: { mode: "idle", since }, wanted: 1, remainingMs };
  return { state: { mode: "zero" }, wanted: 0, remainingMs: 0 };
}

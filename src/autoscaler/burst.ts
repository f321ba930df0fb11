/**
 * Between ticks: a line has formed, and an instance is there sooner than the next decision would be. Then as many start as the
 * requests of this moment justify, those that start already counted, and no more. At zero the first request wakes the service,
 * however long a start takes. Pure.
 *
 * Asking again changes nothing: what was asked for is remembered as wanted, whether it has begun to start or not. What a burst
 * started is kept as in a panic, for a stable window; else the next tick would undo it.
 */

import { instancesFor } from "./combine.ts";
import { bound, type Outcome } from "./decide.ts";
import { active } from "./idle.ts";
import { decided, type Reason } from "./reasons.ts";
import { type AutoscalerSettings, concurrencyTarget } from "./settings.ts";
import { type AutoscalerState, demandOf } from "./state.ts";
import { recordMax } from "./window.ts";

/** The moment, as counts, not as means. */
export interface BurstView {
  readonly now: number;
  readonly ready: number;
  readonly starting: number;
  readonly running: number;
  /** Those in the line, or the slots that they take. */
  readonly waiting: number;
  /** Slots that requests refused just now would have held. */
  readonly refused: number;
  /** How long an instance takes to start; null when not known: then starts are not cheap. */
  readonly startTimeMs: number | null;
}

type BurstOutcome = Extract<Reason, { rule: "burst" }>["outcome"];

/** Instances that the requests of this moment take, within what is allowed: cheap enough to be asked for every request that waits. */
export function burstWants(view: BurstView, settings: AutoscalerSettings): number {
  const want = instancesFor(demandOf(view), concurrencyTarget(settings));
  if (want === 0) return 0;
  const there = Math.max(1, view.ready + view.starting);
  const most = Math.min(settings.maxInstances, Math.ceil(settings.maxScaleUpRate * there - 1e-9));
  return Math.min(Math.max(want, settings.activationScale), most);
}

/** The decision for a line. It never wants fewer than were wanted before. */
export function burst(state: AutoscalerState, view: BurstView, settings: AutoscalerSettings): Outcome {
  const held = state.desired ?? view.ready + view.starting;
  const want = burstWants(view, settings);
  const outcome = outcomeOf(view, held, want, settings);
  const raised = outcome === "woken" || outcome === "raised";
  const { running, waiting, refused, ready, starting } = view;
  const demand = demandOf(view);
  const target = concurrencyTarget(settings);
  const said: Reason = { rule: "burst", outcome, demand, target, want };
  const unlimited = instancesFor(demand, target);
  const atLimit =
    outcome !== "no_line" && outcome !== "starts_not_cheap" && unlimited > settings.maxInstances;
  const capped: Reason[] = atLimit
    ? [{ rule: "max_instances", from: unlimited, to: settings.maxInstances }]
    : [];
  // Last stands what had the last word: the burst when it raised the number, the limit when it could not.
  const reasons = raised ? [...capped, said] : [said, ...capped];
  const desired = raised ? want : bound(held, settings, reasons);
  const next: AutoscalerState = raised ? raise(state, view.now, desired, settings) : { ...state, desired };
  const panicking = next.panic.mode === "panicking";
  const about = { at: view.now, trigger: "burst", valid: true, desired } as const;
  return {
    state: next,
    decision: decided({ ...about, seen: { ready, starting, running, waiting, refused, panicking } }, reasons),
  };
}

function outcomeOf(
  view: BurstView,
  held: number,
  want: number,
  { cheapStartMs }: AutoscalerSettings,
): BurstOutcome {
  if (view.waiting + view.refused <= 0) return "no_line";
  if (want <= held) return "enough";
  if (held === 0) return "woken";
  const cheap = view.startTimeMs !== null && view.startTimeMs <= cheapStartMs;
  return cheap && cheapStartMs > 0 ? "raised" : "starts_not_cheap";
}

function raise(
  state: AutoscalerState,
  now: number,
  desired: number,
  settings: AutoscalerSettings,
): AutoscalerState {
  const most = state.panic.mode === "panicking" ? Math.max(state.panic.most, desired) : desired;
  const delay = settings.scaleDownDelayMs === 0 ? state.delay : recordMax(state.delay, now, desired);
  return { ...state, panic: { mode: "panicking", since: now, most }, delay, idle: active, desired };
}

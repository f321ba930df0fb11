/**
 * How many instances there should be: Knative's decider (KPA), with the requests that wait and were refused in its signal, with
 * instances that start counted as there, and with CPU and memory targets beside it. Pure.
 *
 *   samples ─▶ windows ─▶ each target wants ─▶ the largest ─▶ rates ─▶ activation ─▶ panic ─▶ delay ─▶ min, max ─▶ idle ─▶ desired
 *
 * No sample within the panic window: what there is is kept. See docs/autoscaler.md.
 */

import {
  largest,
  type Proposal,
  type RequestAverages,
  requestProposal,
  resourceProposal,
} from "./combine.ts";
import { stepIdle } from "./idle.ts";
import { holdInPanic, isOverThreshold, panicLastsMs, stepPanic } from "./panic.ts";
import { type Decision, decided, type Reason, type Seen } from "./reasons.ts";
import { type AutoscalerSettings, concurrencyTarget, requestsPerSecondTarget } from "./settings.ts";
import type { AutoscalerState, SignalWindows } from "./state.ts";
import { average, coverage, currentMax, recordMax } from "./window.ts";

/** The instances as they are when a decision is due. */
export interface InstancesView {
  readonly now: number;
  readonly ready: number;
  readonly starting: number;
  /** How long an instance takes from being asked for to being ready; null when not known. */
  readonly startTimeMs: number | null;
  /** Share of its CPU limit that each ready instance uses, null where not known. */
  readonly cpu?: readonly (number | null)[];
  /** The same for memory. */
  readonly memory?: readonly (number | null)[];
}

export interface Outcome {
  readonly state: AutoscalerState;
  readonly decision: Decision;
}

/** The decision of a tick. */
export function decide(state: AutoscalerState, view: InstancesView, settings: AutoscalerSettings): Outcome {
  const averages = requestAverages(state, view.now, settings);
  if (averages === null) return hold(state, view, settings);
  const reasons: Reason[] = [];
  const wants = proposals(state, view, averages, { settings, reasons });
  const rated = rate(wants, view, { settings, reasons });
  const panicked = panic(state, view, { ...rated, raw: wants.panic }, { settings, reasons });
  const delayed = delay(panicked.state, view, panicked.wanted, { settings, reasons });
  const bounded = bound(delayed.wanted, settings, reasons);
  const idle = stepIdle(
    state.idle,
    view.now,
    { wanted: bounded, instances: view.ready + view.starting },
    settings.scaleToZeroGraceMs,
  );
  if (idle.remainingMs > 0) reasons.push({ rule: "idle", remainingMs: idle.remainingMs });
  else if (idle.wanted === 0) reasons.push({ rule: "zero" });
  const next: AutoscalerState = {
    ...delayed.state,
    behavior: wants.behavior,
    idle: idle.state,
    desired: idle.wanted,
  };
  const about = { at: view.now, trigger: "tick", valid: true, desired: idle.wanted } as const;
  return { state: next, decision: decided({ ...about, seen: seen(next, view) }, reasons) };
}

/** What the rules share: the settings, and the list that each adds its reasons to. */
interface Bench {
  readonly settings: AutoscalerSettings;
  readonly reasons: Reason[];
}

function seen(state: AutoscalerState, view: InstancesView): Seen {
  const { running, waiting, refused } = state.sample ?? { running: 0, waiting: 0, refused: 0 };
  const panicking = state.panic.mode === "panicking";
  return { ready: view.ready, starting: view.starting, running, waiting, refused, panicking };
}

/** Nothing to decide on: what was wanted is still wanted, within what is allowed now. */
function hold(state: AutoscalerState, view: InstancesView, settings: AutoscalerSettings): Outcome {
  const there = view.ready + view.starting;
  const reasons: Reason[] = [];
  const first = state.desired === null && there === 0 && state.sample === null;
  const held = first ? settings.initialScale : (state.desired ?? there);
  reasons.push(first ? { rule: "initial_scale", to: held } : { rule: "no_data", held });
  const desired = bound(held, settings, reasons);
  const next = { ...state, desired };
  const about = { at: view.now, trigger: "tick", valid: false, desired } as const;
  return { state: next, decision: decided({ ...about, seen: seen(next, view) }, reasons) };
}

/** The averages of the request targets; null without data. */
function requestAverages(
  state: AutoscalerState,
  now: number,
  settings: AutoscalerSettings,
): readonly RequestAverages[] | null {
  const read = (
    signal: RequestAverages["signal"],
    windows: SignalWindows,
    target: number | null,
  ): RequestAverages[] => {
    if (target === null) return [];
    const stable = average(windows.stable, now);
    const short = average(windows.panic, now);
    if (stable === null || short === null) return [];
    return [{ signal, stable, panic: short, target, coverageMs: coverage(windows.stable, now) }];
  };
  const found = [
    ...read("concurrency", state.concurrency, concurrencyTarget(settings)),
    ...read("requests_per_second", state.requestsPerSecond, requestsPerSecondTarget(settings)),
  ];
  return found.length === 0 ? null : found;
}

/** What all targets want together. */
function proposals(
  state: AutoscalerState,
  view: InstancesView,
  averages: readonly RequestAverages[],
  { settings, reasons }: Bench,
): { readonly stable: number; readonly panic: number; readonly behavior: AutoscalerState["behavior"] } {
  const requests = averages.map(requestProposal);
  const demand = requests.some(({ stable, panic: now }) => stable > 0 || now > 0);
  const resource = resourceProposal(state.behavior, { ...view, demand }, settings);
  const all: Proposal[] = requests.map(({ signal, wantStable, wantPanic }) => ({
    signal,
    stable: wantStable,
    panic: wantPanic,
  }));
  if (resource.proposal !== null) all.push(resource.proposal);
  const most = largest(all);
  reasons.push(...requests, ...resource.reasons);
  if (all.length > 1) reasons.push({ rule: "largest", signal: most.by, want: most.stable });
  return { stable: most.stable, panic: most.panic, behavior: resource.state };
}

/** At most so many times as many, at least such a part of them; then the activation scale. */
function rate(
  wants: { readonly stable: number; readonly panic: number },
  view: InstancesView,
  { settings, reasons }: Bench,
): { readonly stable: number; readonly panic: number } {
  const there = Math.max(1, view.ready + view.starting);
  const most = Math.ceil(settings.maxScaleUpRate * there - 1e-9);
  const least = Math.floor(there / settings.maxScaleDownRate + 1e-9);
  const clamp = (want: number) => Math.min(Math.max(want, least), most);
  const floor = (want: number, clamped: number) =>
    want > 0 ? Math.max(clamped, settings.activationScale) : clamped;
  const stable = clamp(wants.stable);
  const larger = Math.max(wants.stable, wants.panic);
  const [up, down] = [settings.maxScaleUpRate, settings.maxScaleDownRate];
  if (larger > most) reasons.push({ rule: "max_scale_up_rate", rate: up, from: larger, to: most });
  if (wants.stable < least) {
    reasons.push({ rule: "max_scale_down_rate", rate: down, from: wants.stable, to: least });
  }
  const activated = floor(wants.stable, stable);
  if (activated !== stable) reasons.push({ rule: "activation_scale", from: stable, to: activated });
  return { stable: activated, panic: floor(wants.panic, clamp(wants.panic)) };
}

/** Takes panic's edge, and in panic the larger of both windows, never less than before. */
function panic(
  state: AutoscalerState,
  view: InstancesView,
  wants: { readonly stable: number; readonly panic: number; readonly raw: number },
  { settings, reasons }: Bench,
): { readonly state: AutoscalerState; readonly wanted: number } {
  const there = view.ready + view.starting;
  const over = isOverThreshold(wants.raw, there, settings);
  const lastsMs = panicLastsMs(settings, view.startTimeMs);
  const { state: mode, edge } = stepPanic(state.panic, view.now, over, lastsMs);
  const percent = (100 * wants.raw) / Math.max(1, there);
  const threshold = settings.panicThresholdPercentage;
  if (edge === "entered") reasons.push({ rule: "panic_entered", percent, threshold });
  else if (edge === "extended") reasons.push({ rule: "panic_extended", percent, threshold });
  else if (edge === "left") reasons.push({ rule: "panic_left", afterMs: lastsMs });
  if (mode.mode === "stable") return { state: { ...state, panic: mode }, wanted: wants.stable };
  const larger = Math.max(wants.stable, wants.panic);
  if (larger !== wants.stable) reasons.push({ rule: "panic_window", from: wants.stable, to: larger });
  const held = holdInPanic(mode, larger);
  if (held.wanted !== larger) reasons.push({ rule: "panic_hold", from: larger, to: held.wanted });
  return { state: { ...state, panic: held.state }, wanted: held.wanted };
}

/** The largest of the last while, when scaling down is to be delayed. */
function delay(
  state: AutoscalerState,
  { now }: InstancesView,
  wanted: number,
  { settings, reasons }: Bench,
): { readonly state: AutoscalerState; readonly wanted: number } {
  if (settings.scaleDownDelayMs === 0) return { state, wanted };
  const window = recordMax(state.delay, now, wanted);
  const most = currentMax(window, now) ?? wanted;
  if (most !== wanted) {
    reasons.push({ rule: "scale_down_delay", delayMs: settings.scaleDownDelayMs, from: wanted, to: most });
  }
  return { state: { ...state, delay: window }, wanted: most };
}

/** Keeps a number within min and max. */
export function bound(wanted: number, settings: AutoscalerSettings, reasons: Reason[]): number {
  const { minInstances, maxInstances } = settings;
  if (wanted < minInstances) {
    reasons.push({ rule: "min_instances", from: wanted, to: minInstances });
    return minInstances;
  }
  if (wanted > maxInstances) {
    reasons.push({ rule: "max_instances", from: wanted, to: maxInstances });
    return maxInstances;
  }
  return wanted;
}

/** What the autoscaler remembers, and how samples get in. Pure: each function answers a new state. */

import { type BehaviorState, noHistory } from "./behavior.ts";
import { active, type IdleState } from "./idle.ts";
import { calm, type PanicState, panicAfterRestart } from "./panic.ts";
import { type AutoscalerSettings, panicWindowMs } from "./settings.ts";
import { emptyMaxWindow, emptyWindow, type MaxWindow, record, type TimeWindow } from "./window.ts";

/** One signal over both windows. */
export interface SignalWindows {
  readonly stable: TimeWindow;
  readonly panic: TimeWindow;
}

/** What the gateways saw since the last sample. One is due every second; more are averaged. */
export interface Sample {
  /** Milliseconds on a clock that never goes back. */
  readonly now: number;
  /** Requests in instances: best the mean over the time since the last sample, else the count of the moment. */
  readonly running: number;
  /** Requests in the line, likewise, or the slots that they take, see {@link waitingSlots}. */
  readonly waiting: number;
  /** Slots that refused requests would have held, see {@link refusedSlots}. */
  readonly refused: number;
  /** Requests that came in, refused ones included, per second. */
  readonly arrivalsPerSecond: number;
}

export interface AutoscalerState {
  readonly concurrency: SignalWindows;
  readonly requestsPerSecond: SignalWindows;
  readonly panic: PanicState;
  readonly idle: IdleState;
  readonly delay: MaxWindow;
  readonly behavior: BehaviorState;
  /** The newest sample; null before the first. */
  readonly sample: Sample | null;
  /** The last decision's number; null before the first. */
  readonly desired: number | null;
}

/** Before anything was measured or started. */
export function freshState(settings: AutoscalerSettings): AutoscalerState {
  const windows = (): SignalWindows => ({
    stable: emptyWindow(settings.stableWindowMs),
    panic: emptyWindow(panicWindowMs(settings)),
  });
  return {
    concurrency: windows(),
    requestsPerSecond: windows(),
    panic: calm,
    idle: active,
    delay: emptyMaxWindow(settings.scaleDownDelayMs, settings.tickMs),
    behavior: noHistory,
    sample: null,
    desired: null,
  };
}

/** After a restart of the autoscaler beside instances that kept running: they are kept until there is history again. */
export function restartedState(
  settings: AutoscalerSettings,
  now: number,
  instances: number,
): AutoscalerState {
  const fresh = freshState(settings);
  if (instances === 0) return fresh;
  return { ...fresh, panic: panicAfterRestart(now, instances), desired: instances };
}

/** Beside instances that were just started: they are kept for a stable window, as what a burst starts is. */
export function startedState(settings: AutoscalerSettings, now: number, instances: number): AutoscalerState {
  const panic: PanicState = { mode: "panicking", since: now, most: instances };
  return { ...freshState(settings), panic, desired: instances };
}

/** Puts a sample into all windows. */
export function observe(state: AutoscalerState, sample: Sample): AutoscalerState {
  const put = (windows: SignalWindows, value: number): SignalWindows => ({
    stable: record(windows.stable, sample.now, value),
    panic: record(windows.panic, sample.now, value),
  });
  return {
    ...state,
    concurrency: put(state.concurrency, demandOf(sample)),
    requestsPerSecond: put(state.requestsPerSecond, sample.arrivalsPerSecond),
    sample,
  };
}

/** Requests that want a slot: shedding must not hide what was needed, nor a line what is missing. */
export function demandOf(seen: {
  readonly running: number;
  readonly waiting: number;
  readonly refused: number;
}): number {
  return seen.running + seen.waiting + seen.refused;
}

/** What {@link waitingSlots} goes by. */
export interface LineView {
  /** Requests in instances. */
  readonly running: number;
  /** Requests per second that came and were not refused. */
  readonly admittedPerSecond: number;
  /** Mean time a request holds a slot; null when not known. */
  readonly serviceTimeMs: number | null;
  /** Time in which the line should be worked off; 0: at once. */
  readonly drainMs: number;
}

/**
 * Slots that a line takes: those that are missing for what goes on coming (by Little's law), and those that work off what has
 * gathered within the drain time, one after the other in each slot. Never more than one for each request that waits.
 */
export function waitingSlots(waiting: number, line: LineView): number {
  const { running, admittedPerSecond, serviceTimeMs, drainMs } = line;
  if (serviceTimeMs === null || drainMs === 0) return waiting;
  const missing = Math.max(0, (admittedPerSecond * serviceTimeMs) / 1_000 - running);
  return Math.min(waiting, missing + (waiting * serviceTimeMs) / drainMs);
}

/**
 * Slots that refused requests would have held: by Little's law their rate times the service time.
 * @param refused requests refused within `overMs`
 * @param serviceTimeMs mean time a request holds a slot; null when not known: then each counts as one that waits
 */
export function refusedSlots(refused: number, overMs: number, serviceTimeMs: number | null): number {
  if (serviceTimeMs === null || overMs <= 0) return refused;
  return (refused * serviceTimeMs) / overMs;
}

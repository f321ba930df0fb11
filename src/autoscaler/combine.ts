/** From signals to one number: each target says how many instances it wants, the largest wins. Pure. */

import { applyBehavior, type BehaviorState } from "./behavior.ts";
import type { Reason, Signal } from "./reasons.ts";
import { resourceWants } from "./resource.ts";
import type { AutoscalerSettings } from "./settings.ts";

/** What one target wants. */
export interface Proposal {
  readonly signal: Signal;
  readonly stable: number;
  /** By the panic window; 0 for signals without one. */
  readonly panic: number;
}

/** Averages of one request signal. */
export interface RequestAverages {
  readonly signal: "concurrency" | "requests_per_second";
  readonly stable: number;
  readonly panic: number;
  readonly target: number;
  readonly coverageMs: number;
}

/** Instances that a demand takes. What binary fractions add to a whole number does not count. */
export function instancesFor(demand: number, target: number): number {
  return Math.max(0, Math.ceil(demand / target - 1e-9));
}

/** What a request signal wants by both windows. */
export function requestProposal(averages: RequestAverages): Extract<Reason, { rule: "requests" }> {
  const { stable, panic, target } = averages;
  const wantStable = instancesFor(stable, target);
  const wantPanic = instancesFor(panic, target);
  return { rule: "requests", ...averages, wantStable, wantPanic };
}

/** Usage of the ready instances, as far as it is measured. */
export interface ResourceUsage {
  readonly now: number;
  readonly ready: number;
  readonly starting: number;
  /** Whether there were requests. Without any, more instances would have nothing to do, however much memory they hold. */
  readonly demand: boolean;
  /** Share of its CPU limit that each ready instance uses, null where that is not known. Left out: nothing is known. */
  readonly cpu?: readonly (number | null)[];
  /** The same for memory. */
  readonly memory?: readonly (number | null)[];
}

/** What CPU and memory want together, after stabilisation and policies; null when neither is a target. */
export function resourceProposal(
  state: BehaviorState,
  usage: ResourceUsage,
  settings: AutoscalerSettings,
): {
  readonly state: BehaviorState;
  readonly proposal: Proposal | null;
  readonly reasons: readonly Reason[];
} {
  if (settings.cpuUtilization === null && settings.memoryUtilization === null) {
    return { state, proposal: null, reasons: [] };
  }
  const unknown = new Array<null>(usage.ready).fill(null);
  const targets = [
    { signal: "cpu", target: settings.cpuUtilization, readings: usage.cpu ?? unknown },
    { signal: "memory", target: settings.memoryUtilization, readings: usage.memory ?? unknown },
  ] as const;
  const wants = targets.flatMap(({ signal, target, readings }) => {
    if (target === null) return [];
    const { starting } = usage;
    if (!usage.demand) return [idleResource(signal, target)];
    return [resourceWants({ signal, target, readings, starting, tolerance: settings.tolerance })];
  });
  const most = largestBy(wants, ({ want }) => want);
  if (most === null || !usage.demand) return { state, proposal: null, reasons: wants };
  const instances = usage.ready + usage.starting;
  const limited = applyBehavior(state, { now: usage.now, proposal: most.want, instances }, settings.behavior);
  return {
    state: limited.state,
    proposal: { signal: most.signal, stable: limited.want, panic: 0 },
    reasons: [...wants, ...limited.reasons],
  };
}

function idleResource(signal: "cpu" | "memory", target: number): Extract<Reason, { rule: "resource" }> {
  return { rule: "resource", signal, outcome: "no_demand", utilization: null, target, missing: 0, want: 0 };
}

/** The larger wins, in either window. `by` is the one that wants the most in the stable window; the first of equals. */
export function largest(proposals: readonly Proposal[]): {
  readonly stable: number;
  readonly panic: number;
  readonly by: Signal;
} {
  const by = largestBy(proposals, ({ stable }) => stable);
  return {
    stable: by?.stable ?? 0,
    panic: Math.max(0, ...proposals.map(({ panic }) => panic)),
    by: by?.signal ?? "concurrency",
  };
}

function largestBy<T>(items: readonly T[], value: (item: T) => number): T | null {
  return items.reduce<T | null>(
    (best, item) => (best === null || value(item) > value(best) ? item : best),
    null,
  );
}

/** How fast resource targets may move the number of instances: HPA's `behavior`. Pure. */

import type { Reason } from "./reasons.ts";
import type { Behavior, ScalingRules } from "./settings.ts";

interface Noted {
  readonly at: number;
  readonly value: number;
}

export interface BehaviorState {
  /** Proposals as they came, oldest first, as far back as the longer stabilisation window. */
  readonly proposals: readonly Noted[];
  /** Instances that there were, where that changed, oldest first, as far back as the longest period. */
  readonly instances: readonly Noted[];
}

export const noHistory: BehaviorState = { proposals: [], instances: [] };

/** Stabilises a proposal, then holds it to what the policies allow. */
export function applyBehavior(
  state: BehaviorState,
  seen: { readonly now: number; readonly proposal: number; readonly instances: number },
  behavior: Behavior,
): { readonly state: BehaviorState; readonly want: number; readonly reasons: readonly Reason[] } {
  const next = remember(state, seen, behavior);
  const reasons: Reason[] = [];
  const stable = stabilize(next.proposals, seen, behavior);
  if (stable !== seen.proposal) reasons.push({ rule: "stabilization", from: seen.proposal, to: stable });
  const want = limit(next.instances, { ...seen, proposal: stable }, behavior);
  if (want !== stable) reasons.push({ rule: "policy", from: stable, to: want });
  return { state: next, want, reasons };
}

function remember(
  state: BehaviorState,
  seen: { readonly now: number; readonly proposal: number; readonly instances: number },
  { scaleUp, scaleDown }: Behavior,
): BehaviorState {
  const windowMs = Math.max(scaleUp.stabilizationWindowMs, scaleDown.stabilizationWindowMs);
  const periods = [...scaleUp.policies, ...scaleDown.policies].map(({ periodMs }) => periodMs);
  const since = seen.now - Math.max(0, ...periods);
  const proposals = state.proposals.filter(({ at }) => at > seen.now - windowMs && at < seen.now);
  // The newest from before the period tells what there was when it began.
  const began = state.instances.findLastIndex(({ at }) => at <= since);
  const kept = state.instances.slice(Math.max(0, began)).filter(({ at }) => at < seen.now);
  const instances =
    kept.at(-1)?.value === seen.instances ? kept : [...kept, { at: seen.now, value: seen.instances }];
  return { proposals: [...proposals, { at: seen.now, value: seen.proposal }], instances };
}

/** Up: no further than the smallest proposal of its window. Down: no further than the largest. */
function stabilize(
  proposals: readonly Noted[],
  seen: { readonly now: number; readonly proposal: number; readonly instances: number },
  behavior: Behavior,
): number {
  const within = (windowMs: number) =>
    proposals.filter(({ at }) => at > seen.now - windowMs || at === seen.now).map(({ value }) => value);
  const up = Math.min(...within(behavior.scaleUp.stabilizationWindowMs));
  const down = Math.max(...within(behavior.scaleDown.stabilizationWindowMs));
  return Math.min(Math.max(seen.instances, up), down);
}

function limit(
  history: readonly Noted[],
  seen: { readonly now: number; readonly proposal: number; readonly instances: number },
  behavior: Behavior,
): number {
  const { now, proposal, instances } = seen;
  if (proposal === instances) return proposal;
  const rules = proposal > instances ? behavior.scaleUp : behavior.scaleDown;
  if (rules.selectPolicy === "disabled") return instances;
  if (rules.policies.length === 0) return proposal;
  const steps = reach(
    rules,
    (periodMs) => instancesAt(history, now - periodMs, instances),
    proposal > instances,
  );
  const far = rules.selectPolicy === "max";
  if (proposal > instances) {
    const highest = far ? Math.max(...steps) : Math.min(...steps);
    return Math.max(instances, Math.min(proposal, highest));
  }
  const lowest = far ? Math.min(...steps) : Math.max(...steps);
  return Math.min(instances, Math.max(proposal, lowest));
}

/** How far each policy lets the number go. */
function reach(rules: ScalingRules, began: (periodMs: number) => number, up: boolean): number[] {
  return rules.policies.map(({ type, value, periodMs }) => {
    const from = began(periodMs);
    if (type === "instances") return up ? from + value : Math.max(0, from - value);
    return up
      ? Math.ceil(from * (1 + value / 100) - 1e-9)
      : Math.max(0, Math.floor(from * (1 - value / 100) + 1e-9));
  });
}

/** Instances at a time; those of the oldest note before that. */
function instancesAt(history: readonly Noted[], time: number, fallback: number): number {
  const note = history.findLast(({ at }) => at <= time) ?? history[0];
  return note?.value ?? fallback;
}

/** What CPU or memory usage wants, as Kubernetes' HPA computes it for resource metrics. Pure. */

import type { Reason } from "./reasons.ts";

export interface ResourceView {
  readonly signal: "cpu" | "memory";
  /** For each ready instance the share of its limit that it uses, null where that is not known. */
  readonly readings: readonly (number | null)[];
  /** Instances that are not ready yet. */
  readonly starting: number;
  /** Share of the limit that is aimed at. */
  readonly target: number;
  readonly tolerance: number;
}

type ResourceReason = Extract<Reason, { rule: "resource" }>;

/**
 * instances x usage / target, with doubt settled against change: unknown usage is full usage on the way down and none on the way
 * up, instances that start use nothing on the way up, and when that turns the direction nothing changes.
 */
export function resourceWants(view: ResourceView): ResourceReason {
  const known = view.readings.filter((reading) => reading !== null);
  const missing = view.readings.length - known.length;
  const current = view.readings.length + view.starting;
  const answer = (outcome: ResourceReason["outcome"], want: number): ResourceReason => {
    const utilization = known.length === 0 ? null : mean(known);
    return {
      rule: "resource",
      signal: view.signal,
      outcome,
      utilization,
      target: view.target,
      missing,
      want,
    };
  };
  if (known.length === 0) return answer("no_metrics", current);
  const near = (ratio: number) => Math.abs(ratio - 1) <= view.tolerance + 1e-9;
  const ratio = mean(known) / view.target;
  const startingCount = ratio > 1 ? view.starting : 0;
  if (startingCount === 0 && missing === 0) {
    return near(ratio) ? answer("within_tolerance", current) : answer("scaled", ceil(ratio * known.length));
  }
  const assumed = ratio < 1 ? Math.max(1, view.target) : 0;
  const sum = known.reduce((total, each) => total + each, 0) + missing * assumed;
  const counted = known.length + missing + startingCount;
  const careful = sum / counted / view.target;
  if (near(careful)) return answer("within_tolerance", current);
  const want = ceil(careful * counted);
  const turned = ratio < 1 !== careful < 1 || (careful < 1 ? want > current : want < current);
  return turned ? answer("direction_unsure", current) : answer("scaled", want);
}

function mean(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0) / values.length;
}

/** The next whole number, forgiving what binary fractions add. */
function ceil(value: number): number {
  return Math.max(0, Math.ceil(value - 1e-9));
}

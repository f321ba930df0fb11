/** The steps of `--find-max` judged, and what they come to. Pure. */

import { percentText, perSecond } from "./figures.ts";
import type { LoadResult, StepResult, Verdict } from "./result.ts";
import { type Condition, evaluate, seenOf } from "./thresholds.ts";

/** What may fail where the promise does not say. */
const FAILED_SHARE = 0.01;

/** How a run at one rate stands to the promise. */
export function judgedStep(rate: number, result: LoadResult, slo: readonly Condition[]): StepResult {
  const { totals, latency } = result;
  const failedShare = totals.done === 0 ? 1 : totals.failed / totals.done;
  const fellShort = result.generator.saturated !== null;
  const why = fellShort
    ? `generator: ${result.generator.saturated}`
    : (broken(result, slo) ?? tooManyFailed(failedShare, slo));
  return {
    rate,
    passedPerS: totals.passedPerS,
    p50Ms: latency.response.p50Ms,
    p99Ms: latency.response.p99Ms,
    failedShare,
    ok: why === null,
    fellShort,
    why: why ?? "",
  };
}

function broken(result: LoadResult, slo: readonly Condition[]): string | null {
  const seen = seenOf(result);
  for (const condition of slo) {
    const { met, was } = evaluate(condition, seen);
    if (!met) return `${condition.text} was ${was}`;
  }
  return null;
}

function tooManyFailed(share: number, slo: readonly Condition[]): string | null {
  const ownWord = slo.some(({ text }) => text.startsWith("errors"));
  return !ownWord && share > FAILED_SHARE ? `${percentText(share)} failed` : null;
}

export interface Found {
  readonly steps: readonly StepResult[];
  /** The run at the highest rate that kept the promise; null when none did. */
  readonly best: LoadResult | null;
  /** The run that came last, which may have been cut short. */
  readonly last: LoadResult;
  /** Why the search ended; null: it was interrupted. */
  readonly why: string | null;
}

/** The run at the highest rate that kept the promise, with all steps; where none did, the last one. */
export function concluded({ steps, best, last, why }: Found): LoadResult {
  const result = best ?? last;
  const kept = best === null ? 0 : rateOf(best);
  // The service's limit lies where the lowest rate failed. When that was the generator's doing, it lies higher.
  const [beyond] = steps.filter(({ ok, rate }) => !ok && rate > kept).toSorted((a, b) => a.rate - b.rate);
  const limited = beyond?.fellShort === true;
  return {
    ...result,
    verdict: verdictOf({ interrupted: why === null, limited, found: best !== null, result }),
    generator: limited
      ? { ...result.generator, saturated: "The generator met its limit before the service did." }
      : result.generator,
    notes: [noteOf(best === null ? null : kept, why), ...result.notes],
    steps,
  };
}

function verdictOf(end: {
  readonly interrupted: boolean;
  readonly limited: boolean;
  readonly found: boolean;
  readonly result: LoadResult;
}): Verdict {
  if (end.interrupted) return "interrupted";
  if (end.limited) return "invalid";
  return end.found && end.result.thresholds.every(({ ok }) => ok) ? "ok" : "threshold";
}

function noteOf(kept: number | null, why: string | null): string {
  if (why === null && kept === null) return "The search was interrupted before a rate had kept the promise.";
  if (why === null)
    return `The search was interrupted. The promise was kept at ${perSecond(kept ?? 0)}, the highest rate until then; the figures are those of that step.`;
  if (kept === null) return `No rate that was tried kept the promise (${why}).`;
  return `The promise is kept at ${perSecond(kept)} (${why}). The figures are those of that step.`;
}

function rateOf({ plan }: LoadResult): number {
  return plan.stages[0]?.rate ?? 0;
}

/** What a run found, put together: the JSON of a run. */

import { VERSION } from "../model/version.ts";
import type { Collector } from "./collect.ts";
import { machineFacts } from "./machine.ts";
import {
  FORMAT,
  type LoadResult,
  type PlanFacts,
  type ServerView,
  type StepResult,
  type TargetFacts,
  type Verdict,
} from "./result.ts";
import { type Condition, evaluate } from "./thresholds.ts";
import { judge, tooLate } from "./verdict.ts";

export interface Outcome {
  readonly collector: Collector;
  /** Unix milliseconds. */
  readonly startsAt: number;
  /** Seconds in which requests were begun, without the warm-up; and from the start to the last answer, with it. */
  readonly durationS: number;
  readonly wallS: number;
  readonly warmupS: number;
  readonly target: TargetFacts;
  readonly plan: PlanFacts;
  /** Where the service is. */
  readonly addresses: readonly string[];
  /** Conditions that must not be met. */
  readonly failIf: readonly Condition[];
  readonly notes: readonly string[];
  readonly interrupted: boolean;
  readonly server: ServerView | null;
  readonly steps: readonly StepResult[];
}

/** Puts the result together, with its verdict. */
export function resultOf(outcome: Outcome): LoadResult {
  const { collector, plan } = outcome;
  const { counts } = collector;
  const failures = collector.failures as Readonly<Record<string, number>>;
  const { statuses, latency } = collector;
  const durationS = begunForS(outcome);
  // What a service works off afterwards is not its rate.
  const passedPerS = collector.passedInTime / durationS;
  const seen = { counts, statuses, failures, checks: collector.checks(), latency, passedPerS };
  const machine = machineFacts(outcome.addresses);
  const judgement = judge({
    plan,
    totals: counts,
    failures,
    peakCpu: collector.peakCpu,
    local: machine.local,
    interrupted: outcome.interrupted,
  });
  const thresholds = outcome.failIf.map((condition) => {
    const { met, was } = evaluate(condition, seen);
    return { text: condition.text, was, ok: !met };
  });
  return {
    format: FORMAT,
    version: VERSION,
    startedAt: new Date(outcome.startsAt).toISOString(),
    durationS,
    warmupS: outcome.warmupS,
    target: outcome.target,
    plan,
    machine,
    verdict: verdictOf(
      judgement.saturated !== null,
      outcome.interrupted,
      thresholds.some(({ ok }) => !ok),
    ),
    notes: [...judgement.notes, ...outcome.notes],
    thresholds,
    totals: {
      ...counts,
      startedPerS: counts.started / durationS,
      passedPerS,
      maxConnections: collector.maxConnections,
      maxInFlight: collector.maxInFlight,
    },
    latency: collector.latencies(),
    statuses: collector.statuses,
    failures,
    requests: collector.requests(),
    checks: collector.checks(),
    generator: {
      saturated: judgement.saturated,
      peakCpu: collector.peakCpu,
      cores: collector.cpuS / Math.max(0.001, outcome.wallS),
      peakMemoryBytes: collector.peakMemoryBytes,
    },
    series: collector.series(),
    server: outcome.server,
    steps: outcome.steps,
  };
}

/** A generator that cannot keep its schedule begins requests for longer than was planned: the rate is over that time. */
function begunForS({ collector, plan, durationS, warmupS }: Outcome): number {
  if (plan.model !== "open" || !tooLate(collector.counts)) return durationS;
  const last = collector.series().findLast(({ started }) => started > 0);
  return Math.max(durationS, (last?.atS ?? 0) - warmupS);
}

/** A generator that fell short comes before a threshold: what it measured is not the service. */
function verdictOf(saturated: boolean, interrupted: boolean, failed: boolean): Verdict {
  if (saturated) return "invalid";
  if (interrupted) return "interrupted";
  return failed ? "threshold" : "ok";
}

/** Exit codes of `headrace load`, k6's where it has one. */
export const LOAD_EXIT: Readonly<Record<Verdict, number>> = {
  ok: 0,
  threshold: 99,
  invalid: 98,
  interrupted: 105,
};

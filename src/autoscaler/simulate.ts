/**
 * Replays a trace of arrivals through the autoscaler and a model of the service: instances with slots and a start time, a line with
 * a depth and a longest wait. Pure: the same trace, options and seed give the same report.
 */

import type { Decision } from "./reasons.ts";
import { type AutoscalerSettings, concurrencyTarget } from "./settings.ts";
import { runEvents } from "./simulate/events.ts";
import { runFluid } from "./simulate/fluid.ts";
import { expectedRequests, type Trace } from "./simulate/trace.ts";
import {
  type Meter,
  MOST_EVENTS,
  type ModelName,
  type SimulationOptions,
  type TimelineRow,
} from "./simulate/world.ts";

/** A whole run in numbers. */
export interface Summary {
  readonly durationMs: number;
  readonly arrived: number;
  /** Requests that got a slot. */
  readonly admitted: number;
  readonly refusedLineFull: number;
  readonly refusedWaitedTooLong: number;
  /** Requests in the line when the trace ended. */
  readonly stillWaiting: number;
  readonly waitMs: {
    readonly p50: number;
    readonly p95: number;
    readonly p99: number;
    readonly max: number;
  };
  readonly mostInstances: number;
  readonly meanInstances: number;
  /** From asking for an instance to its end. */
  readonly instanceSeconds: number;
  /** What Little's law would have taken with the load known beforehand, within min and max. */
  readonly neededInstanceSeconds: number;
  /** Share of the ready instances' slots that was in use. */
  readonly utilization: number;
  readonly starts: number;
  readonly stops: number;
  /** How often growing turned into shrinking or back. */
  readonly directionChanges: number;
}

export interface SimulationReport {
  readonly model: ModelName;
  readonly summary: Summary;
  readonly timeline: readonly TimelineRow[];
  /** Decisions that changed something, or whose rule is another than the one's before. */
  readonly decisions: readonly Decision[];
}

/** Most rows of a timeline when nobody says how long one is, and the lengths that it may have, in seconds. */
const ROWS = 30;
const LENGTHS_S = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1_200, 1_800, 3_600];

/** Most rows of a timeline, and most requests that are followed one by one: more take minutes and gigabytes. */
export const MOST_ROWS = 10_000;
export const MOST_FOLLOWED = 20_000_000;

/** Runs a trace. */
export function simulate(trace: Trace, options: SimulationOptions): SimulationReport {
  const model = chooseModel(trace, options);
  const plan = {
    rowMs: options.intervalMs ?? rowMs(trace.durationMs),
    needed: neededInstances(trace, options),
  };
  const { meter, scaler } =
    model === "events" ? runEvents(trace, options, plan) : runFluid(trace, options, plan);
  return {
    model,
    summary: {
      ...summarize(meter, trace, options.settings),
      neededInstanceSeconds: (plan.needed(0, trace.durationMs) * trace.durationMs) / 1_000,
      directionChanges: scaler.directionChanges,
    },
    timeline: meter.rows,
    decisions: scaler.decisions,
  };
}

function rowMs(durationMs: number): number {
  const leastS = durationMs / ROWS / 1_000;
  const lengthS = LENGTHS_S.find((length) => length >= leastS) ?? Math.ceil(leastS / 3_600) * 3_600;
  return lengthS * 1_000;
}

function chooseModel(trace: Trace, { model }: SimulationOptions): ModelName {
  if (model !== "auto") return model;
  return expectedRequests(trace) <= MOST_EVENTS ? "events" : "fluid";
}

function summarize(
  { world, total, waits, mostInstances }: Meter,
  { durationMs }: Trace,
  { concurrency }: AutoscalerSettings,
): Omit<Summary, "neededInstanceSeconds" | "directionChanges"> {
  return {
    durationMs,
    arrived: Math.round(world.arrived),
    admitted: Math.round(world.admitted),
    refusedLineFull: Math.round(world.refusedFull),
    refusedWaitedTooLong: Math.round(world.refusedLate),
    stillWaiting: Math.round(world.waiting),
    waitMs: {
      p50: waits.percentile(0.5),
      p95: waits.percentile(0.95),
      p99: waits.percentile(0.99),
      max: waits.largest,
    },
    mostInstances,
    meanInstances: total.alive / durationMs,
    instanceSeconds: total.alive / 1_000,
    utilization: total.ready === 0 ? 0 : total.running / (total.ready * concurrency),
    starts: world.starts,
    stops: world.stops,
  };
}

/**
 * Mean number of instances that Little's law asks for between two times: rate x service time, over the target of one, in whole
 * instances.
 */
function neededInstances(
  trace: Trace,
  { settings, serviceTimeMs }: SimulationOptions,
): (fromMs: number, toMs: number) => number {
  const { minInstances, maxInstances } = settings;
  const target = concurrencyTarget(settings);
  const rows = trace.rows.map(({ fromMs, toMs, arrivals, serviceTimeMs: own }) => {
    const inFlight = (arrivals / (toMs - fromMs)) * (own ?? serviceTimeMs);
    const want = Math.ceil(inFlight / target - 1e-9);
    return { fromMs, toMs, count: Math.min(Math.max(want, minInstances), maxInstances) };
  });
  let first = 0;
  return (fromMs, toMs) => {
    if (rows[first]!.fromMs > fromMs) first = 0;
    while (rows[first]!.toMs <= fromMs && first < rows.length - 1) first += 1;
    let sum = 0;
    for (let index = first; index < rows.length && rows[index]!.fromMs < toMs; index += 1) {
      const row = rows[index]!;
      sum += row.count * Math.max(0, Math.min(row.toMs, toMs) - Math.max(row.fromMs, fromMs));
    }
    return sum / (toMs - fromMs);
  };
}

/**
 * Results as a real run would give them, for tests and for looking at reports: requests arrive as planned at a service with a
 * number of slots, a line of bounded length, stalls, and times drawn from a lognormal distribution. The same seed gives the same
 * result. No clock and no sockets: an hour is simulated in a second.
 */

import { Histogram } from "../histogram.ts";
import type { Failure } from "../messages.ts";
import { Random } from "../random.ts";
import {
  FORMAT,
  type LoadResult,
  type PlanFacts,
  type Point,
  type ServerPoint,
  type StepResult,
  type Verdict,
} from "../result.ts";
import { distribution, Meter, type SimulatedRequest } from "./testdata-meter.ts";

export interface Simulation {
  readonly seed: number;
  readonly durationS: number;
  readonly warmupS: number;
  /** Requests per second, straight lines between the points; null: a closed loop. */
  readonly stages: readonly { readonly atS: number; readonly rate: number }[] | null;
  readonly arrivals: "constant" | "poisson";
  /** Connections of a closed loop; the most that may be open in an open one. */
  readonly connections: number;
  /** Median and spread (deviation of the logarithm) of the time that the service takes. */
  readonly medianMs: number;
  readonly spread: number;
  /** Slots that the service has at a moment. */
  readonly slots: (atS: number) => number;
  /** The longest line; what comes beyond is refused with 429. */
  readonly line: number;
  /** All work stands still for `forS` in every `everyS`. */
  readonly stall: { readonly everyS: number; readonly forS: number } | null;
  /** Share of requests that are answered with 500. */
  readonly errors: number;
  readonly timeoutMs: number;
  /** The service is a Headrace that can be asked. */
  readonly server: boolean;
  readonly name: string;
  readonly verdict: Verdict;
}

export const calm: Simulation = {
  seed: 1,
  durationS: 60,
  warmupS: 5,
  stages: [{ atS: 0, rate: 500 }],
  arrivals: "constant",
  connections: 400,
  medianMs: 12,
  spread: 0.35,
  slots: () => 32,
  line: 1_000,
  stall: null,
  errors: 0,
  timeoutMs: 30_000,
  server: true,
  name: "http://127.0.0.1:8080/items?limit=20",
  verdict: "ok",
};

/** The result of a simulated run. */
export function simulate(changes: Partial<Simulation> = {}): LoadResult {
  const plan = { ...calm, ...changes };
  const meter = new Meter(plan.warmupS, plan.warmupS + plan.durationS);
  const service = new Service(plan, new Random(plan.seed));
  if (plan.stages === null) closedLoop(plan, service, meter);
  else openLoop(plan, service, meter);
  return written(plan, meter);
}

/** One queue in front of slots. Arrivals must come in order of time. */
class Service {
  readonly #plan: Simulation;
  readonly #random: Random;
  /** When each slot is free again, in seconds. */
  readonly #slots: number[] = [];
  /** When those that wait begin: in order, since the line is first in, first out. */
  #line: number[] = [];

  constructor(plan: Simulation, random: Random) {
    this.#plan = plan;
    this.#random = random;
  }

  get random(): Random {
    return this.#random;
  }

  /** Serves a request that arrives. */
  serve(atS: number): Pick<SimulatedRequest, "slotS" | "endS" | "status" | "failure"> {
    const plan = this.#plan;
    const slots = Math.max(1, plan.slots(atS));
    while (this.#slots.length < slots) this.#slots.push(atS);
    this.#line = this.#line.filter((begin) => begin > atS);
    if (this.#line.length >= plan.line)
      return { slotS: null, endS: atS + 0.0004, status: 429, failure: "status" };
    let free = 0;
    for (let at = 1; at < slots; at++) if (this.#slots[at]! < this.#slots[free]!) free = at;
    const begin = this.#awake(Math.max(atS, this.#slots[free]!));
    const takes = (plan.medianMs / 1_000) * Math.exp(plan.spread * this.#random.normal());
    const end = this.#awake(begin + takes) + 0.0003 * this.#random.exponential();
    const broken = this.#random.next() < plan.errors;
    if (begin > atS) this.#line.push(begin);
    this.#slots[free] = end;
    if (end - atS > plan.timeoutMs / 1_000)
      return { slotS: begin, endS: atS + plan.timeoutMs / 1_000, status: null, failure: "timeout" };
    return { slotS: begin, endS: end, status: broken ? 500 : 200, failure: broken ? "status" : null };
  }

  /** What would happen in a stall happens at its end. */
  #awake(atS: number): number {
    const { stall } = this.#plan;
    if (stall === null) return atS;
    const into = atS % stall.everyS;
    return into >= stall.everyS - stall.forS ? atS - into + stall.everyS : atS;
  }
}

function rateAt(stages: PlanFacts["stages"], atS: number): number {
  const next = stages.findIndex((stage) => stage.atS > atS);
  if (next <= 0) return (next === 0 ? stages[0] : stages.at(-1))!.rate;
  const [low, high] = [stages[next - 1]!, stages[next]!];
  return low.rate + ((high.rate - low.rate) * (atS - low.atS)) / (high.atS - low.atS);
}

function openLoop(plan: Simulation, service: Service, meter: Meter): void {
  const end = plan.warmupS + plan.durationS;
  /** When those in flight end: a request beyond the connections is sent when one of them does. */
  let busy: number[] = [];
  let at = 0;
  while (at < end) {
    const rate = rateAt(plan.stages ?? [], at - plan.warmupS);
    if (rate <= 0.01) {
      at += 0.01;
      continue;
    }
    const late = 0.00004 * service.random.exponential();
    const answer = service.serve(at + late);
    busy = busy.filter((each) => each > at);
    const sent =
      busy.length < plan.connections
        ? at + late
        : [...busy].sort((a, b) => a - b)[busy.length - plan.connections]!;
    busy.push(answer.endS);
    meter.add({ dueS: at, startS: at + late, sentS: Math.min(sent, answer.endS - 0.0001), ...answer });
    at += (plan.arrivals === "poisson" ? service.random.exponential() : 1) / rate;
  }
}

function closedLoop(plan: Simulation, service: Service, meter: Meter): void {
  const end = plan.warmupS + plan.durationS;
  const free = Array.from({ length: plan.connections }, (_, at) => at * 0.00002);
  for (;;) {
    let next = 0;
    for (let at = 1; at < free.length; at++) if (free[at]! < free[next]!) next = at;
    const at = free[next]!;
    if (at >= end) return;
    const answer = service.serve(at);
    meter.add({ dueS: at, startS: at, sentS: at, ...answer });
    free[next] = answer.endS + 0.00005;
  }
}

function written(plan: Simulation, meter: Meter): LoadResult {
  const series = meter.points(plan);
  const measured = series.filter((point) => !point.warmup);
  const sum = (pick: (point: Point) => number) => measured.reduce((total, point) => total + pick(point), 0);
  const [done, failed, started] = [sum((p) => p.done), sum((p) => p.failed), sum((p) => p.started)];
  return {
    format: FORMAT,
    version: "0.1.0",
    startedAt: "2026-01-15T09:30:00.000Z",
    durationS: plan.durationS,
    warmupS: plan.warmupS,
    target: { kind: "url", name: plan.name, method: "GET" },
    plan: {
      model: plan.stages === null ? "closed" : "open",
      arrivals: plan.stages === null ? null : plan.arrivals,
      stages: plan.stages ?? [],
      connections: plan.connections,
      processes: 2,
      timeoutMs: plan.timeoutMs,
      seed: plan.seed,
    },
    machine: { cpus: 8, cpuModel: "Example CPU @ 3.00GHz", kernel: "Linux 6.1.0", local: true },
    verdict: plan.verdict,
    notes: ["The generator and the service share this machine: the figures are relative."],
    thresholds: [],
    totals: {
      planned: sum((p) => p.planned),
      started,
      done,
      failed,
      resent: 0,
      late: sum((p) => p.late),
      blocked: meter.blocked,
      dropped: 0,
      startedPerS: started / plan.durationS,
      passedPerS: (done - failed) / plan.durationS,
      bytesIn: done * 812,
      bytesOut: started * 96,
      opened: Math.min(plan.connections, Math.max(...series.map((p) => p.connections))),
      maxConnections: Math.max(...series.map((p) => p.connections)),
      maxInFlight: Math.max(...series.map((p) => p.inFlight)),
    },
    latency: meter.latencies(),
    statuses: meter.statuses,
    failures: meter.failures,
    requests: [],
    checks: [],
    generator: { saturated: null, peakCpu: 0.41, cores: 0.62, peakMemoryBytes: 148 * 2 ** 20 },
    series,
    server: plan.server ? meter.server(plan) : null,
    steps: [],
  };
}

/** The steps of a search for the highest rate that keeps p99 below 100 ms: doubling, then halving the gap. */
export function simulateSteps(capacity: number): StepResult[] {
  const rates = [0.125, 0.25, 0.5, 1, 0.75, 0.875, 0.9375];
  return rates.map((share) => {
    const rate = Math.round(capacity * share);
    const p99Ms = 8 / Math.max(0.02, 1.02 - share);
    const ok = p99Ms < 100;
    return {
      rate,
      passedPerS: Math.min(rate, capacity * 0.97),
      p50Ms: 4 + p99Ms / 8,
      p99Ms,
      failedShare: ok ? 0 : 0.004,
      ok,
      fellShort: false,
      why: ok ? "" : "p99<100ms",
    };
  });
}

/** A distribution from values in milliseconds. */
export function distributionOf(valuesMs: readonly number[]): LoadResult["latency"]["response"] {
  const histogram = new Histogram();
  for (const value of valuesMs) histogram.record(value * 1_000);
  return distribution(histogram);
}

export type { Failure, ServerPoint };

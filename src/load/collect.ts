/**
 * Adds up what generator processes tell. Its memory is bounded: totals are histograms, and a series that grows beyond 1,200 points
 * has its neighbours put together, so that a point spans two seconds, then four, and so on.
 */

import { Histogram, type HistogramDelta } from "./histogram.ts";
import type { Failure, Tick } from "./messages.ts";
import type { CheckResult, Distribution, Latencies, Point, RequestResult } from "./result.ts";

const MOST_POINTS = 1_200;

/** What one process told of a span. */
interface Told extends Pick<Tick, "connections" | "inFlight" | "users" | "mostConnections" | "mostInFlight"> {
  readonly spanS: number;
}

interface Span {
  /** Number of the span, from 1. */
  index: number;
  warmup: boolean;
  spanS: number;
  planned: number;
  started: number;
  done: number;
  failed: number;
  late: number;
  connections: number;
  inFlight: number;
  users: number;
  statuses: Record<string, number>;
  response: HistogramDelta;
  /** By process: the gauges it told last, and how much of the span it has told of. */
  gauges: Map<number, Told>;
}

type Counter =
  | "planned"
  | "started"
  | "done"
  | "failed"
  | "late"
  | "blocked"
  | "dropped"
  | "resent"
  | "bytesIn"
  | "bytesOut"
  | "opened";

const COUNTERS: readonly Counter[] = [
  "planned",
  "started",
  "done",
  "failed",
  "late",
  "blocked",
  "dropped",
  "resent",
  "bytesIn",
  "bytesOut",
  "opened",
];

type Kind = keyof Latencies;
const KINDS: readonly Kind[] = ["response", "passed", "service", "firstByte", "connect", "lateness"];

export class Collector {
  readonly counts = Object.fromEntries(COUNTERS.map((name) => [name, 0])) as Record<Counter, number>;
  readonly statuses: Record<string, number> = {};
  readonly failures: Partial<Record<Failure, number>> = {};
  readonly latency = Object.fromEntries(KINDS.map((kind) => [kind, new Histogram()])) as Record<
    Kind,
    Histogram
  >;
  /** Seconds of processor time, of all processes, warm-up included. */
  cpuS = 0;
  peakCpu = 0;
  peakMemoryBytes = 0;
  /** Passed between the end of the warm-up and the moment at which the last request was begun. */
  passedInTime = 0;
  maxConnections = 0;
  /** By process. */
  readonly #newest = new Map<number, Pick<Tick, "mostConnections" | "mostInFlight">>();
  maxInFlight = 0;
  readonly #requests = new Map<string, { done: number; failed: number; response: Histogram }>();
  readonly #checks = new Map<string, { passed: number; failed: number }>();
  readonly #memory = new Map<number, number>();
  /** Rising by index; a process may still add to the last few. */
  #spans: Span[] = [];
  /** Seconds that a span stands for. */
  #widthS = 1;

  /** @param process which of them told it */
  add(process: number, tick: Tick): void {
    this.#series(process, tick);
    this.cpuS += tick.cpuUs / 1e6;
    this.#memory.set(process, tick.memoryBytes);
    this.peakMemoryBytes = Math.max(this.peakMemoryBytes, sum(this.#memory.values()));
    this.passedInTime += tick.inTime;
    if (tick.warmup) return;
    for (const name of COUNTERS) this.counts[name] += tick[name];
    addInto(this.statuses, tick.statuses);
    addInto(this.failures, tick.failures);
    for (const kind of KINDS) this.latency[kind].addSummary(tick[kind]);
    for (const [name, { done, failed, response }] of Object.entries(tick.requests)) {
      const total = getOr(this.#requests, name, () => ({ done: 0, failed: 0, response: new Histogram() }));
      total.done += done;
      total.failed += failed;
      total.response.addSummary(response);
    }
    for (const [name, { passed, failed }] of Object.entries(tick.checks)) {
      const total = getOr(this.#checks, name, () => ({ passed: 0, failed: 0 }));
      total.passed += passed;
      total.failed += failed;
    }
  }

  series(): readonly Point[] {
    return this.#spans.map((span) => pointOf(span, this.#widthS));
  }

  /** The last second that is over for all processes; null before there is one. */
  latest(processes: number): Point | null {
    const whole = this.#spans.findLast(({ gauges }) => gauges.size === processes);
    return whole === undefined ? null : pointOf(whole, this.#widthS);
  }

  requests(): readonly RequestResult[] {
    return [...this.#requests].map(([name, { done, failed, response }]) => ({
      name,
      done,
      failed,
      response: distribution(response),
    }));
  }

  checks(): readonly CheckResult[] {
    return [...this.#checks].map(([name, counts]) => ({ name, ...counts }));
  }

  latencies(): Latencies {
    return Object.fromEntries(
      KINDS.map((kind) => [kind, distribution(this.latency[kind])]),
    ) as unknown as Latencies;
  }

  #series(process: number, tick: Tick): void {
    const index = Math.max(1, Math.ceil(Math.round(tick.atS) / this.#widthS));
    const span = this.#spanAt(index);
    // What is left of a warm-up ends in a span that is none.
    span.warmup &&= tick.warmup;
    span.planned += tick.planned;
    span.started += tick.started;
    span.done += tick.done;
    span.failed += tick.failed;
    span.late += tick.late;
    addInto(span.statuses, tick.statuses);
    span.response = merged(span.response, tick.response);
    // The last tick of a process may be a short one that belongs to the span before it.
    const before = span.gauges.get(process);
    span.gauges.set(process, continued(before ?? NOTHING, tick));
    const told = [...span.gauges.values()];
    span.spanS = Math.max(...told.map(({ spanS }) => spanS));
    for (const gauge of ["connections", "inFlight", "users"] as const)
      span[gauge] = sum(told.map((each) => each[gauge]));
    // Of several processes the most of each may have been at different moments. One that is busy tells late, in another span.
    this.#newest.set(process, tick);
    const newest = [...this.#newest.values()];
    this.maxConnections = Math.max(this.maxConnections, sum(newest.map((each) => each.mostConnections)));
    this.maxInFlight = Math.max(this.maxInFlight, sum(newest.map((each) => each.mostInFlight)));
    // Over a whole tick: a last one of some milliseconds says nothing.
    if (tick.spanS > 0.5) this.peakCpu = Math.max(this.peakCpu, tick.cpuUs / 1e6 / tick.spanS);
    if (this.#spans.length > MOST_POINTS) this.#halve();
  }

  #spanAt(index: number): Span {
    let at = this.#spans.length - 1;
    while (at >= 0 && this.#spans[at]!.index > index) at--;
    const found = this.#spans[at];
    if (found?.index === index) return found;
    const span = emptySpan(index);
    this.#spans.splice(at + 1, 0, span);
    return span;
  }

  #halve(): void {
    this.#widthS *= 2;
    const spans: Span[] = [];
    for (const span of this.#spans) {
      span.index = Math.ceil(span.index / 2);
      const before = spans.at(-1);
      if (before?.index === span.index) join(before, span);
      else spans.push(span);
    }
    this.#spans = spans;
  }
}

function emptySpan(index: number): Span {
  return {
    index,
    warmup: true,
    spanS: 0,
    planned: 0,
    started: 0,
    done: 0,
    failed: 0,
    late: 0,
    connections: 0,
    inFlight: 0,
    users: 0,
    statuses: {},
    response: { counts: [], sumUs: 0, minUs: 0, maxUs: 0 },
    gauges: new Map(),
  };
}

const NOTHING: Told = {
  connections: 0,
  inFlight: 0,
  users: 0,
  mostConnections: 0,
  mostInFlight: 0,
  spanS: 0,
};

/** What a process told of a span, and then of the rest of it. */
function continued(before: Told, next: Told): Told {
  return {
    connections: next.connections,
    inFlight: next.inFlight,
    users: next.users,
    mostConnections: Math.max(before.mostConnections, next.mostConnections),
    mostInFlight: Math.max(before.mostInFlight, next.mostInFlight),
    spanS: before.spanS + next.spanS,
  };
}

/** Puts the span after it into one. */
function join(into: Span, next: Span): void {
  for (const name of ["spanS", "planned", "started", "done", "failed", "late"] as const)
    into[name] += next[name];
  for (const name of ["connections", "inFlight", "users"] as const)
    into[name] = Math.max(into[name], next[name]);
  into.warmup &&= next.warmup;
  for (const [process, told] of into.gauges) {
    const later = next.gauges.get(process);
    next.gauges.set(process, later === undefined ? told : continued(told, later));
  }
  into.gauges = next.gauges;
  addInto(into.statuses, next.statuses);
  into.response = merged(into.response, next.response);
}

const scratch = new Histogram();

function merged(a: HistogramDelta, b: HistogramDelta): HistogramDelta {
  if (a.counts.length === 0) return b;
  if (b.counts.length === 0) return a;
  scratch.addSummary(a);
  scratch.addSummary(b);
  return scratch.take(true);
}

function pointOf(span: Span, widthS: number): Point {
  scratch.addSummary(span.response);
  const point: Point = {
    atS: span.index * widthS,
    spanS: span.spanS,
    warmup: span.warmup,
    planned: span.planned,
    started: span.started,
    done: span.done,
    failed: span.failed,
    late: span.late,
    connections: span.connections,
    inFlight: span.inFlight,
    users: span.users,
    p50Ms: scratch.percentile(50) / 1_000,
    p95Ms: scratch.percentile(95) / 1_000,
    p99Ms: scratch.percentile(99) / 1_000,
    maxMs: scratch.maxUs / 1_000,
    statuses: span.statuses,
  };
  scratch.reset();
  return point;
}

/** A histogram's figures, in milliseconds. */
export function distribution(histogram: Histogram): Distribution {
  const at = (percent: number) => histogram.percentile(percent) / 1_000;
  return {
    count: histogram.count,
    minMs: histogram.minUs / 1_000,
    meanMs: histogram.meanUs / 1_000,
    maxMs: histogram.maxUs / 1_000,
    p50Ms: at(50),
    p75Ms: at(75),
    p90Ms: at(90),
    p95Ms: at(95),
    p99Ms: at(99),
    p999Ms: at(99.9),
    p9999Ms: at(99.99),
    hdr: histogram.toBase64(),
  };
}

function addInto(
  into: Partial<Record<string, number>>,
  more: Readonly<Partial<Record<string, number>>>,
): void {
  for (const [key, count] of Object.entries(more)) into[key] = (into[key] ?? 0) + (count ?? 0);
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

function getOr<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

/** Counts simulated requests into the points and totals of a result. For testdata.ts. */

import { Histogram } from "../histogram.ts";
import type { Failure } from "../messages.ts";
import type { Distribution, Latencies, Point, ServerPoint, ServerView } from "../result.ts";

/** One request: all times in seconds since the start of the warm-up. */
export interface SimulatedRequest {
  readonly dueS: number;
  readonly startS: number;
  readonly sentS: number;
  /** When it got a slot; null when it was refused. */
  readonly slotS: number | null;
  readonly endS: number;
  readonly status: number | null;
  readonly failure: Failure | null;
}

interface Facts {
  readonly stages: readonly { readonly atS: number; readonly rate: number }[] | null;
  readonly connections: number;
  readonly slots: (atS: number) => number;
}

const MOST_POINTS = 1_200;
const PER_INSTANCE = 8;

/** The figures of a distribution. */
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

interface Span {
  readonly response: number[];
  readonly queue: number[];
  readonly statuses: Record<string, number>;
  started: number;
  late: number;
  failed: number;
  refused: number;
  /** Changes of what is in flight, waits, runs: added up they are the moment. */
  inFlight: number;
  waiting: number;
  running: number;
}

/** Takes requests in any order. */
export class Meter {
  readonly statuses: Record<string, number> = {};
  readonly failures: Record<string, number> = {};
  blocked = 0;
  readonly #warmupS: number;
  readonly #spanS: number;
  readonly #spans: Span[];
  readonly #histograms = {
    response: new Histogram(),
    passed: new Histogram(),
    service: new Histogram(),
    firstByte: new Histogram(),
    connect: new Histogram(),
    lateness: new Histogram(),
  };
  readonly #queue = new Histogram();
  readonly #run = new Histogram();

  constructor(warmupS: number, endS: number) {
    this.#warmupS = warmupS;
    this.#spanS = Math.max(1, Math.ceil(endS / MOST_POINTS));
    this.#spans = Array.from({ length: Math.ceil(endS / this.#spanS) }, () => ({
      response: [],
      queue: [],
      statuses: {},
      started: 0,
      late: 0,
      failed: 0,
      refused: 0,
      inFlight: 0,
      waiting: 0,
      running: 0,
    }));
  }

  add(request: SimulatedRequest): void {
    const began = this.#at(request.startS);
    began.started++;
    began.inFlight++;
    if (request.startS - request.dueS > 0.01) began.late++;
    if (request.sentS - request.startS > 0.001 && request.dueS >= this.#warmupS) this.blocked++;
    const ended = this.#at(request.endS);
    ended.inFlight--;
    ended.response.push((request.endS - request.dueS) * 1_000);
    if (request.failure !== null) ended.failed++;
    if (request.status !== null) add(ended.statuses, String(request.status));
    if (request.slotS === null) ended.refused++;
    else {
      began.waiting++;
      this.#at(request.slotS).waiting--;
      this.#at(request.slotS).running++;
      ended.running--;
      ended.queue.push((request.slotS - request.startS) * 1_000);
    }
    if (request.dueS >= this.#warmupS) this.#total(request);
  }

  #total(request: SimulatedRequest): void {
    const us = (from: number) => (request.endS - from) * 1e6;
    const { response, passed, service, firstByte, connect, lateness } = this.#histograms;
    response.record(us(request.dueS));
    if (request.failure === null) passed.record(us(request.dueS));
    service.record(us(request.sentS));
    firstByte.record(us(request.sentS) * 0.98);
    if (connect.count < 200) connect.record(60 + (connect.count % 40));
    lateness.record((request.startS - request.dueS) * 1e6);
    if (request.status !== null) add(this.statuses, String(request.status));
    if (request.failure !== null) add(this.failures, request.failure);
    if (request.slotS === null) return;
    this.#queue.record((request.slotS - request.startS) * 1e6);
    this.#run.record(us(request.slotS));
  }

  #at(timeS: number): Span {
    const index = Math.floor(timeS / this.#spanS);
    return this.#spans[Math.max(0, Math.min(index, this.#spans.length - 1))]!;
  }

  points(facts: Facts): Point[] {
    let inFlight = 0;
    return this.#spans.map((span, index) => {
      inFlight += span.inFlight;
      const sorted = Float64Array.from(span.response).sort();
      const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
      const from = index * this.#spanS;
      return {
        atS: from + this.#spanS,
        spanS: this.#spanS,
        warmup: from < this.#warmupS,
        planned: span.started,
        started: span.started,
        done: sorted.length,
        failed: span.failed,
        late: span.late,
        connections: facts.stages === null ? facts.connections : Math.min(facts.connections, 40 + inFlight),
        inFlight: Math.min(inFlight, facts.connections),
        users: 0,
        p50Ms: at(0.5),
        p95Ms: at(0.95),
        p99Ms: at(0.99),
        maxMs: at(1),
        statuses: span.statuses,
      };
    });
  }

  latencies(): Latencies {
    const { response, passed, service, firstByte, connect, lateness } = this.#histograms;
    return {
      response: distribution(response),
      passed: distribution(passed),
      service: distribution(service),
      firstByte: distribution(firstByte),
      connect: distribution(connect),
      lateness: distribution(lateness),
    };
  }

  server(facts: Facts): ServerView {
    const series = this.#serverPoints(facts);
    const time = (histogram: Histogram) => ({
      meanMs: histogram.meanUs / 1_000,
      p50Ms: histogram.percentile(50) / 1_000,
      p99Ms: histogram.percentile(99) / 1_000,
      p50AtMostMs: histogram.percentile(50) / 1_000,
      p99AtMostMs: histogram.percentile(99) / 1_000,
    });
    const refused = series.reduce((total, point) => total + point.refused, 0);
    return {
      admin: "http://127.0.0.1:9090",
      service: "shop",
      requests: series.reduce((total, point) => total + point.requests, 0),
      refusals: refused === 0 ? {} : { queue_full: refused },
      coldStarts: series.reduce((total, point) => total + point.coldStarts, 0),
      queue: time(this.#queue),
      run: time(this.#run),
      series,
    };
  }

  #serverPoints(facts: Facts): ServerPoint[] {
    const instances = (atS: number) => Math.ceil(facts.slots(atS) / PER_INSTANCE);
    let [waiting, running] = [0, 0];
    return this.#spans.map((span, index) => {
      waiting += span.waiting;
      running += span.running;
      const atS = (index + 1) * this.#spanS;
      const queue = Float64Array.from(span.queue).sort();
      const ready = instances(atS);
      return {
        atS,
        ready,
        starting: Math.max(0, instances(atS + this.#spanS) - ready),
        waiting,
        running,
        requests: span.response.length,
        refused: span.refused,
        coldStarts: Math.max(0, ready - instances(atS - this.#spanS)),
        queueP99Ms: queue[Math.max(0, Math.ceil(queue.length * 0.99) - 1)] ?? 0,
        memoryBytes: ready * 42 * 2 ** 20,
      };
    });
  }
}

function add(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1;
}

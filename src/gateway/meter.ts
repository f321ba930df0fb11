/**
 * The gateway's counters. They live in a file that all gateways and the platform map, one column of 64-bit floats a gateway: the
 * platform adds the columns up when it is asked, a request costs a few additions, and nothing is lost when a gateway dies.
 */

import { closeSync, ftruncateSync, openSync } from "node:fs";
import type { MetricFamily, MetricSample } from "../model/metric.ts";
import { GATEWAY_ERRORS, type GatewayErrorCode } from "./errors.ts";
import { HttpErrors } from "./http1/errors.ts";
import {
  BOUNDS_S,
  COUNTERS,
  type Counter,
  GAUGES,
  type Gauge,
  HISTOGRAMS,
  type Histogram,
} from "./signals.ts";

const STATUSES = 600;
const COUNTER_NAMES = Object.keys(COUNTERS) as Counter[];
const GAUGE_NAMES = Object.keys(GAUGES) as Gauge[];
const HISTOGRAM_NAMES = Object.keys(HISTOGRAMS) as Histogram[];
const REASONS = [...Object.keys(GATEWAY_ERRORS), ...Object.values(HttpErrors).map(({ code }) => code)];

/** A histogram's cells: one a bound, one for +Inf, the sum. */
const HISTOGRAM_CELLS = BOUNDS_S.length + 2;

// Where each part begins within a column.
const AT_STATUS = 0;
const AT_REASON = AT_STATUS + STATUSES;
const AT_COUNTER = AT_REASON + REASONS.length;
const AT_GAUGE = AT_COUNTER + COUNTER_NAMES.length;
const AT_HISTOGRAM = AT_GAUGE + GAUGE_NAMES.length;
const CELLS = AT_HISTOGRAM + HISTOGRAM_NAMES.length * HISTOGRAM_CELLS;

const BOUNDS_MS = BOUNDS_S.map((s) => s * 1000);
const reasonIndex = new Map(REASONS.map((code, i) => [code, AT_REASON + i]));
const counterIndex = new Map(COUNTER_NAMES.map((name, i) => [name, AT_COUNTER + i]));
const gaugeIndex = new Map(GAUGE_NAMES.map((name, i) => [name, AT_GAUGE + i]));
const histogramIndex = new Map(HISTOGRAM_NAMES.map((name, i) => [name, AT_HISTOGRAM + i * HISTOGRAM_CELLS]));

/** Makes the file for `columns` gateways. */
export function createMeterFile(path: string, columns: number): void {
  const fd = openSync(path, "w+", 0o600);
  ftruncateSync(fd, (CELLS * 8 * columns + 4095) & ~4095);
  closeSync(fd);
}

/** One gateway's column. */
export class Meter {
  readonly #cells: Float64Array;

  constructor(path: string, column: number) {
    const memory = Bun.mmap(path, { shared: true });
    this.#cells = new Float64Array(memory.buffer, memory.byteOffset + column * CELLS * 8, CELLS);
    // What is there now, a gateway that had this column before us left behind; what it counted stays.
    for (const at of gaugeIndex.values()) this.#cells[at] = 0;
  }

  /** A request was answered with `status`; 0: the client left before it was. */
  status(status: number): void {
    this.#cells[AT_STATUS + (status >= 0 && status < STATUSES ? status : 0)]!++;
  }

  /** A request was refused or failed with this code. */
  reason(code: string): void {
    const at = reasonIndex.get(code);
    if (at !== undefined) this.#cells[at]!++;
  }

  add(counter: Counter, amount: number): void {
    this.#cells[counterIndex.get(counter)!]! += amount;
  }

  move(gauge: Gauge, by: number): void {
    this.#cells[gaugeIndex.get(gauge)!]! += by;
  }

  observe(histogram: Histogram, ms: number): void {
    const at = histogramIndex.get(histogram)!;
    let i = 0;
    while (i < BOUNDS_MS.length && ms > BOUNDS_MS[i]!) i++;
    this.#cells[at + i]!++;
    this.#cells[at + BOUNDS_MS.length + 1]! += ms / 1000;
  }
}

/** Refused for want of a slot. */
const WITHOUT_SLOT: readonly GatewayErrorCode[] = [
  "HR_LINE_FULL",
  "HR_LINE_WAIT",
  "HR_NO_INSTANCE",
  "HR_SHED",
  "HR_TOO_LATE",
];

/** Counters of the demand, over all gateways. They only grow, but for what a gateway that died had in hand. */
export interface Demand {
  /** Requests that came in. */
  readonly arrived: number;
  /** Requests that were refused for want of a slot. */
  readonly refused: number;
  /** Requests that held a slot and are over, and the time that they held it. */
  readonly finished: number;
  readonly slotMs: number;
  /** Requests that were begun and missed their deadline. */
  readonly missed: number;
}

/** How requests went. They only grow, but for what a gateway that died had in hand. */
export interface Outcome {
  /** Requests that came in. */
  readonly arrived: number;
  /** Those whose answer has begun, or that are over without one. */
  readonly settled: number;
  /** Those whose client left before an answer began. */
  readonly abandoned: number;
  /** Requests that were answered. */
  readonly requests: number;
  /** Those with a status of 5xx. */
  readonly errors: number;
  /** From the slot to the first byte of the answer: counts by bucket, one more for what is beyond the last bound. */
  readonly times: readonly number[];
}

/** The platform's view of all columns. */
export class MeterReader {
  readonly #cells: Float64Array;
  readonly #columns: number;

  constructor(path: string, columns: number) {
    const memory = Bun.mmap(path, { shared: true });
    this.#cells = new Float64Array(memory.buffer, memory.byteOffset, CELLS * columns);
    this.#columns = columns;
  }

  /** A gauge of one gateway. */
  gauge(name: Gauge, column: number): number {
    return this.#cells[column * CELLS + gaugeIndex.get(name)!]!;
  }

  /** What the demand is measured by, over all gateways. */
  demand(): Demand {
    let refused = 0;
    for (const reason of WITHOUT_SLOT) refused += this.#sum(reasonIndex.get(reason)!);
    return {
      arrived: this.#arrived(),
      refused,
      finished: this.#sum(counterIndex.get("headrace_slots_given_back_total")!),
      missed: this.#sum(counterIndex.get("headrace_deadlines_missed_total")!),
      slotMs: 1_000 * this.#sum(counterIndex.get("headrace_slot_seconds_total")!),
    };
  }

  /** How requests went, over all gateways. */
  outcome(): Outcome {
    let [requests, errors] = [0, 0];
    for (let status = 100; status < STATUSES; status++) {
      const count = this.#sum(AT_STATUS + status);
      requests += count;
      if (status >= 500) errors += count;
    }
    const at = histogramIndex.get("headrace_service_duration_seconds")!;
    const arrived = this.#arrived();
    return {
      arrived,
      settled: arrived - this.#sum(gaugeIndex.get("headrace_requests_unanswered")!),
      abandoned: this.#sum(AT_STATUS),
      requests,
      errors,
      times: Array.from({ length: BOUNDS_S.length + 1 }, (_, i) => this.#sum(at + i)),
    };
  }

  /** Requests that came in: those that are in hand, and those that are over. */
  #arrived(): number {
    const over = histogramIndex.get("headrace_request_duration_seconds")!;
    let arrived = this.#sum(gaugeIndex.get("headrace_requests_in_gateway")!);
    for (let i = 0; i <= BOUNDS_S.length; i++) arrived += this.#sum(over + i);
    return arrived;
  }

  /** All families, added up over the gateways. */
  families(): MetricFamily[] {
    const codes: MetricSample[] = [];
    for (let status = 0; status < STATUSES; status++) {
      const value = this.#sum(AT_STATUS + status);
      if (value > 0) codes.push({ labels: { code: status === 0 ? "none" : String(status) }, value });
    }
    const reasons = REASONS.map((code) => ({
      labels: { reason: code },
      value: this.#sum(reasonIndex.get(code)!),
    }));
    return [
      {
        name: "headrace_requests_total",
        kind: "counter",
        help: "Requests answered, by status code; none: the client left before.",
        samples: codes,
      },
      {
        name: "headrace_refusals_total",
        kind: "counter",
        help: "Requests refused or failed by Headrace itself, by reason (docs/errors.md).",
        samples: reasons.filter((sample) => sample.value > 0),
      },
      ...COUNTER_NAMES.map((name) => this.#single(name, "counter", COUNTERS[name], counterIndex.get(name)!)),
      ...GAUGE_NAMES.map((name) => this.#single(name, "gauge", GAUGES[name], gaugeIndex.get(name)!)),
      ...HISTOGRAM_NAMES.map((name) => this.#histogram(name)),
    ];
  }

  #single(name: string, kind: "counter" | "gauge", help: string, at: number): MetricFamily {
    return { name, kind, help, samples: [{ labels: {}, value: this.#sum(at) }] };
  }

  #histogram(name: Histogram): MetricFamily {
    const at = histogramIndex.get(name)!;
    const counts = Array.from({ length: BOUNDS_S.length + 1 }, (_, i) => this.#sum(at + i));
    const sum = this.#sum(at + BOUNDS_S.length + 1);
    const buckets = { bounds: BOUNDS_S, counts, sum };
    return { name, kind: "histogram", help: HISTOGRAMS[name], samples: [{ labels: {}, buckets }] };
  }

  #sum(at: number): number {
    let sum = 0;
    for (let c = 0; c < this.#columns; c++) sum += this.#cells[c * CELLS + at]!;
    return sum;
  }
}

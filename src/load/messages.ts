/**
 * What a generator process says, whatever it is written in: one JSON object a message. Our own engine sends them over the channel
 * of a child process, the Python runner of scenarios as lines on its standard output.
 *
 * ```
 *   (started) ──ready──▶ waits for go ──tick every second──▶ … ──done──▶ exits
 *        └────── failed: it cannot do what was asked; nothing was sent ──┘
 * ```
 */

import type { HistogramDelta } from "./histogram.ts";

/** Why a request failed. The first of each pair is what a person reads. */
export const failures = {
  connect: "the connection could not be made",
  refused: "connection refused",
  connect_timeout: "no connection within the timeout",
  tls: "the TLS handshake failed",
  closed: "the connection was closed before an answer began",
  reset: "the connection was reset",
  cut: "the connection was closed in the middle of an answer",
  timeout: "no whole answer within the timeout",
  malformed: "the answer is not HTTP",
  status: "an unexpected status",
  length: "an unexpected length",
  body: "the body does not match",
  check: "a check of the scenario failed",
  exception: "the scenario raised an exception",
  unfinished: "still in flight when the run ended",
  files: "the generator has no file descriptor left",
  ports: "the generator has no local port left",
} as const;

export type Failure = keyof typeof failures;

/** Failures that are the generator's own: a run with any of them says nothing about the service. */
export const ownFailures: readonly Failure[] = ["files", "ports"];

/** Counted in one span of time, by one process. Everything is what came since the tick before, except where it says "now". */
export interface Tick {
  readonly type: "tick";
  /** End of the span, in seconds since the start that all processes share. */
  readonly atS: number;
  /** Length of the span in seconds. Of two ticks of one span the one for the warm-up says 0. */
  readonly spanS: number;
  /**
   * Counted here is what was due in the warm-up, which no total counts. Its last requests may end after it: then there are two
   * ticks of one span.
   */
  readonly warmup: boolean;
  /** Arrivals that were due. In a closed loop: requests begun. */
  readonly planned: number;
  /** Requests begun. */
  readonly started: number;
  /** Requests that ended, well or badly. */
  readonly done: number;
  /** Those of them that failed. */
  readonly failed: number;
  /**
   * Requests that ended well between the end of the warm-up and the moment at which the last was begun, whenever they were due.
   * Counted in a tick of either kind.
   */
  readonly inTime: number;
  /** Arrivals that the generator itself began more than 10 ms after they were due. */
  readonly late: number;
  /** Arrivals that had to wait because all connections that may be open were busy. */
  readonly blocked: number;
  /** Arrivals that were not begun at all, because too many were waiting already. */
  readonly dropped: number;
  /** Requests sent again because a connection kept alive had been closed by the other side. */
  readonly resent: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Connections made. */
  readonly opened: number;
  /** Open connections now. */
  readonly connections: number;
  /** Requests in flight now. In a scenario: users that are not idle. */
  readonly inFlight: number;
  /** Virtual users now, where there are such; else 0. */
  readonly users: number;
  /** Answers by status, "200" to "599". */
  readonly statuses: Readonly<Record<string, number>>;
  readonly failures: Readonly<Partial<Record<Failure, number>>>;
  /** From the intended start to the last byte. A request that timed out counts with the time it had. */
  readonly response: HistogramDelta;
  /** The same, of requests that did not fail. */
  readonly passed: HistogramDelta;
  /** From sending to the last byte. */
  readonly service: HistogramDelta;
  /** From sending to the first byte. */
  readonly firstByte: HistogramDelta;
  /** Making a connection, with TLS. */
  readonly connect: HistogramDelta;
  /** How late arrivals were begun. Empty in a closed loop. */
  readonly lateness: HistogramDelta;
  /** By name: of a URL of a list, or of a request of a scenario. Empty when there is one only. */
  readonly requests: Readonly<Record<string, RequestTick>>;
  /** Checks of a scenario, by name. */
  readonly checks: Readonly<Record<string, { readonly passed: number; readonly failed: number }>>;
  /** Processor time in the span, user and system, in microseconds. */
  readonly cpuUs: number;
  /** Resident memory now, in bytes. */
  readonly memoryBytes: number;
}

export interface RequestTick {
  readonly done: number;
  readonly failed: number;
  readonly response: HistogramDelta;
}

/** From a generator process. */
export type FromGenerator =
  | { readonly type: "ready" }
  | { readonly type: "failed"; readonly message: string }
  /** Something a person should know: an exception of a scenario, a first occurrence of a failure. */
  | { readonly type: "note"; readonly text: string }
  | Tick
  /** All is done; the last tick was sent. */
  | { readonly type: "done" };

/** To a generator process. */
export type ToGenerator<Plan> =
  | { readonly type: "plan"; readonly plan: Plan }
  /** Begin at this moment, in Unix milliseconds. */
  | { readonly type: "go"; readonly at: number }
  /** Begin nothing more; finish what is in flight, for at most so long. */
  | { readonly type: "finish"; readonly graceMs: number };

/**
 * What a run found: the JSON of `--json`, and what the summary, the CSV, the HTML report and `--compare` are made from. Times are
 * in the unit that the name says (S seconds, Ms milliseconds); shares are 0 to 1.
 */

/** Grows when a reader of an older form would misread a newer one. */
export const FORMAT = "headrace-load/1";

export interface LoadResult {
  readonly format: typeof FORMAT;
  readonly version: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  /** How long requests were begun for, without the warm-up. */
  readonly durationS: number;
  readonly warmupS: number;
  readonly target: TargetFacts;
  readonly plan: PlanFacts;
  readonly machine: MachineFacts;
  readonly verdict: Verdict;
  /** Whether the figures can be trusted, and what a reader has to know of how they came about. Sentences. */
  readonly notes: readonly string[];
  readonly thresholds: readonly ThresholdResult[];
  readonly totals: Totals;
  readonly latency: Latencies;
  /** Answers by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Failed requests by why; see messages.ts. */
  readonly failures: Readonly<Record<string, number>>;
  /** By name; empty when there was one URL only. */
  readonly requests: readonly RequestResult[];
  readonly checks: readonly CheckResult[];
  readonly generator: GeneratorFacts;
  /** In order of time, warm-up included. At most 1,200: in longer runs a point spans more. */
  readonly series: readonly Point[];
  /** The other side of the same minutes; null when the target is no Headrace that can be asked. */
  readonly server: ServerView | null;
  /** The steps of --find-max, in the order they were run; empty without. */
  readonly steps: readonly StepResult[];
}

export interface TargetFacts {
  readonly kind: "url" | "scenario" | "locust";
  /** The URL, or the path of the file. */
  readonly name: string;
  readonly method: string;
}

export interface PlanFacts {
  /**
   * open: requests begin on a schedule, whatever comes back. closed: each connection (or user) begins the next when the last was
   * answered. hold: connections are opened and kept.
   */
  readonly model: "open" | "closed" | "hold";
  readonly arrivals: "constant" | "poisson" | null;
  /** Points of the planned rate; between them it is a straight line. Empty in a closed loop. */
  readonly stages: readonly { readonly atS: number; readonly rate: number }[];
  /** Connections or users of a closed loop, connections to hold; in an open one the most that may be open. */
  readonly connections: number;
  readonly processes: number;
  readonly timeoutMs: number;
  readonly seed: number;
}

export interface MachineFacts {
  readonly cpus: number;
  readonly cpuModel: string;
  readonly kernel: string;
  /** The generator and the service share the machine: the figures are relative. */
  readonly local: boolean;
}

/** ok: exit 0. threshold: a threshold failed, exit 99. invalid: the generator fell short, the figures say little, exit 98. interrupted: exit 105. */
export type Verdict = "ok" | "threshold" | "invalid" | "interrupted";

export interface ThresholdResult {
  /** As written: `p99>200ms`. */
  readonly text: string;
  /** What it was, as a person reads it: `143 ms`, `0.02 %`. */
  readonly was: string;
  readonly ok: boolean;
}

export interface Totals {
  readonly planned: number;
  readonly started: number;
  readonly done: number;
  readonly failed: number;
  readonly resent: number;
  readonly late: number;
  readonly blocked: number;
  /** Arrivals that were not begun at all, because too many were waiting already. */
  readonly dropped: number;
  /** Requests begun in a second, on average; the same of what ended and did not fail. */
  readonly startedPerS: number;
  readonly passedPerS: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Connections made. */
  readonly opened: number;
  /** The most that were open at once. */
  readonly maxConnections: number;
  readonly maxInFlight: number;
}

/** A distribution of durations. */
export interface Distribution {
  readonly count: number;
  readonly minMs: number;
  readonly meanMs: number;
  readonly maxMs: number;
  readonly p50Ms: number;
  readonly p75Ms: number;
  readonly p90Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly p9999Ms: number;
  /** All of it: HdrHistogram V2 in base64, unit microseconds. */
  readonly hdr: string;
}

export interface Latencies {
  /** From the intended start to the last byte: what a user waits. */
  readonly response: Distribution;
  /** The same, of requests that did not fail. */
  readonly passed: Distribution;
  /** From sending to the last byte: what tools that leave out waiting call latency. */
  readonly service: Distribution;
  readonly firstByte: Distribution;
  readonly connect: Distribution;
  /** How late the generator began what was due: its own fault. */
  readonly lateness: Distribution;
}

export interface RequestResult {
  readonly name: string;
  readonly done: number;
  readonly failed: number;
  readonly response: Distribution;
}

export interface CheckResult {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
}

export interface GeneratorFacts {
  /** Why the generator fell short; null when it kept up. */
  readonly saturated: string | null;
  /** The most that one process used of a processor over a second. */
  readonly peakCpu: number;
  /** Cores used by all processes together, on average. */
  readonly cores: number;
  /** The most that all processes held together. */
  readonly peakMemoryBytes: number;
}

/** What happened in one span. */
export interface Point {
  /** Its end, in seconds since the start. */
  readonly atS: number;
  readonly spanS: number;
  readonly warmup: boolean;
  readonly planned: number;
  readonly started: number;
  readonly done: number;
  readonly failed: number;
  readonly late: number;
  readonly connections: number;
  readonly inFlight: number;
  readonly users: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Answers by status. */
  readonly statuses: Readonly<Record<string, number>>;
}

/** What a Headrace says of the same time. */
export interface ServerView {
  readonly admin: string;
  readonly service: string;
  /** Requests it answered. */
  readonly requests: number;
  /** Refused by it, by reason: the code in docs/errors.md. */
  readonly refusals: Readonly<Record<string, number>>;
  readonly coldStarts: number;
  /** Waiting for a slot; from the slot to the end of the answer. Within the buckets of its metrics, so coarser than ours. */
  readonly queue: ServerTime;
  readonly run: ServerTime;
  readonly series: readonly ServerPoint[];
}

export interface ServerTime {
  readonly meanMs: number;
  /** On a straight line within its bucket: a guess. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The ends of those buckets: what is known. Null where the last one has none. */
  readonly p50AtMostMs: number | null;
  readonly p99AtMostMs: number | null;
}

export interface ServerPoint {
  /** In seconds since the start, as in `series`. */
  readonly atS: number;
  /** Instances that are ready, that start. */
  readonly ready: number;
  readonly starting: number;
  /** Requests that wait in the line, that run, at that moment. */
  readonly waiting: number;
  readonly running: number;
  /** Since the point before. */
  readonly requests: number;
  readonly refused: number;
  readonly coldStarts: number;
  readonly queueP99Ms: number;
  readonly memoryBytes: number;
}

export interface StepResult {
  /** Requests per second that were offered. */
  readonly rate: number;
  readonly passedPerS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failedShare: number;
  /** Kept the promise. */
  readonly ok: boolean;
  /** The generator fell short: the step says nothing of the service. */
  readonly fellShort: boolean;
  /** Which threshold failed, or why the step says nothing. Empty when it was kept. */
  readonly why: string;
}

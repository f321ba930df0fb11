/** Results read back from the JSON that `--json` wrote. Pure: the caller reads the file. */

import { Histogram } from "../histogram.ts";
import {
  type CheckResult,
  type Distribution,
  FORMAT,
  type GeneratorFacts,
  type Latencies,
  type LoadResult,
  type MachineFacts,
  type PlanFacts,
  type Point,
  type RequestResult,
  type ServerPoint,
  type ServerTime,
  type ServerView,
  type StepResult,
  type TargetFacts,
  type ThresholdResult,
  type Totals,
} from "../result.ts";
import { isObject, list, nullable, number, object, record, type Shape, text, truth, word } from "./shape.ts";

/** A file that is no result, or one that this version cannot read. The message says what is wrong, not which file. */
export class UnreadableResult extends Error {
  override readonly name = "UnreadableResult";
}

/** The result in a file's text. Fields that are not known are let pass. Throws {@link UnreadableResult}. */
export function readResult(content: string): LoadResult {
  const value = parsed(content);
  if (
    !isObject(value) ||
    typeof value["format"] !== "string" ||
    !value["format"].startsWith("headrace-load/")
  )
    throw new UnreadableResult(
      `it is not a result of headrace load: its "format" should be "${FORMAT}". Write one with --json`,
    );
  if (value["format"] !== FORMAT)
    throw new UnreadableResult(
      `it has the format "${value["format"]}", this version reads "${FORMAT}": use the version of Headrace that wrote it, or run again`,
    );
  const wrong = result(value, "");
  if (wrong.length > 0) {
    const more = wrong.length > 3 ? `, and ${wrong.length - 3} more` : "";
    throw new UnreadableResult(`it is damaged: ${wrong.slice(0, 3).join("; ")}${more}`);
  }
  // Every field was looked at; a shape for each is what Fields<LoadResult> demands.
  return value as unknown as LoadResult;
}

function parsed(content: string): unknown {
  if (content.trim() === "") throw new UnreadableResult("it is empty");
  try {
    return JSON.parse(content);
  } catch (error) {
    throw new UnreadableResult("it is not JSON, or was cut off while it was written", { cause: error });
  }
}

const hdr: Shape = (value, path) => {
  if (typeof value !== "string") return text(value, path);
  try {
    Histogram.fromBase64(value);
    return [];
  } catch (error) {
    return [`${path}: ${error instanceof Error ? error.message : "not an HdrHistogram V2"}`];
  }
};

const amount = number(0);

const distribution = object<Distribution>({
  count: amount,
  minMs: amount,
  meanMs: amount,
  maxMs: amount,
  p50Ms: amount,
  p75Ms: amount,
  p90Ms: amount,
  p95Ms: amount,
  p99Ms: amount,
  p999Ms: amount,
  p9999Ms: amount,
  hdr,
});

const point = object<Point>({
  atS: amount,
  spanS: amount,
  warmup: truth,
  planned: amount,
  started: amount,
  done: amount,
  failed: amount,
  late: amount,
  connections: amount,
  inFlight: amount,
  users: amount,
  p50Ms: amount,
  p95Ms: amount,
  p99Ms: amount,
  maxMs: amount,
  statuses: record(amount),
});

const serverTime = object<ServerTime>({
  meanMs: amount,
  p50Ms: amount,
  p99Ms: amount,
  p50AtMostMs: nullable(amount),
  p99AtMostMs: nullable(amount),
});

const serverPoint = object<ServerPoint>({
  atS: number(),
  ready: amount,
  starting: amount,
  waiting: amount,
  running: amount,
  requests: amount,
  refused: amount,
  coldStarts: amount,
  queueP99Ms: amount,
  memoryBytes: amount,
});

const server = object<ServerView>({
  admin: text,
  service: text,
  requests: amount,
  refusals: record(amount),
  coldStarts: amount,
  queue: serverTime,
  run: serverTime,
  series: list(serverPoint),
});

const plan = object<PlanFacts>({
  model: word("open", "closed", "hold"),
  arrivals: nullable(word("constant", "poisson")),
  stages: list(object<PlanFacts["stages"][number]>({ atS: amount, rate: amount })),
  connections: amount,
  processes: amount,
  timeoutMs: amount,
  seed: number(),
});

const totals = object<Totals>({
  planned: amount,
  started: amount,
  done: amount,
  failed: amount,
  resent: amount,
  late: amount,
  blocked: amount,
  dropped: amount,
  startedPerS: amount,
  passedPerS: amount,
  bytesIn: amount,
  bytesOut: amount,
  opened: amount,
  maxConnections: amount,
  maxInFlight: amount,
});

const latencies = object<Latencies>({
  response: distribution,
  passed: distribution,
  service: distribution,
  firstByte: distribution,
  connect: distribution,
  lateness: distribution,
});

const result = object<LoadResult>({
  format: text,
  version: text,
  startedAt: text,
  durationS: amount,
  warmupS: amount,
  target: object<TargetFacts>({ kind: word("url", "scenario", "locust"), name: text, method: text }),
  plan,
  machine: object<MachineFacts>({ cpus: amount, cpuModel: text, kernel: text, local: truth }),
  verdict: word("ok", "threshold", "invalid", "interrupted"),
  notes: list(text),
  thresholds: list(object<ThresholdResult>({ text, was: text, ok: truth })),
  totals,
  latency: latencies,
  statuses: record(amount),
  failures: record(amount),
  requests: list(object<RequestResult>({ name: text, done: amount, failed: amount, response: distribution })),
  checks: list(object<CheckResult>({ name: text, passed: amount, failed: amount })),
  generator: object<GeneratorFacts>({
    saturated: nullable(text),
    peakCpu: amount,
    cores: amount,
    peakMemoryBytes: amount,
  }),
  series: list(point),
  server: nullable(server),
  steps: list(
    object<StepResult>({
      rate: amount,
      passedPerS: amount,
      p50Ms: amount,
      p99Ms: amount,
      failedShare: amount,
      ok: truth,
      fellShort: truth,
      why: text,
    }),
  ),
});

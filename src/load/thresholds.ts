/**
 * Conditions on what was measured: `p99>200ms`, `errors>0.1%`, `rate<1900`. One reader for what must not be (`--fail-if`) and for
 * what is promised (`--slo`). Pure.
 *
 *   condition  = metric operator value
 *   metric     = [time "."] (pNN | avg | med | min | max)  |  errors | late | rate | status.CODE | failure.NAME | checks
 *   time       = response (when left out) | passed | service | ttfb | connect | lateness
 *   operator   = > | >= | < | <=
 *   value      = a duration for times; a share (0.1%) or a number for counts; a number per second for rate
 */

import { exactDuration } from "../base/units.ts";
import { milliseconds, percentText } from "./figures.ts";
import { Histogram } from "./histogram.ts";
import { failures } from "./messages.ts";
import type { CheckResult, Latencies, LoadResult, Totals } from "./result.ts";

type Operator = ">" | ">=" | "<" | "<=";

/** How a value is written and read. */
type Unit = "ms" | "share" | "number";

export interface Condition {
  /** As written, without spaces. */
  readonly text: string;
  readonly operator: Operator;
  readonly value: number;
  readonly unit: Unit;
  /** What is compared; null when nothing was measured that could be. */
  readonly measure: (seen: Seen) => number | null;
}

/** What conditions look at. */
export interface Seen {
  readonly counts: Pick<Totals, "planned" | "done" | "failed" | "late">;
  readonly statuses: Readonly<Record<string, number>>;
  readonly failures: Readonly<Record<string, number>>;
  readonly checks: readonly CheckResult[];
  readonly latency: Readonly<Record<keyof Latencies, Histogram>>;
  /** Passed in a second, while requests were begun. */
  readonly passedPerS: number;
}

export type ReadCondition =
  | { readonly ok: true; readonly condition: Condition }
  | { readonly ok: false; readonly message: string; readonly instead: string };

const TIMES: Readonly<Record<string, keyof Latencies>> = {
  response: "response",
  passed: "passed",
  service: "service",
  ttfb: "firstByte",
  connect: "connect",
  lateness: "lateness",
};

/** Reads one condition. */
export function readCondition(written: string): ReadCondition {
  const text = written.replaceAll(/\s+/g, "");
  const parts = /^([a-z0-9_.]+)(>=|<=|>|<)(.+)$/i.exec(text);
  if (parts === null)
    return wrong(
      text,
      "a condition",
      "Write a metric, > or <, and a value: p99>200ms, errors>0.1%, rate<1900.",
    );
  const [, name, operator, valueText] = parts as unknown as [string, string, Operator, string];
  const metric = metricOf(name.toLowerCase());
  if (metric === null)
    return wrong(
      name,
      "a metric",
      "There are p50 to p99.99, avg, med, min and max (also of passed., service., ttfb. and connect.), errors, late, rate, checks, status.503, failure.timeout.",
    );
  const value = readValue(valueText, metric);
  if (value === null) return wrong(valueText, `a value for ${name}`, `Write ${metric.example}.`);
  return {
    ok: true,
    condition: { text, operator, value: value.value, unit: value.unit, measure: metric.measure(value.unit) },
  };
}

function wrong(text: string, what: string, instead: string): ReadCondition {
  return { ok: false, message: `${JSON.stringify(text)} is not ${what}.`, instead };
}

/** Whether the condition is met, and what was measured, as a person reads it. A figure that is not there meets nothing. */
export function evaluate(condition: Condition, seen: Seen): { readonly met: boolean; readonly was: string } {
  const was = condition.measure(seen);
  if (was === null) return { met: false, was: "nothing measured" };
  return { met: compare(was, condition), was: written(was, condition.unit) };
}

/** A finished run, to be looked at again. */
export function seenOf(result: LoadResult): Seen {
  const histograms = Object.entries(result.latency).map(([kind, { hdr }]) => [
    kind,
    Histogram.fromBase64(hdr),
  ]);
  const { totals: counts, statuses, failures: failed, checks } = result;
  return {
    counts,
    statuses,
    failures: failed,
    checks,
    passedPerS: counts.passedPerS,
    latency: Object.fromEntries(histograms),
  };
}

function compare(was: number, { operator, value }: Condition): boolean {
  switch (operator) {
    case ">":
      return was > value;
    case ">=":
      return was >= value;
    case "<":
      return was < value;
    case "<=":
      return was <= value;
  }
}

function written(value: number, unit: Unit): string {
  if (unit === "ms") return milliseconds(value);
  if (unit === "share") return percentText(value);
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}

interface Metric {
  readonly units: readonly Unit[];
  readonly example: string;
  readonly measure: (unit: Unit) => (seen: Seen) => number | null;
}

function metricOf(name: string): Metric | null {
  const [head = "", ...rest] = name.split(".");
  const time = TIMES[head];
  if (time !== undefined && rest.length > 0) return timeMetric(time, rest.join("."));
  if (head === "status" && /^[1-5]\d\d$/.test(rest.join("."))) return statusMetric(rest[0]!);
  if (head === "failure" && rest.length === 1 && Object.hasOwn(failures, rest[0]!))
    return countMetric(({ failures: all }) => all[rest[0]!] ?? 0, done);
  if (name === "errors") return countMetric(({ counts }) => counts.failed, done);
  if (name === "late")
    return countMetric(
      ({ counts }) => counts.late,
      ({ counts }) => counts.planned,
    );
  if (name === "checks") return checksMetric();
  if (name === "rate") {
    const measure = () => (seen: Seen) => seen.passedPerS;
    return { units: ["number"], example: "rate<1900", measure };
  }
  return timeMetric("response", name);
}

function timeMetric(time: keyof Latencies, stat: string): Metric | null {
  const of = statOf(stat);
  if (of === null) return null;
  const measure = () => (seen: Seen) => {
    const histogram = seen.latency[time];
    return histogram.count === 0 ? null : of(histogram) / 1_000;
  };
  return { units: ["ms"], example: `${stat}>200ms`, measure };
}

function statOf(stat: string): ((histogram: Histogram) => number) | null {
  const percent = /^p(\d{1,2}(?:\.\d{1,3})?|100)$/.exec(stat);
  if (percent !== null) return (histogram) => histogram.percentile(Number(percent[1]));
  if (stat === "avg" || stat === "mean") return (histogram) => histogram.meanUs;
  if (stat === "med") return (histogram) => histogram.percentile(50);
  if (stat === "min") return (histogram) => histogram.minUs;
  if (stat === "max") return (histogram) => histogram.maxUs;
  return null;
}

const done = ({ counts }: Seen) => counts.done;

function countMetric(count: (seen: Seen) => number, whole: (seen: Seen) => number): Metric {
  const measure = (unit: Unit) => (seen: Seen) => {
    const of = whole(seen);
    if (unit !== "share") return count(seen);
    return of === 0 ? null : count(seen) / of;
  };
  return { units: ["share", "number"], example: "errors>0.1% or errors>10", measure };
}

function statusMetric(status: string): Metric {
  return countMetric(({ statuses }) => statuses[status] ?? 0, done);
}

function checksMetric(): Metric {
  const sums = ({ checks }: Seen) => {
    const passed = checks.reduce((sum, check) => sum + check.passed, 0);
    return { passed, all: passed + checks.reduce((sum, check) => sum + check.failed, 0) };
  };
  const metric = countMetric(
    (seen) => sums(seen).passed,
    (seen) => sums(seen).all,
  );
  return { ...metric, example: "checks<99%" };
}

function readValue(text: string, { units }: Metric): { readonly value: number; readonly unit: Unit } | null {
  if (units.includes("ms")) {
    // A bare number is milliseconds, as in k6: seconds would hardly ever be meant here.
    const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) : exactDuration(text);
    return ms === null ? null : { value: ms, unit: "ms" };
  }
  const share = /^(\d+(?:\.\d+)?)%$/.exec(text);
  if (share !== null)
    return units.includes("share") ? { value: Number(share[1]) / 100, unit: "share" } : null;
  return /^\d+(\.\d+)?$/.test(text) ? { value: Number(text), unit: "number" } : null;
}

/** Which plots a report has, and what each is made from. Pure. */

import { Histogram } from "../histogram.ts";
import type { Distribution, LoadResult, Point, ServerPoint, StepResult } from "../result.ts";
import { duration, short, span } from "./format.ts";
import type { Line, Plot } from "./plot.ts";
import { fitted, labels, linear, percentiles, type Scale, time } from "./scale.ts";

/** The plots of the client's side over time, in their order on the page. */
export function clientPlots(result: LoadResult): Plot[] {
  const { series } = result;
  if (series.length === 0) return [];
  const base = timeBase(result);
  return [ratePlot(result, base), latencyPlot(result, base), openPlot(result, base)];
}

/** The service's side under the same axis; empty without one. */
export function serverPlots(result: LoadResult): Plot[] {
  const series = result.server?.series ?? [];
  if (series.length === 0) return [];
  const base = timeBase(result);
  const plots = [instancesPlot(series, base), workPlot(series, base)];
  if (series.some((point) => point.refused > 0 || point.coldStarts > 0))
    plots.push(refusedPlot(series, base));
  return [...plots, queuePlot(result, series, base)];
}

interface TimeBase {
  readonly x: Scale;
  readonly shades: Plot["shades"];
}

function timeBase(result: LoadResult): TimeBase {
  const ends = [result.series.at(-1)?.atS ?? 0, result.server?.series.at(-1)?.atS ?? 0];
  const end = Math.max(...ends);
  const warmup = result.series.findLast((point) => point.warmup)?.atS ?? 0;
  const begun = result.warmupS + result.durationS;
  const shades = [
    { from: 0, to: warmup, label: "warm-up" },
    // Too narrow, and its words would stand on the figures of others.
    { from: begun < end * 0.9 ? begun : end, to: end, label: "waiting for the rest" },
  ];
  return { x: time(end), shades: shades.filter(({ from, to }) => to > from) };
}

/** A span in which nothing was answered (what is refused or cut has no time) has no percentiles: its zeros are no latencies. */
const timed = (point: Point) => point.maxMs > 0;

/** What happened in a span is drawn at its middle; what was at its end, there. */
const middle = (point: Point) => point.atS - point.spanS / 2;

function ratePlot({ series, plan }: LoadResult, { x, shades }: TimeBase): Plot {
  const rate = (pick: (point: Point) => number) => series.map((point) => pick(point) / point.spanS);
  const failed = series.reduce((sum, point) => sum + point.failed, 0);
  const failures = rate((point) => point.failed);
  const lines: Line[] = [
    { name: "failed", tone: "red", style: "area", kind: "rate", values: failures },
    { name: "", tone: "red", style: "rug", kind: "rate", values: failures },
    { name: "planned", tone: "grey", style: "dashed", kind: "rate", values: rate((point) => point.planned) },
    { name: "begun", tone: "blue-soft", style: "line", kind: "rate", values: rate((point) => point.started) },
    {
      name: "passed",
      tone: "blue",
      style: "line",
      kind: "rate",
      values: rate((point) => point.done - point.failed),
    },
  ];
  // A red line along the foot would look like something, and a closed loop plans nothing.
  const shown = lines.filter(
    (line) => (failed > 0 || line.tone !== "red") && (plan.model === "open" || line.name !== "planned"),
  );
  const xs = series.map(middle);
  return {
    id: "rate",
    title: "Rate",
    unit: "requests/s",
    says: `${described(shown, xs, labels.number)} ${failed === 0 ? "None failed." : `${short(failed)} failed.`}`,
    xs,
    x,
    y: linear(largest(shown), labels.number),
    lines: shown,
    shades,
    highPx: 190,
    hint: "",
  };
}

function latencyPlot({ series, plan }: LoadResult, { x, shades }: TimeBase): Plot {
  const values = (pick: (point: Point) => number) =>
    series.map((point) => (timed(point) ? pick(point) : Number.NaN));
  const lines: Line[] = [
    { name: "max", tone: "grey", style: "thin", kind: "ms", values: values((point) => point.maxMs) },
    { name: "p99", tone: "deep", style: "line", kind: "ms", values: values((point) => point.p99Ms) },
    { name: "p95", tone: "blue", style: "line", kind: "ms", values: values((point) => point.p95Ms) },
    { name: "p50", tone: "blue-soft", style: "line", kind: "ms", values: values((point) => point.p50Ms) },
  ];
  const xs = series.map(middle);
  const y = fitted(
    lines.flatMap((line) => line.values),
    labels.ms,
  );
  return {
    id: "latency",
    title: "Latency",
    unit: `from ${plan.model === "open" ? "the intended start" : "sending"} to the last byte${y.kind === "log" ? ", log scale" : ""}`,
    says: described(lines, xs, labels.ms),
    xs,
    x,
    y,
    lines,
    shades,
    highPx: 230,
    hint: "",
  };
}

function openPlot({ series }: LoadResult, { x, shades }: TimeBase): Plot {
  const users = series.some((point) => point.users > 0);
  const lines: Line[] = [
    {
      name: "connections",
      tone: "grey",
      style: "line",
      kind: "number",
      values: series.map((point) => point.connections),
    },
    ...(users
      ? [
          {
            name: "users",
            tone: "orange",
            style: "line",
            kind: "number",
            values: series.map((point) => point.users),
          } as const,
        ]
      : []),
    {
      name: "in flight",
      tone: "blue",
      style: "line",
      kind: "number",
      values: series.map((point) => point.inFlight),
    },
  ];
  const xs = series.map((point) => point.atS);
  return {
    id: "open",
    title: users ? "In flight, connections, users" : "In flight, connections",
    unit: "at the end of each span",
    says: described(lines, xs, labels.number),
    xs,
    x,
    y: linear(largest(lines), labels.number),
    lines,
    shades,
    highPx: 140,
    hint: "",
  };
}

function instancesPlot(series: readonly ServerPoint[], { x, shades }: TimeBase): Plot {
  const lines: Line[] = [
    {
      name: "ready",
      tone: "blue",
      style: "area",
      kind: "number",
      values: series.map((point) => point.ready),
    },
    {
      name: "starting",
      tone: "orange",
      style: "line",
      kind: "number",
      values: series.map((point) => point.starting),
    },
    ...(series.some((point) => point.coldStarts > 0)
      ? [
          {
            name: "cold starts",
            tone: "orange",
            style: "dots",
            kind: "number",
            values: series.map((point) => (point.coldStarts > 0 ? point.coldStarts : Number.NaN)),
          } as const,
        ]
      : []),
  ];
  return {
    id: "instances",
    title: "Instances",
    unit: "",
    says: described(
      lines,
      series.map((point) => point.atS),
      labels.number,
    ),
    xs: series.map((point) => point.atS),
    x,
    y: linear(Math.max(4, largest(lines)), labels.number),
    lines,
    shades,
    highPx: 100,
    hint: "",
  };
}

function workPlot(series: readonly ServerPoint[], { x, shades }: TimeBase): Plot {
  const xs = series.map((point) => point.atS);
  const lines: Line[] = [
    {
      name: "waiting in the line",
      tone: "orange",
      style: "line",
      kind: "number",
      values: series.map((point) => point.waiting),
    },
    {
      name: "running",
      tone: "blue",
      style: "line",
      kind: "number",
      values: series.map((point) => point.running),
    },
  ];
  return {
    id: "work",
    title: "Requests in the service",
    unit: "at that moment",
    says: described(lines, xs, labels.number),
    xs,
    x,
    y: linear(Math.max(4, largest(lines)), labels.number),
    lines,
    shades,
    highPx: 120,
    hint: "",
  };
}

function refusedPlot(series: readonly ServerPoint[], { x, shades }: TimeBase): Plot {
  const xs = series.map((point) => point.atS);
  const perS = series.map(
    (point, at) => point.refused / Math.max(0.001, point.atS - (series[at - 1]?.atS ?? 0)),
  );
  const lines: Line[] = [{ name: "refused", tone: "red", style: "area", kind: "rate", values: perS }];
  return {
    id: "refused",
    title: "Refusals",
    unit: "requests/s",
    says: described(lines, xs, labels.number),
    xs,
    x,
    y: linear(largest(lines), labels.number),
    lines,
    shades,
    highPx: 100,
    hint: "",
  };
}

function queuePlot(result: LoadResult, server: readonly ServerPoint[], { x, shades }: TimeBase): Plot {
  const xs = server.map((point) => point.atS);
  const lines: Line[] = [
    {
      name: "clients' p99",
      tone: "grey",
      style: "thin",
      kind: "ms",
      values: nearest(result.series, xs),
    },
    {
      name: "waiting in the line, p99",
      tone: "orange",
      style: "line",
      kind: "ms",
      values: server.map((point) => point.queueP99Ms),
    },
  ];
  const y = fitted(
    lines.flatMap((line) => line.values),
    labels.ms,
  );
  return {
    id: "queue",
    title: "Waiting for a slot",
    unit: y.kind === "log" ? "log scale" : "",
    says: described(lines, xs, labels.ms),
    xs,
    x,
    y,
    lines,
    shades,
    highPx: 140,
    hint: y.kind === "log" ? "Where nothing waited the line lies at the foot." : "",
  };
}

/** The clients' p99 at the moments of the server: of the point whose span holds it. */
function nearest(series: readonly Point[], xs: readonly number[]): number[] {
  let at = 0;
  return xs.map((x) => {
    while (at < series.length - 1 && series[at]!.atS < x) at++;
    const point = series[at];
    return point === undefined || !timed(point) ? Number.NaN : point.p99Ms;
  });
}

/** Points of the percentile plot in each tenfold of 1/(1−p). */
const PER_DECADE = 40;

/** Latency by percentile, after the plots of HdrHistogram: the response time and, beside it, what counting from sending would have said. */
export function percentilePlot(result: LoadResult): Plot | null {
  const { response, service } = result.latency;
  if (response.count === 0) return null;
  const x = percentiles(response.count);
  const steps = Math.ceil(Math.log10(1 / (1 - x.to)) * PER_DECADE);
  const xs = Array.from({ length: steps + 1 }, (_, at) => Math.min(x.to, 1 - 10 ** (-at / PER_DECADE)));
  const lines: Line[] = [];
  const open = result.plan.model === "open";
  if (open && service.count > 0)
    lines.push({
      name: "service, from sending",
      tone: "orange",
      style: "line",
      kind: "ms",
      values: curve(service, xs),
    });
  // On top: where both are the same there is one line to see.
  lines.push({
    name: open ? "response, from the intended start" : "response, from sending",
    tone: "blue",
    style: "line",
    kind: "ms",
    values: curve(response, xs),
  });
  const y = fitted(
    lines.flatMap((line) => line.values),
    labels.ms,
  );
  return {
    id: "percentiles",
    title: "Latency by percentile",
    unit: y.kind === "log" ? "log scale" : "",
    says: `Half of the responses took at most ${duration(response.p50Ms)}, 99 % at most ${duration(response.p99Ms)}, 99.9 % at most ${duration(response.p999Ms)}, the slowest ${duration(response.maxMs)}.${open ? ` Counted from sending: 99 % at most ${duration(service.p99Ms)}.` : ""}`,
    xs,
    x,
    y,
    lines,
    shades: [],
    highPx: 250,
    hint: hintOf(result),
  };
}

function hintOf({ latency: { response, service }, plan, totals }: LoadResult): string {
  if (plan.model === "closed")
    return "A closed loop sends only when the last answer came: in a stall it sends little, and so counts little of it. An open one (--rate) shows what users would wait.";
  if (plan.model === "hold") return "";
  const parts = (["p50Ms", "p75Ms", "p90Ms", "p95Ms", "p99Ms", "p999Ms"] as const).some(
    (percentile) => response[percentile] > service[percentile] * 1.1 + 1,
  );
  if (!parts) return "";
  const why =
    totals.blocked > 0
      ? "requests were due but could not be sent yet, because all connections were busy"
      : "requests were sent later than they were due: the generator, or the machine it shares, was busy";
  return `Where the lines part, ${why}. Tools that count from sending leave this wait out (coordinated omission).`;
}

/** The values at shares. What lies below the smallest is the smallest; the largest is exact. */
function curve(distribution: Distribution, shares: readonly number[]): number[] {
  const histogram = Histogram.fromBase64(distribution.hdr);
  return shares.map((p) =>
    Math.min(
      distribution.maxMs,
      Math.max(
        distribution.minMs,
        1 - p <= 1.0001 / distribution.count ? distribution.maxMs : histogram.percentile(p * 100) / 1_000,
      ),
    ),
  );
}

/** The steps of --find-max: rate against p99. */
export function stepsPlot(steps: readonly StepResult[]): Plot | null {
  if (steps.length === 0) return null;
  const sorted = [...steps].sort((a, b) => a.rate - b.rate);
  const pick = (take: (step: StepResult) => boolean) =>
    sorted.map((step) => (take(step) ? step.p99Ms : Number.NaN));
  const lines: Line[] = [
    { name: "p99", tone: "grey", style: "thin", kind: "ms", values: sorted.map((step) => step.p99Ms) },
    { name: "kept the promise", tone: "blue", style: "dots", kind: "ms", values: pick((step) => step.ok) },
    { name: "did not", tone: "red", style: "dots", kind: "ms", values: pick((step) => !step.ok) },
  ];
  const best = sorted.findLast((step) => step.ok);
  const x = linear(sorted.at(-1)!.rate, labels.number, 8);
  return {
    id: "steps",
    title: "p99 by rate",
    unit: "requests/s offered, p99 of the response",
    says: `${sorted.length} rates were tried. ${best === undefined ? "None kept the promise." : `The highest that kept the promise: ${short(best.rate)} requests/s, p99 ${duration(best.p99Ms)}.`}`,
    xs: sorted.map((step) => step.rate),
    x,
    y: fitted(
      sorted.map((step) => step.p99Ms),
      labels.ms,
    ),
    lines,
    shades: [],
    highPx: 210,
    hint: "",
  };
}

function largest(lines: readonly Line[]): number {
  let most = 0;
  for (const line of lines) for (const value of line.values) if (value > most) most = value;
  return most;
}

/** `p99: 12 ms to 1.02 s, highest at 31 s.` for each line. */
function described(lines: readonly Line[], xs: readonly number[], say: (value: number) => string): string {
  return lines
    .filter((line) => line.name !== "")
    .map(({ name, values }) => {
      let [low, high] = [-1, -1];
      for (const [at, value] of values.entries()) {
        if (Number.isNaN(value)) continue;
        if (low < 0 || value < values[low]!) low = at;
        if (high < 0 || value > values[high]!) high = at;
      }
      if (high < 0) return `${name}: nothing.`;
      if (values[low] === values[high]) return `${name}: ${say(values[high]!)} throughout.`;
      return `${name}: ${say(values[low]!)} to ${say(values[high]!)}, highest at ${span(xs[high]!)}.`;
    })
    .join(" ");
}

/**
 * Two runs beside each other: what changed, and whether it is more than chance. Pure.
 *
 * A change is a regression when it is for the worse, outside of the noise of both runs (noise.ts), and large enough to matter
 * ({@link MATTERS}). The bands are made for all judgements together: of a hundred comparisons of two runs that differ by chance
 * within the runs, about one finds a regression.
 */

import { Random } from "../random.ts";
import type { LoadResult, PlanFacts, Point } from "../result.ts";
import { comparability, type Reservation } from "./comparable.ts";
import { serverChanges, statusChanges, stepChange } from "./compare-more.ts";
import { band, blockSize, differences, type Figure, Seconds, studentQuantile } from "./noise.ts";

/** How large a change must be to be called one, whatever the noise: relative, for shares in points of 1. */
export const MATTERS = { latency: 0.05, rate: 0.02, share: 0.0001 } as const;

/** With fewer measured points there is no telling chance from change. */
export const LEAST_POINTS = 8;

/** Normal quantile of 99.9 %, one-sided: six judgements of two sides, all right in 99 of 100 comparisons (Bonferroni). */
const Z = 3.144;

export interface Change {
  /** `response p99`, `status 503`. */
  readonly name: string;
  readonly unit: "ms" | "perS" | "share" | "count";
  readonly before: number;
  readonly after: number;
  /**
   * How far the figure moves by chance: a factor about 1 less 1 for ms and perS (0.03: 3 % up or down), points of 1 for shares,
   * a number for counts. null when it is not known.
   */
  readonly noise: number | null;
  /** same: within the noise, or too small to matter. changed: outside, neither good nor bad. unjudged: no noise is known. */
  readonly verdict: "same" | "better" | "worse" | "changed" | "unjudged";
}

export interface Comparison {
  /** What clients saw. Only these decide. */
  readonly client: readonly Change[];
  readonly statuses: readonly Change[];
  /** What the service says, to explain the rest; empty when one of the runs has nothing of it. */
  readonly server: readonly Change[];
  readonly reservations: readonly Reservation[];
  /** No reservation is so grave that the runs say nothing of each other. */
  readonly comparable: boolean;
  /** 99 when something that clients saw is worse outside of the noise, 98 when nothing could be judged, else 0. */
  readonly exitCode: 0 | 98 | 99;
}

export interface CompareOptions {
  /** Of the draws: the same seed gives the same bands. Default 1. */
  readonly seed?: number;
  /** How many times the seconds are drawn anew. Default 1,000. */
  readonly times?: number;
}

/** Compares a run with an earlier one. */
export function compare(before: LoadResult, after: LoadResult, options: CompareOptions = {}): Comparison {
  const reservations = [...comparability(before, after), ...fewPoints(before, after)];
  const search = before.steps.length > 0 && after.steps.length > 0;
  const judged = search
    ? { client: [stepChange(before, after)], statuses: [], server: [] }
    : judgements(before, after, options);
  return {
    ...judged,
    reservations,
    comparable: !reservations.some((each) => each.grave),
    exitCode: exitCodeOf(judged.client),
  };
}

function exitCodeOf(client: readonly Change[]): Comparison["exitCode"] {
  if (client.some(({ verdict }) => verdict === "worse")) return 99;
  return client.every(({ verdict }) => verdict === "unjudged") ? 98 : 0;
}

/** One figure to be judged. */
interface Judged extends Pick<Change, "name" | "unit" | "before" | "after"> {
  readonly figure: Figure;
  /** Which way is worse; neither for what is just different. */
  readonly worse: "up" | "down" | "neither";
  readonly matters: number;
  /** The least deviation that there is, from counting alone; 0 where nothing is counted. */
  readonly floor: number;
}

const DONE = 0;
const FAILED = 1;
const SPAN = 2;

function judgements(
  before: LoadResult,
  after: LoadResult,
  options: CompareOptions,
): Pick<Comparison, "client" | "statuses" | "server"> {
  const client = [
    ...rateFigures(before, after),
    ...latencyFigures(before, after),
    failureFigure(before, after),
  ];
  const statuses = [...new Set([...Object.keys(before.statuses), ...Object.keys(after.statuses)])].sort();
  const mix = statuses.map((status, at) =>
    shareFigure(`status ${status}`, share(before, status), share(after, status), SPAN + 1 + at),
  );
  const noise = noiseOf(before, after, [...client, ...mix], { statuses, options });
  return {
    client: [...client.map((each, at) => judge(each, noise[at]!)), ...heldConnections(before, after)],
    statuses: statusChanges(mix.map((each, at) => judge(each, noise[client.length + at]!))),
    server: serverChanges(before, after),
  };
}

function noiseOf(
  before: LoadResult,
  after: LoadResult,
  figures: readonly Judged[],
  { statuses, options }: { readonly statuses: readonly string[]; readonly options: CompareOptions },
): (number | null)[] {
  const paired = inStep(before, after);
  const [earlier, later] = paired
    ? evened(measured(before), measured(after))
    : [measured(before), measured(after)];
  if (Math.min(earlier.length, later.length) < LEAST_POINTS) return figures.map(() => null);
  const seconds = (result: LoadResult, points: readonly Point[]) =>
    new Seconds(result, points, [
      points.map((point) => point.done),
      points.map((point) => point.failed),
      points.map((point) => point.spanS),
      ...statuses.map((status) => points.map((point) => point.statuses[status] ?? 0)),
    ]);
  const found = differences(
    { before: seconds(before, earlier), after: seconds(after, later), paired },
    figures.map((each) => each.figure),
    { random: new Random(options.seed ?? 1), times: options.times ?? 1_000 },
  );
  const least = Math.min(earlier.length, later.length);
  const quantile = studentQuantile(Z, least / blockSize(least) - 1);
  return figures.map((each, at) => {
    if (isRelative(each.unit)) return Math.expm1(band(found[at]!, quantile));
    // A count knows its least spread from counting; the draws add what comes in bursts.
    return Math.max(band(found[at]!, Z), Z * each.floor);
  });
}

function rateFigures(before: LoadResult, after: LoadResult): Judged[] {
  if (before.plan.model === "hold") return [];
  return [
    {
      name: "passed",
      unit: "perS",
      before: before.totals.passedPerS,
      after: after.totals.passedPerS,
      figure: ({ quantities }) => Math.log((quantities[DONE]! - quantities[FAILED]!) / quantities[SPAN]!),
      // On another plan more or less is neither good nor bad.
      worse: samePlan(before.plan, after.plan) ? "down" : "neither",
      matters: MATTERS.rate,
      floor: 0,
    },
  ];
}

const PERCENTILES = [
  ["p50", 0.5, "p50Ms"],
  ["p90", 0.9, "p90Ms"],
  ["p99", 0.99, "p99Ms"],
  ["p99.9", 0.999, "p999Ms"],
] as const;

function latencyFigures(before: LoadResult, after: LoadResult): Judged[] {
  const [a, b] = [before.latency.response, after.latency.response];
  return PERCENTILES.filter(([, part]) => Math.min(a.count, b.count) * (1 - part) >= 1).map(
    ([name, part, key]) => ({
      name: `response ${name}`,
      unit: "ms",
      before: a[key],
      after: b[key],
      figure: ({ logPercentile }) => logPercentile(part),
      worse: "up",
      matters: MATTERS.latency,
      floor: 0,
    }),
  );
}

function failureFigure(before: LoadResult, after: LoadResult): Judged {
  const of = ({ totals }: LoadResult) => ({ part: totals.failed, whole: totals.done });
  return { ...shareFigure("failed", of(before), of(after), FAILED), worse: "up" };
}

interface Share {
  readonly part: number;
  readonly whole: number;
}

/** Statuses as a share of all that ended. */
function share({ statuses, totals }: LoadResult, status: string): Share {
  return { part: statuses[status] ?? 0, whole: totals.done };
}

function shareFigure(name: string, before: Share, after: Share, quantity: number): Judged {
  const ratio = ({ part, whole }: Share) => (whole === 0 ? 0 : part / whole);
  // What happened a few times or never has no spread to draw from; counting has: of two binomial shares, half an event added.
  const all = before.whole + after.whole + 1;
  const both = (before.part + after.part + 0.5) / all;
  const floor = Math.sqrt(
    Math.max(0, both * (1 - both)) * (1 / Math.max(1, before.whole) + 1 / Math.max(1, after.whole)),
  );
  return {
    name,
    unit: "share",
    before: ratio(before),
    after: ratio(after),
    figure: ({ quantities }) => (quantities[DONE]! > 0 ? quantities[quantity]! / quantities[DONE]! : 0),
    worse: "neither",
    matters: MATTERS.share,
    floor,
  };
}

function judge({ name, unit, before, after, worse, matters }: Judged, noise: number | null): Change {
  const change = {
    name,
    unit,
    before,
    after,
    noise: noise !== null && Number.isFinite(noise) ? noise : null,
  };
  if (change.noise === null) return { ...change, verdict: "unjudged" };
  return { ...change, verdict: verdictOf(change, { noise: change.noise, matters, worse }) };
}

function verdictOf(
  { unit, before, after }: Pick<Change, "unit" | "before" | "after">,
  {
    noise,
    matters,
    worse,
  }: { readonly noise: number; readonly matters: number; readonly worse: Judged["worse"] },
): Change["verdict"] {
  const [low, high] = [Math.min(before, after), Math.max(before, after)];
  // Relative changes are judged as factors, so that up and down are alike: a half is as far as the double.
  const far = isRelative(unit)
    ? low > 0
      ? high / low - 1
      : high > 0
        ? Number.POSITIVE_INFINITY
        : 0
    : high - low;
  if (far <= noise || far < matters) return "same";
  if (worse === "neither") return "changed";
  return after > before === (worse === "up") ? "worse" : "better";
}

function isRelative(unit: Change["unit"]): boolean {
  return unit === "ms" || unit === "perS";
}

/** Connections that a run held: there is no chance in them. */
function heldConnections(before: LoadResult, after: LoadResult): Change[] {
  if (before.plan.model !== "hold" || after.plan.model !== "hold") return [];
  const [a, b] = [before.totals.maxConnections, after.totals.maxConnections];
  const far = Math.abs(b - a) > Math.max(1, a * MATTERS.rate);
  const verdict = !far ? "same" : b < a ? "worse" : "better";
  return [
    {
      name: "connections held",
      unit: "count",
      before: a,
      after: b,
      noise: Math.max(1, a * MATTERS.rate),
      verdict,
    },
  ];
}

/** The points that the totals count. */
export function measured({ series }: LoadResult): Point[] {
  return series.filter((point) => !point.warmup);
}

/** Whether both were to send the same, if not for as long. */
function samePlan(a: PlanFacts, b: PlanFacts): boolean {
  if (a.model !== b.model) return false;
  return a.model === "open"
    ? JSON.stringify(a.stages) === JSON.stringify(b.stages)
    : a.connections === b.connections;
}

/** Whether the n-th second of one run was planned as the n-th of the other. */
function inStep(before: LoadResult, after: LoadResult): boolean {
  const [a, b] = [measured(before).length, measured(after).length];
  return (
    before.plan.model === "open" &&
    samePlan(before.plan, after.plan) &&
    Math.abs(a - b) <= 1 + Math.max(a, b) * 0.05
  );
}

function evened(a: readonly Point[], b: readonly Point[]): [readonly Point[], readonly Point[]] {
  const n = Math.min(a.length, b.length);
  return [a.slice(0, n), b.slice(0, n)];
}

function fewPoints(before: LoadResult, after: LoadResult): Reservation[] {
  const least = Math.min(measured(before).length, measured(after).length);
  if (least >= LEAST_POINTS || before.steps.length > 0) return [];
  return [
    {
      grave: true,
      text: `A run has ${least} measured seconds; below ${LEAST_POINTS} chance cannot be told from change, so nothing is judged.`,
    },
  ];
}

/** What a comparison says beside the clients' figures: statuses, the service's side, the results of a search. Pure. */

import type { LoadResult, ServerView } from "../result.ts";
import type { Change } from "./compare.ts";

/** Statuses that one of the runs has more than a trace of; the first is the most frequent. */
export function statusChanges(changes: readonly Change[]): Change[] {
  return [...changes].sort((a, b) => Math.max(b.before, b.after) - Math.max(a.before, a.after));
}

/**
 * The service's own figures. They explain, and are not judged: its times come in buckets, and how many instances there are is its
 * business.
 */
export function serverChanges(before: LoadResult, after: LoadResult): Change[] {
  const [a, b] = [before.server, after.server];
  if (a === null || b === null) return [];
  const row = (name: string, unit: Change["unit"], pick: (server: ServerView) => number): Change => ({
    name,
    unit,
    before: pick(a),
    after: pick(b),
    noise: null,
    verdict: "unjudged",
  });
  return [
    row("waiting, p50", "ms", (server) => server.queue.p50Ms),
    row("waiting, p99", "ms", (server) => server.queue.p99Ms),
    row("in the app, p50", "ms", (server) => server.run.p50Ms),
    row("in the app, p99", "ms", (server) => server.run.p99Ms),
    row("refused", "share", refused),
    row("cold starts", "count", (server) => server.coldStarts),
    row("instances, on average", "count", (server) => average(server.series.map((point) => point.ready))),
    row("in the line, on average", "count", (server) => average(server.series.map((point) => point.waiting))),
  ];
}

function refused({ refusals, requests }: ServerView): number {
  const all = Object.values(refusals).reduce((sum, each) => sum + each, 0);
  return requests === 0 ? 0 : Math.min(1, all / requests);
}

function average(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * The highest rate that kept the promise. A search finds it to within the gap between its steps: the noise is the larger gap of
 * the two runs.
 */
export function stepChange(before: LoadResult, after: LoadResult): Change {
  const [a, b] = [best(before), best(after)];
  const gap = Math.max(a.gap, b.gap);
  // Factors, as for every rate.
  const noise = Math.min(a.rate, b.rate) > 0 ? gap / Math.min(a.rate, b.rate) : null;
  const change = {
    name: "highest rate that kept the promise",
    unit: "perS",
    before: a.rate,
    after: b.rate,
    noise,
  } as const;
  if (a.rate === b.rate) return { ...change, verdict: "same" };
  if (noise !== null && Math.abs(a.rate - b.rate) <= gap) return { ...change, verdict: "same" };
  return { ...change, verdict: b.rate < a.rate ? "worse" : "better" };
}

function best({ steps }: LoadResult): { readonly rate: number; readonly gap: number } {
  const rate = Math.max(0, ...steps.filter((step) => step.ok).map((step) => step.rate));
  const above = Math.min(...steps.filter((step) => !step.ok && step.rate > rate).map((step) => step.rate));
  return { rate, gap: Number.isFinite(above) ? above - rate : 0 };
}

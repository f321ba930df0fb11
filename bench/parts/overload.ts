/** Twice and five times what can be done, open loop, each request with a deadline; then eight tenths. */
import type { Bench, Outcome, Running } from "../frame/bench.ts";
import type { Part } from "../frame/part.ts";
import { quantile } from "../frame/statistics.ts";
import { type Flood, flood, type Second } from "../load/flood.ts";
import { headrace } from "../stacks/headrace.ts";
import { granian, uvicorn } from "../stacks/python.ts";
import type { App, Stack } from "../stacks/stack.ts";

/** Eight places of 40 ms within the app are the limit, not the processors that the generator needs as well. */
const PLACES = 8;
const CAPACITY = 200;
const APP: App = { name: "limited", target: "limited:app", kind: "asgi", path: "/", length: 4 };
const DEADLINE_MS = 1_000;
/** Three quarters of what the app can do within the deadline: the best that a limit on connections can be set to. */
const LIMIT = "150";

const STAGES = [
  { name: "warm", seconds: 1, rate: 0.5 },
  { name: "twice", seconds: 3, rate: 2 },
  { name: "five", seconds: 2, rate: 5 },
  { name: "after", seconds: 2, rate: 0.8 },
] as const;
type Stage = (typeof STAGES)[number]["name"];

/** In order, until each deadline: what the flood makes of a line that does not shed shows that the bars can be missed. */
const UNSHED = "headrace, shedding off";

const CASE = `${CAPACITY} requests/s can be done`;

const named = (stack: Stack, name: string): Stack => ({ ...stack, name });

function stacks(): Stack[] {
  const one = { processes: 1, slots: PLACES };
  return [
    headrace(APP, one),
    headrace(APP, one, ["--no-shed"], UNSHED),
    uvicorn(APP, one),
    named(uvicorn(APP, one, ["--limit-concurrency", LIMIT]), "uvicorn, limited"),
    named(granian(APP, one, ["--backpressure", LIMIT]), "granian, limited"),
  ];
}

const share = (about: string) => ({ unit: "", better: "more" as const, about });

export const overload: Part = {
  name: "overload",
  about: `An app with a bottleneck of its own (${PLACES} places, 40 ms each: ${CAPACITY} requests/s) gets twice and then five times that, open loop, each request with a deadline of ${DEADLINE_MS} ms; then eight tenths. Headrace has as many slots as the app has places; --limit-concurrency and --backpressure are set to ${LIMIT}.`,
  wrk: false,
  metrics: {
    good2: share("share of the capacity that was answered in time, at twice the capacity"),
    good5: share("the same at five times the capacity"),
    after: share(
      "share of what was offered that was answered in time, at eight tenths, right after the flood",
    ),
    p99at2: { unit: "ms", better: "less", about: "p99 of what was accepted, at twice the capacity" },
    p99at5: { unit: "ms", better: "less", about: "p99 of what was accepted, at five times the capacity" },
    late: { unit: "", better: "less", about: "answers that came after the deadline" },
  },
  estimate: ({ rounds, quick }) => (quick ? 50 : rounds * 5 * 10.5),
  async run(bench) {
    const load = {
      case: CASE,
      measure: (running: Running, round: number) => measured(bench, running, round),
    };
    await bench.fresh(APP, stacks(), load);
    const bar = { case: CASE, stack: "headrace" };
    bench.bar({ ...bar, metric: "good2", least: 0.9 });
    bench.bar({ ...bar, metric: "good5", least: 0.9 });
    bench.bar({ ...bar, metric: "late", most: 0 });
    bench.bar({ ...bar, metric: "after", least: 0.98 });
    bench.bar({ case: CASE, stack: UNSHED, metric: "good5", most: 0.5 });
  },
};

async function measured(bench: Bench, running: Running, round: number): Promise<Outcome> {
  await bench.checked(running, APP);
  const stages = STAGES.map(({ seconds, rate }) => [seconds, rate * CAPACITY] as const);
  const plan = { port: running.port, path: APP.path, length: APP.length, deadlineMs: DEADLINE_MS, stages };
  const seen = await flood(plan, bench.settings.pin?.load ?? null);
  if (round === 1) curves(bench, running.stack.name, seen);
  return {
    values: {
      good2: goodput(seen, "twice"),
      good5: goodput(seen, "five"),
      after: ratio(seen, "after"),
      p99at2: accepted(seen, "twice"),
      p99at5: accepted(seen, "five"),
      late: total(seen.seconds, "late"),
    },
    faults: [],
    cpuSeconds: seen.cpuSeconds,
  };
}

function of<T>(list: readonly T[], stage: Stage): readonly T[] {
  const at = STAGES.findIndex(({ name }) => name === stage);
  const from = STAGES.slice(0, at).reduce((sum, { seconds }) => sum + seconds, 0);
  return list.slice(from, from + STAGES[at]!.seconds);
}

function total(seconds: readonly Second[], what: keyof Second): number {
  return seconds.reduce((sum, second) => sum + second[what], 0);
}

function goodput({ seconds }: Flood, stage: Stage): number {
  const some = of(seconds, stage);
  return total(some, "good") / some.length / CAPACITY;
}

function ratio({ seconds }: Flood, stage: Stage): number {
  const some = of(seconds, stage);
  return total(some, "good") / total(some, "offered");
}

function accepted({ latencyMs }: Flood, stage: Stage): number {
  return quantile(of(latencyMs, stage).flat(), 0.99);
}

function curves(bench: Bench, stack: string, { seconds }: Flood): void {
  const curve = (name: "offered" | "good") =>
    bench.series({
      case: CASE,
      stack,
      name,
      unit: "/s",
      points: seconds.map((second, at) => [at + 0.5, second[name]]),
    });
  curve("good");
  if (stack === "headrace") curve("offered");
}

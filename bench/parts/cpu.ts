/** What a request costs where the machine is not at its end: the same moderate rate for all, open loop. */
import type { Bench, Load, Outcome, Running } from "../frame/bench.ts";
import { METRICS, type Part } from "../frame/part.ts";
import { quantile } from "../frame/statistics.ts";
import { flood } from "../load/flood.ts";
import type { App } from "../stacks/stack.ts";
import { FASTAPI, FLASK, RAW } from "./apps.ts";
import { stacksOf } from "./throughput.ts";

/** A fraction of what each stack can do. */
const CASES: readonly { readonly app: App; readonly rate: number }[] = [
  { app: RAW, rate: 2_000 },
  { app: FASTAPI, rate: 400 },
  { app: FLASK, rate: 400 },
];
const TAKES = /^(headrace|uvicorn|granian|gunicorn gthread|nginx)/;
const TWO = /2 /;
const DEADLINE_MS = 5_000;
/** Not counted: connections are opened. */
const WARM_S = 1;

export const cpu: Part = {
  name: "cpu",
  about:
    "CPU seconds for 100,000 requests at a moderate rate that is the same for all (raw ASGI 2,000/s, FastAPI and Flask 400/s, open loop), summed over all processes of each stack. The part throughput has the same figure at full speed.",
  wrk: false,
  metrics: { cpu: METRICS.cpu, python: METRICS.python, p50: METRICS.p50, p99: METRICS.p99 },
  estimate: ({ rounds, seconds, quick }) => (quick ? 20 : rounds * 11 * (seconds + WARM_S + 0.3) + 10),
  async run(bench) {
    for (const { app, rate } of bench.settings.quick ? CASES.slice(0, 1) : CASES) {
      const stacks = stacksOf(app).filter(({ name }) => TAKES.test(name) && (app === RAW || !TWO.test(name)));
      await bench.keep(app.name, app, stacks, (running) => bench.turns(running, [steady(bench, app, rate)]));
    }
  },
};

function steady(bench: Bench, app: App, rate: number): Load {
  return { case: `${app.name}, ${rate}/s`, measure: (running) => measured(bench, running, app, rate) };
}

async function measured(bench: Bench, running: Running, app: App, rate: number): Promise<Outcome> {
  await bench.checked(running, app);
  const { seconds } = bench.settings;
  const { port } = running;
  const plan = {
    port,
    path: app.path,
    length: app.length,
    deadlineMs: DEADLINE_MS,
    stages: [[WARM_S + seconds, rate]] as const,
  };
  const seen = await flood(plan, bench.settings.pin?.load ?? null);
  const offered = seen.seconds.reduce((sum, second) => sum + second.offered, 0);
  const good = seen.seconds.reduce((sum, second) => sum + second.good, 0);
  const latency = seen.latencyMs.slice(WARM_S).flat();
  return {
    values: { p50: quantile(latency, 0.5), p99: quantile(latency, 0.99) },
    faults: good < offered ? [`${offered - good} of ${offered} were not right and in time`] : [],
    cpuSeconds: seen.cpuSeconds,
    used: (use) => ({ cpu: (use.cpu * 100_000) / offered, python: (use.pythonCpu * 100_000) / offered }),
  };
}

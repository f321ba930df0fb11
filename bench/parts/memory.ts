/** Memory of whole stacks: at rest, under load, and over time. */
import type { Bench, Outcome, Running } from "../frame/bench.ts";
import type { Part } from "../frame/part.ts";
import type { Group } from "../frame/processes.ts";
import { faults, wrk } from "../load/wrk.ts";
import { headrace } from "../stacks/headrace.ts";
import { granian, gthread, uvicorn } from "../stacks/python.ts";
import type { App, Stack } from "../stacks/stack.ts";
import { EIGHT, FASTAPI, FLASK, ONE, THREADED } from "./apps.ts";

const EVERY_MS = 100;
const REST_MS = 700;
const CONNECTIONS = 64;
const MIB = 2 ** 20;

interface Case {
  readonly name: string;
  readonly app: App;
  readonly stacks: readonly Stack[];
}

const CASES = (): readonly Case[] => [
  {
    name: "FastAPI",
    app: FASTAPI,
    stacks: [headrace(FASTAPI, ONE), uvicorn(FASTAPI, ONE), granian(FASTAPI, ONE)],
  },
  {
    name: "FastAPI, 8 processes",
    app: FASTAPI,
    stacks: [headrace(FASTAPI, EIGHT), uvicorn(FASTAPI, EIGHT)],
  },
  {
    name: "Flask",
    app: FLASK,
    stacks: [headrace(FLASK, THREADED), gthread(FLASK, THREADED), granian(FLASK, THREADED)],
  },
];

export const memory: Part = {
  name: "memory",
  about: `Proportional set size of all processes of each stack, one stack at a time: shortly after its start, and at most while ${CONNECTIONS} connections load it.`,
  wrk: true,
  metrics: {
    rest: { unit: "MiB", better: "less", about: "PSS of all processes, at rest" },
    load: { unit: "MiB", better: "less", about: "the most of it under load" },
  },
  estimate: ({ rounds, seconds, quick }) => (quick ? 15 : rounds * 8 * (seconds + 2) + 15),
  async run(bench) {
    for (const { name, app, stacks } of bench.settings.quick ? CASES().slice(0, 1) : CASES())
      await bench.fresh(app, stacks, {
        case: name,
        measure: (running, round) => measured(bench, running, { name, app, round }),
      });
  },
};

async function measured(
  bench: Bench,
  running: Running,
  { name, app, round }: { readonly name: string; readonly app: App; readonly round: number },
): Promise<Outcome> {
  const right = await bench.checked(running, app);
  const curve = new Curve(running.group);
  await Bun.sleep(REST_MS);
  const rest = curve.stop();
  const under = new Curve(running.group, rest.at(-1)?.[0] ?? 0);
  const url = `http://127.0.0.1:${running.port}${app.path}`;
  const cores = bench.settings.pin?.load ?? null;
  const load = await wrk({ url, connections: CONNECTIONS, seconds: bench.settings.seconds, cores });
  const loaded = under.stop();
  if (round === 1)
    bench.series({
      case: name,
      stack: running.stack.name,
      name: "memory",
      unit: "MiB",
      points: [...rest, ...loaded],
    });
  return {
    values: { rest: rest.at(-1)?.[1] ?? Number.NaN, load: Math.max(...loaded.map(([, mib]) => mib)) },
    faults: faults(load, right, CONNECTIONS),
    cpuSeconds: load.cpuSeconds,
  };
}

/** Memory of a group over time, in seconds and MiB, from now on. */
class Curve {
  readonly #points: [number, number][] = [];
  readonly #began = performance.now();
  readonly #timer: Timer;

  constructor(
    readonly group: Group,
    readonly from = 0,
  ) {
    this.#timer = setInterval(() => this.#look(), EVERY_MS);
    this.#look();
  }

  #look(): void {
    this.#points.push([this.from + (performance.now() - this.#began) / 1_000, this.group.memory() / MIB]);
  }

  stop(): [number, number][] {
    clearInterval(this.#timer);
    this.#look();
    return this.#points;
  }
}

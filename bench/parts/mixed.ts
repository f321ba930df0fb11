/** Does a slow request hurt the fast ones beside it? */
import type { Bench, Outcome, Running } from "../frame/bench.ts";
import type { Part } from "../frame/part.ts";
import { faults, wrk } from "../load/wrk.ts";
import { headrace } from "../stacks/headrace.ts";
import { nginx } from "../stacks/nginx.ts";
import { granian, gthread } from "../stacks/python.ts";
import type { App, Stack } from "../stacks/stack.ts";
import { FLASK, THREADED, TWO } from "./apps.ts";
import { warm } from "./loaded.ts";

const MIXED: App = { name: "mixed", target: "mixed:app", kind: "asgi", path: "/", length: 4 };
/** Few enough that what is seen is waiting behind the slow ones, not the end of the machine. */
const FAST = 8;

interface Case {
  readonly name: string;
  readonly app: App;
  readonly slow: { readonly path: string; readonly length: number; readonly connections: number };
  readonly stacks: readonly Stack[];
}

/** One slot each: an app that computes has nothing of a second request at a time. */
const CAREFUL = headrace(MIXED, { processes: 2, slots: 1 }, [], "headrace, 2 instances of 1 slot");

const CASES: readonly Case[] = [
  {
    name: "ASGI, slow ones compute for 20 ms",
    app: MIXED,
    slow: { path: "/heavy", length: 4, connections: 1 },
    stacks: [headrace(MIXED, TWO), nginx(MIXED, TWO), granian(MIXED, TWO), CAREFUL],
  },
  {
    name: "Flask, slow ones wait for 100 ms",
    app: FLASK,
    slow: { path: "/slow", length: 5, connections: 4 },
    stacks: [headrace(FLASK, THREADED), gthread(FLASK, THREADED), granian(FLASK, THREADED)],
  },
];

export const mixed: Part = {
  name: "mixed",
  about: `${FAST} connections ask for what is answered at once, first alone, then beside some that ask for what takes long: two processes with a raw ASGI app, eight threads with Flask.`,
  wrk: true,
  metrics: {
    alone: { unit: "ms", better: "less", about: "p99 of the fast requests, alone" },
    beside: { unit: "ms", better: "less", about: "p99 of the fast requests, beside the slow ones" },
    rate: { unit: "/s", better: "more", about: "fast requests a second, beside the slow ones" },
    slow: { unit: "/s", better: "more", about: "slow requests a second" },
  },
  estimate: ({ rounds, seconds, quick }) => (quick ? 25 : rounds * 7 * (2 * seconds + 0.3) + 15),
  async run(bench) {
    for (const each of bench.settings.quick ? CASES.slice(1) : CASES) {
      await bench.keep(each.name, each.app, each.stacks, async (running) => {
        await warm(bench, running, each.app);
        await bench.turns(running, [{ case: each.name, measure: (one) => measured(bench, one, each) }]);
      });
    }
  },
};

async function measured(bench: Bench, running: Running, { app, slow }: Case): Promise<Outcome> {
  const right = await bench.checked(running, app);
  const rightSlow = await bench.checked(running, slow);
  const base = `http://127.0.0.1:${running.port}`;
  const cores = bench.settings.pin?.load ?? null;
  const { seconds } = bench.settings;
  const fast = { url: base + app.path, connections: FAST, cores };
  const alone = await wrk({ ...fast, seconds });
  const [beside, heavy] = await Promise.all([
    wrk({ ...fast, seconds }),
    wrk({ url: base + slow.path, connections: slow.connections, seconds, cores }),
  ]);
  return {
    values: {
      alone: alone.p99Ms,
      beside: beside.p99Ms,
      rate: beside.requestsPerSecond,
      slow: heavy.requestsPerSecond,
    },
    faults: [
      ...[alone, beside].flatMap((each) => faults(each, right, FAST)),
      ...faults(heavy, rightSlow, slow.connections),
    ],
    cpuSeconds: alone.cpuSeconds + beside.cpuSeconds + heavy.cpuSeconds,
  };
}

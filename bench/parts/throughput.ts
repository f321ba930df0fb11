/** As many requests as go, over kept connections, for five apps and up to 4,096 connections. */
import type { Bench } from "../frame/bench.ts";
import { METRICS, type Part } from "../frame/part.ts";
import { headrace } from "../stacks/headrace.ts";
import { nginx } from "../stacks/nginx.ts";
import {
  functionsFramework,
  gevent,
  granian,
  gthread,
  gunicornUvicorn,
  hypercorn,
  uvicorn,
} from "../stacks/python.ts";
import type { App, Stack } from "../stacks/stack.ts";
import { DJANGO, FASTAPI, FLASK, FUNCTION, ONE, RAW, THREADED, TWO } from "./apps.ts";
import { warm, wave } from "./loaded.ts";

const APPS = [RAW, FASTAPI, DJANGO, FLASK, FUNCTION];

/** All stacks meet at this many connections; at the others those that could be first. */
const MEETING = 64;
const ALONE = /^(headrace$|uvicorn|granian|gunicorn gthread|functions-framework$)/;
const PAIRS = /^(headrace, |nginx)/;

interface Crowd {
  readonly connections: number;
  takes(stack: string): boolean;
}

const CROWDS: readonly Crowd[] = [
  { connections: 1, takes: (stack) => ALONE.test(stack) },
  { connections: MEETING, takes: () => true },
  { connections: 512, takes: (stack) => ALONE.test(stack) || PAIRS.test(stack) },
  { connections: 4_096, takes: (stack) => ALONE.test(stack) },
];

/** All connections are answered at least once, so that not only their opening is seen. */
function secondsOf(app: App, connections: number, seconds: number): number {
  if (connections < 1_000) return seconds;
  return seconds * (app === RAW ? 2 : 3);
}

export const throughput: Part = {
  name: "throughput",
  about:
    "wrk asks as fast as it is answered, over kept connections. FastAPI validates two parameters and answers with 10 KB of JSON; Django and Flask run in eight threads.",
  wrk: true,
  metrics: METRICS,
  estimate: ({ rounds, seconds, quick }) =>
    quick ? 20 : rounds * (57 * (seconds + 0.15) + 3 * (2 * seconds + 0.15) + 11 * (3 * seconds + 0.15)) + 50,
  async run(bench) {
    for (const app of bench.settings.quick ? [RAW] : APPS) await one(bench, app);
  },
};

function one(bench: Bench, app: App): Promise<void> {
  return bench.keep(app.name, app, stacksOf(app), async (running) => {
    await warm(bench, running, app);
    const crowds = bench.settings.quick
      ? CROWDS.filter(({ connections }) => connections === MEETING)
      : CROWDS;
    const loads = crowds.map(({ connections, takes }) =>
      wave(bench, {
        case: `${app.name}, ${connections} connection${connections === 1 ? "" : "s"}`,
        check: app,
        connections,
        seconds: secondsOf(app, connections, bench.settings.seconds),
        takes,
      }),
    );
    await bench.turns(running, loads);
  });
}

export function stacksOf(app: App): Stack[] {
  if (app.kind === "function")
    return [
      headrace(app, THREADED),
      functionsFramework(app, THREADED),
      functionsFramework(app, THREADED, true),
    ];
  if (app.kind === "wsgi")
    return [headrace(app, THREADED), gthread(app, THREADED), gevent(app, THREADED), granian(app, THREADED)];
  const one = [headrace, uvicorn, gunicornUvicorn, granian, hypercorn].map((make) => make(app, ONE));
  return [...one, headrace(app, TWO), nginx(app, TWO)];
}

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
const EVERYWHERE = /^(headrace|uvicorn|granian|gunicorn gthread|functions-framework$)/;
const CROWDS: readonly { readonly connections: number; readonly takes: RegExp }[] = [
  { connections: 1, takes: /^(headrace$|uvicorn|granian|gunicorn gthread|functions-framework$)/ },
  { connections: MEETING, takes: /./ },
  { connections: 512, takes: new RegExp(`${EVERYWHERE.source}|^nginx`) },
  { connections: 4_096, takes: new RegExp(`${EVERYWHERE.source}|^nginx`) },
];

export const throughput: Part = {
  name: "throughput",
  about:
    "wrk asks as fast as it is answered, over kept connections. FastAPI validates two parameters and answers with 10 KB of JSON; Django and Flask run in eight threads.",
  wrk: true,
  metrics: METRICS,
  estimate: ({ rounds, seconds, quick }) =>
    quick ? 20 : rounds * (60 * (seconds + 0.2) + 17 * (2 * seconds + 0.4)) + 60,
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
        // Opening many connections takes its time, which is not to be all that is seen.
        seconds: bench.settings.seconds * (connections > 1_000 ? 2 : 1),
        takes: (stack) => takes.test(stack),
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

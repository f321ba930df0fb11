/** Messages over WebSockets, there and back. */
import type { Bench, Outcome, Running } from "../frame/bench.ts";
import { METRICS, type Part } from "../frame/part.ts";
import { sockets } from "../load/sockets.ts";
import { headrace } from "../stacks/headrace.ts";
import { granian, hypercorn, uvicorn } from "../stacks/python.ts";
import type { App } from "../stacks/stack.ts";
import { ONE } from "./apps.ts";

const ECHO: App = { name: "echo", target: "wire:app", kind: "asgi", path: "/up", length: 12 };
const SOCKETS = 64;

export const websocket: Part = {
  name: "websocket",
  about: `${SOCKETS} WebSockets, each of which sends a short message, waits for it to come back, and sends the next.`,
  wrk: false,
  metrics: {
    rate: { unit: "/s", better: "more", about: "messages there and back, a second" },
    p50: METRICS.p50,
    p99: METRICS.p99,
    cpu: { unit: "s", better: "less", about: "CPU seconds for 100,000 messages, all processes of the stack" },
  },
  estimate: ({ rounds, seconds, quick }) => (quick ? 15 : rounds * 4 * (seconds + 0.4) + 5),
  async run(bench) {
    const stacks = [headrace, uvicorn, granian, hypercorn].map((make) => make(ECHO, ONE));
    await bench.keep("echo", ECHO, stacks, (running) =>
      bench.turns(running, [
        { case: `echo, ${SOCKETS} WebSockets`, measure: (each) => measured(bench, each) },
      ]),
    );
  },
};

async function measured({ settings }: Bench, { port }: Running): Promise<Outcome> {
  const plan = { port, sockets: SOCKETS, seconds: settings.seconds };
  const seen = await sockets(plan, settings.pin?.load ?? null);
  return {
    values: { rate: seen.messages / seen.seconds, p50: seen.p50Ms, p99: seen.p99Ms },
    faults: seen.errors > 0 ? [`${seen.errors} errors`] : [],
    cpuSeconds: seen.cpuSeconds,
    used: ({ cpu }) => ({ cpu: (cpu * 100_000) / Math.max(1, seen.messages) }),
  };
}

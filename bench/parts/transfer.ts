/** Large bodies, both ways. */
import type { Bench, Outcome, Running } from "../frame/bench.ts";
import type { Part } from "../frame/part.ts";
import { transfer as move } from "../load/transfer.ts";
import { headrace } from "../stacks/headrace.ts";
import { nginx } from "../stacks/nginx.ts";
import { granian, hypercorn, uvicorn } from "../stacks/python.ts";
import type { App } from "../stacks/stack.ts";
import { ONE, TWO } from "./apps.ts";

const WIRE: App = { name: "bodies", target: "wire:app", kind: "asgi", path: "/up", length: 12 };
const BYTES = 100_000_000;
/** One after the other: a single one takes too little CPU to be measured. */
const TIMES = 3;

export const transfer: Part = {
  name: "transfer",
  about:
    "100 MB from a raw ASGI app in pieces of 100 KB, and 100 MB to it, each over a connection of its own, three in a row.",
  wrk: false,
  metrics: {
    rate: { unit: "MB/s", better: "more", about: "bytes of the body, a second" },
    cpu: { unit: "s", better: "less", about: "CPU seconds for the 100 MB, all processes of the stack" },
    memory: { unit: "MiB", better: "less", about: "PSS of all processes afterwards" },
  },
  estimate: ({ rounds, quick }) => (quick ? 15 : rounds * 12 * 0.8 + 5),
  async run(bench) {
    const one = [headrace, uvicorn, granian, hypercorn].map((make) => make(WIRE, ONE));
    const stacks = bench.settings.quick ? one.slice(0, 2) : [...one, headrace(WIRE, TWO), nginx(WIRE, TWO)];
    await bench.keep("bodies", WIRE, stacks, (running) =>
      bench.turns(running, [
        { case: "download of 100 MB", measure: (each) => measured(bench, each, "down") },
        { case: "upload of 100 MB", measure: (each) => measured(bench, each, "up") },
      ]),
    );
  },
};

async function measured(bench: Bench, { port, group }: Running, way: "up" | "down"): Promise<Outcome> {
  const plan = { port, way, bytes: BYTES, times: TIMES };
  const { seconds, cpuSeconds, right } = await move(plan, bench.settings.pin?.load ?? null);
  return {
    values: { rate: (TIMES * BYTES) / 1e6 / seconds, memory: group.memory() / 2 ** 20 },
    faults: right ? [] : ["not all bytes arrived"],
    cpuSeconds,
    used: ({ cpu }) => ({ cpu: cpu / TIMES }),
  };
}

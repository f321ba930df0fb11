/** Tens of thousands of requests that are open at once, against an app that awaits five seconds. */
import type { Bench, Outcome, Running } from "../frame/bench.ts";
import type { Part } from "../frame/part.ts";
import { quantile } from "../frame/statistics.ts";
import { type Finished, Holding } from "../load/holding.ts";
import { headrace, headraceName } from "../stacks/headrace.ts";
import { uvicorn } from "../stacks/python.ts";
import type { App, Size, Stack } from "../stacks/stack.ts";

const APP: App = { name: "hold", target: "hold:app", kind: "asgi", path: "/", length: 4 };
const IDEAL_MS = 5_000;
const ALLOWED = 1.2;
const MIB = 2 ** 20;
/** Connections made a second, and the time over which the requests are sent. */
const RATE = 12_500;
const RAMP_MS = 4_000;

const METRICS = {
  ideal: { unit: "x", better: "less", about: `p99, as a multiple of the app's own ${IDEAL_MS / 1000} s` },
  p50: { unit: "ms", better: "less", about: "latency that half of the requests stay below" },
  p99: { unit: "ms", better: "less", about: "latency that 99 % stay below" },
  connect: { unit: "ms", better: "less", about: "p99 of connecting" },
  memory: {
    unit: "KiB",
    better: "less",
    about: "memory for each request in flight, all processes of the stack",
  },
  cpu: { unit: "µs", better: "less", about: "CPU for each request, connecting included, all processes" },
} as const;

export const inFlight = part({
  name: "in-flight",
  about: "Four instances, and uvicorn with four workers.",
  stacks: (count) => [ours({ processes: 4, slots: Math.ceil(count / 4) }), workers(count)],
});

/** The same over many small instances. They need 4 GiB and take a while to start: it runs only where it is named. */
export const inFlightMany = part({
  name: "in-flight-many",
  about: "As many instances of 80 slots as that takes, and uvicorn with four workers.",
  stacks: (count) => [
    ours({ processes: Math.ceil(count / 80), slots: 80 }),
    workers(count, Math.ceil(count / 80)),
  ],
  extra: true,
});

interface Shape {
  readonly name: string;
  readonly about: string;
  readonly stacks: (count: number) => Stack[];
  readonly extra?: boolean;
}

function part({ name, about, stacks, extra = false }: Shape): Part {
  return {
    name,
    about: `50,000 connections with one request each, sent within ${RAMP_MS / 1000} s to an app that awaits ${IDEAL_MS / 1000} s. Latency counts from the moment that was fixed before the run. ${about}`,
    wrk: false,
    extra,
    metrics: METRICS,
    estimate: ({ rounds, quick }) => (quick ? 30 : rounds * 2 * (extra ? 40 : 18)),
    async run(bench) {
      const count = bench.settings.quick ? 2_000 : 50_000;
      const title = `${count.toLocaleString("en-US")} in flight`;
      const all = stacks(count);
      const load = {
        case: title,
        measure: (running: Running, round: number) => measured(bench, running, { count, name: title, round }),
      };
      await bench.fresh(APP, all, load);
      bench.bar({ case: title, stack: all[0]?.name ?? "", metric: "ideal", most: ALLOWED });
    },
  };
}

/** Both listen on every address: a client has too few ports for one. */
const EVERYWHERE = ["--host", "0.0.0.0"];

function ours(size: Size): Stack {
  return headrace(APP, size, [...EVERYWHERE, "--gateways", "4"]);
}

/** @param instances of the Headrace that it is held against */
function workers(count: number, instances = 4): Stack {
  const size = { processes: 4, slots: Math.ceil(count / 4) };
  return { ...uvicorn(APP, size, EVERYWHERE), against: headraceName({ ...size, processes: instances }) };
}

async function measured(
  bench: Bench,
  { group, port, spare, stack }: Running,
  { count, name, round }: { readonly count: number; readonly name: string; readonly round: number },
): Promise<Outcome> {
  const ourOwn = stack.against === null;
  if (ourOwn) await allReady(spare);
  const idle = group.memory();
  const points: [number, number][] = [];
  const began = performance.now();
  const look = () => points.push([(performance.now() - began) / 1_000, group.memory() / MIB]);
  const timer = setInterval(look, 500);
  const holding = new Holding({
    port,
    connections: count,
    connectRate: RATE,
    rampMs: RAMP_MS,
    timeoutMs: 4 * IDEAL_MS,
  });
  try {
    const connected = await holding.connect();
    const finishing = holding.hold();
    // All are sent, none is due yet.
    await Bun.sleep(RAMP_MS + (IDEAL_MS - RAMP_MS) / 2);
    const atOnce = ourOwn ? await running(spare) : count;
    const held = group.memory();
    const finished = await finishing;
    if (round === 1) bench.series({ case: name, stack: stack.name, name: "memory", unit: "MiB", points });
    const latencies = finished.latencyMs;
    const p99 = quantile(latencies, 0.99);
    return {
      values: {
        ideal: p99 / IDEAL_MS,
        p50: quantile(latencies, 0.5),
        p99,
        connect: quantile(connected.connectMs, 0.99),
        memory: (held - idle) / 1024 / count,
      },
      faults: wrong(finished, count, atOnce),
      cpuSeconds: holding.cpuSeconds(),
      used: ({ cpu }) => ({ cpu: (cpu * 1e6) / count }),
    };
  } finally {
    clearInterval(timer);
    holding.stop();
  }
}

function wrong({ latencyMs, errors }: Finished, count: number, atOnce: number): string[] {
  const failed = Object.entries(errors).map(([why, n]) => `${n}: ${why}`);
  if (latencyMs.length !== count) failed.push(`${latencyMs.length} of ${count} were answered`);
  if (atOnce !== count) failed.push(`${atOnce} of ${count} were in the app at once`);
  return failed;
}

interface Status {
  readonly instances: readonly { readonly state: string; readonly inFlight: number }[];
}

async function status(admin: number): Promise<Partial<Status>> {
  return (await (await fetch(`http://127.0.0.1:${admin}/v1/status`)).json()) as Status;
}

/** Requests in the app right now. */
async function running(admin: number): Promise<number> {
  return ((await status(admin)).instances ?? []).reduce((sum, { inFlight: some }) => sum + some, 0);
}

async function allReady(admin: number): Promise<void> {
  for (const end = performance.now() + 60_000; performance.now() < end; await Bun.sleep(50)) {
    // Requests are served before all that is to run has started; until then there is no status.
    const { instances = [] } = await status(admin);
    if (instances.length > 0 && instances.every(({ state }) => state === "ready")) return;
  }
  throw new Error("not all instances became ready");
}

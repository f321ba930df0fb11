/** The load generator itself against others: what a request costs it, whether it keeps a rate, what a connection costs. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import type { LoadResult } from "../../src/load/result.ts";
import { type Bench, inTurn } from "../frame/bench.ts";
import type { Part } from "../frame/part.ts";
import { freePorts, ROOT } from "../frame/places.ts";
import { type ClosedLoop, runTool, tools } from "../load/generators.ts";

const OURS = "headrace load";
const CLOSED = "closed loop, 64 connections";
const RATE = 20_000;
const HELD = 60_000;
/** One process takes fewer than 20,000 connections. */
const ANSWERERS = 4;
const NOTHING = () => ({ all: 0, python: 0 });

export const generators: Part = {
  name: "generators",
  about: `Load generators against a service that costs next to nothing (bench/load/answerer.ts). Requests for each second of processor time that the generator used; ${RATE} requests/s on a schedule; ${HELD} connections held.`,
  wrk: false,
  metrics: {
    perCore: { unit: "/s", better: "more", about: "requests for a second of the generator's processor time" },
    rate: { unit: "/s", better: "more", about: "requests answered a second" },
    off: { unit: "%", better: "less", about: "how far the requests begun are from the plan" },
    worstSecond: { unit: "%", better: "less", about: "the same in the second that is furthest off" },
    late: { unit: "%", better: "less", about: "begun more than 10 ms late" },
    perConnection: {
      unit: "KiB",
      better: "less",
      about: "memory of all generator processes, for each connection",
    },
    failed: { unit: "", better: "less", about: "requests that failed" },
  },
  estimate: ({ rounds, seconds, quick }) => (quick ? 25 : rounds * (5 * (seconds + 2) + 12 + 25) + 20),
  async run(bench) {
    const port = await freePorts();
    const servers = Array.from({ length: ANSWERERS }, () => answerer(bench, port));
    try {
      await answers(port);
      const url = `http://127.0.0.1:${port}/`;
      const { quick, seconds } = bench.settings;
      await closedLoops(bench, {
        url,
        connections: 64,
        seconds: quick ? 1 : Math.max(3, Math.ceil(seconds)),
      });
      await onSchedule(bench, url, quick ? 2_000 : RATE);
      await held(bench, url, quick ? 1_000 : HELD);
    } finally {
      for (const server of servers) server.kill("SIGKILL");
    }
    for (const { name } of tools.slice(1))
      bench.pair({ case: CLOSED, stack: OURS, peer: name, main: name === "wrk" });
  },
};

function answerer(bench: Bench, port: number) {
  const pin = bench.settings.pin === null ? [] : ["taskset", "-c", bench.settings.pin.servers];
  const [program = "", ...args] = [
    ...pin,
    join(ROOT, "scripts/bun"),
    join(ROOT, "bench/load/answerer.ts"),
    `${port}`,
  ];
  return spawn(program, args, { stdio: "ignore" });
}

async function answers(port: number): Promise<void> {
  for (const end = performance.now() + 10_000; performance.now() < end; ) {
    if ((await fetch(`http://127.0.0.1:${port}/`).catch(() => null))?.status === 200) return;
    await Bun.sleep(50);
  }
  throw new Error("the answerer did not start");
}

async function closedLoops(bench: Bench, load: ClosedLoop): Promise<void> {
  const there = tools.filter(({ name, missing }) => {
    if (missing !== null) bench.absent(CLOSED, name, missing);
    return missing === null;
  });
  const cores = bench.settings.pin?.load ?? null;
  for (const tool of there) bench.command(`${CLOSED}: ${tool.name}`, tool.command(load, "/tmp"));
  for (const round of bench.rounds) {
    for (const tool of inTurn(there, round)) {
      await bench.observe({ case: CLOSED, stack: tool.name, round }, NOTHING, async () => {
        const { requests, failed, cpuSeconds } = await runTool(tool, load, cores);
        return {
          values: { perCore: requests / cpuSeconds, rate: requests / load.seconds },
          faults: failed > 0 ? [`${failed} of ${requests} requests failed`] : [],
          cpuSeconds,
        };
      });
    }
  }
}

async function onSchedule(bench: Bench, url: string, rate: number): Promise<void> {
  const name = `open loop, ${rate}/s`;
  const args = [url, "--rate", `${rate}`, "--duration", bench.settings.quick ? "2s" : "10s"];
  for (const round of bench.rounds) {
    await bench.observe({ case: name, stack: OURS, round }, NOTHING, async () => {
      const { result, cpuSeconds } = await ours(bench, name, args);
      const { planned, started, late, failed } = result.totals;
      const perSecond = result.series
        .slice(0, -1)
        .map((point) => Math.abs(point.started / rate / point.spanS - 1));
      return {
        values: {
          off:
            100 * Math.max(Math.abs(started / planned - 1), Math.abs(result.totals.startedPerS / rate - 1)),
          worstSecond: 100 * Math.max(...perSecond),
          late: (100 * late) / planned,
          failed,
        },
        faults: [],
        cpuSeconds,
      };
    });
  }
  bench.bar({ case: name, stack: OURS, metric: "off", most: 1 });
}

async function held(bench: Bench, url: string, connections: number): Promise<void> {
  const name = `${connections} connections held`;
  const args = [url, "--connections", `${connections}`, "--hold", bench.settings.quick ? "1s" : "3s"];
  for (const round of bench.rounds.slice(0, bench.settings.quick ? 1 : 3)) {
    await bench.observe({ case: name, stack: OURS, round }, NOTHING, async () => {
      const { result, cpuSeconds } = await ours(bench, name, args);
      const { maxConnections, failed } = result.totals;
      return {
        values: { perConnection: result.generator.peakMemoryBytes / 1024 / connections, failed },
        faults: maxConnections < connections ? [`only ${maxConnections} were open at once`] : [],
        cpuSeconds,
      };
    });
  }
  if (!bench.settings.quick) bench.bar({ case: name, stack: OURS, metric: "perConnection", most: 8 });
  bench.bar({ case: name, stack: OURS, metric: "failed", most: 0 });
}

async function ours(
  bench: Bench,
  name: string,
  args: readonly string[],
): Promise<{ readonly result: LoadResult; readonly cpuSeconds: number }> {
  const pin = bench.settings.pin === null ? [] : ["taskset", "-c", bench.settings.pin.load];
  const command = [...pin, join(ROOT, "headrace"), "load", ...args];
  bench.command(`${name}: ${OURS}`, command);
  const run = Bun.spawn([...command, "-q", "--admin", "off", "--json", "-"], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([new Response(run.stdout).text(), new Response(run.stderr).text()]);
  await run.exited;
  if (!out.startsWith("{")) throw new Error(err.trim());
  return {
    result: JSON.parse(out) as LoadResult,
    cpuSeconds: Number(run.resourceUsage()?.cpuTime.total ?? 0) / 1e6,
  };
}

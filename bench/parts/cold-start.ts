/** Zero to the first byte, against the start of uvicorn with the same app. */

import { spawn } from "node:child_process";
import { join } from "node:path";
import { firstByte, PYTHON, ROOT, Server } from "../headrace.ts";
import { type Figure, type Part, quantile } from "../part.ts";

const APP = "examples/fastapi/main.py";
/** Several services at once, asked one after the other: each needs a rest of some seconds to go to zero. */
const SERVICES = 12;
const PORT = 18_300;
const SCALE = [
  "--min-instances",
  "0",
  "--max-instances",
  "2",
  "--scale-to-zero-after",
  "6s",
  "--gateways",
  "1",
];
const IDLE_MS = 60_000;

export const coldStart: Part = {
  name: "cold-start",
  about: `${APP}, from no instance to the first byte of an answer; uvicorn from its start to the first byte is the yardstick.`,
  async run(rounds) {
    const forked = await start(PORT, []);
    const spawned = await start(PORT + 100, ["--preload", "off"], 3);
    const wakes: number[] = [];
    const starts: number[] = [];
    const uvicorn: number[] = [];
    try {
      // One wake more than is counted for each: the first finds files that nobody has read.
      for (let round = 0; round <= rounds; round++) {
        await asleep([...forked, ...spawned]);
        for (const server of forked) note(wakes, round, await firstByte(server.port));
        for (const server of spawned) {
          note(uvicorn, round, await uvicornStart());
          note(starts, round, await firstByte(server.port));
        }
      }
    } finally {
      await Promise.all([...forked, ...spawned].map((server) => server.stop()));
    }
    return figures(wakes, starts, uvicorn);
  },
};

function start(port: number, args: readonly string[], count = SERVICES): Promise<Server[]> {
  return Promise.all(
    Array.from({ length: count }, (_, i) => Server.start(APP, port + 2 * i, [...SCALE, ...args])),
  );
}

function note(list: number[], round: number, ms: number | null): void {
  if (ms === null) throw new Error("there was no answer with status 200");
  if (round > 0) list.push(ms);
}

async function asleep(servers: readonly Server[]): Promise<void> {
  for (const end = performance.now() + IDLE_MS; performance.now() < end; await Bun.sleep(200)) {
    const all = await Promise.all(servers.map((server) => server.status()));
    if (all.every(({ instances }) => instances.length === 0)) return;
  }
  throw new Error("not every service went to zero");
}

/** Milliseconds from the start of the process to the first byte of its first answer. */
async function uvicornStart(): Promise<number> {
  const port = PORT + 200;
  const cwd = join(ROOT, "examples/fastapi");
  const args = ["-m", "uvicorn", "main:app", "--port", `${port}`, "--no-access-log", "--log-level", "error"];
  const began = performance.now();
  const child = spawn(PYTHON, args, { cwd, stdio: "ignore" });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  try {
    for (;;) {
      if ((await firstByte(port)) !== null) return performance.now() - began;
      if (child.exitCode !== null) throw new Error("uvicorn ended");
      await Bun.sleep(2);
    }
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}

function figures(
  wakes: readonly number[],
  starts: readonly number[],
  uvicorn: readonly number[],
): readonly Figure[] {
  const yardstick = quantile(uvicorn, 0.5);
  return [
    { name: "zero to first byte, zygote, p50", value: quantile(wakes, 0.5), unit: "ms", bar: { most: 25 } },
    { name: "zero to first byte, zygote, p99", value: quantile(wakes, 0.99), unit: "ms", bar: { most: 60 } },
    { name: "wakes", value: wakes.length, unit: "", note: "counted" },
    {
      name: "uvicorn, start to first byte, p50",
      value: yardstick,
      unit: "ms",
      note: `${uvicorn.length} starts`,
    },
    { name: "zygote : uvicorn, p50", value: quantile(wakes, 0.5) / yardstick, unit: "x" },
    { name: "zero to first byte without zygote, p50", value: quantile(starts, 0.5), unit: "ms" },
    {
      name: "without zygote : uvicorn, p50",
      value: quantile(starts, 0.5) / yardstick,
      unit: "x",
      bar: { most: 1.2 },
    },
  ];
}

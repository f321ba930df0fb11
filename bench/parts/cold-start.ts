/** From no instance to the first byte, by phase, against the start of other servers with the same app. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Bench, Outcome } from "../frame/bench.ts";
import type { Part } from "../frame/part.ts";
import { freePorts, program, ROOT } from "../frame/places.ts";
import { type Cpu, treeCpu } from "../frame/processes.ts";
import { median } from "../frame/statistics.ts";
import { type FirstAnswer, firstAnswer, Server } from "../stacks/started.ts";

const APP = "examples/fastapi/main.py";
const CASE = "FastAPI";
/** Several services at once, asked one after the other: each needs a rest of some seconds to go to zero. */
const SERVICES = 12;
const SPAWNED = 3;
const SCALE = [
  ...["--min-instances", "0", "--max-instances", "2", "--scale-to-zero-after", "6s"],
  ...["--gateways", "1", "--server-timing"],
];
const IDLE_MS = 60_000;
const PHASES = [
  "wait",
  "notice",
  "fork",
  "spawn",
  "boot",
  "import",
  "hooks",
  "lifespan",
  "listen",
  "connect",
  "app",
];
const OFF = "headrace, preload off";

interface Peer {
  readonly name: string;
  readonly args: (port: string) => readonly string[];
}

/** Started as a process, until the first byte. */
const PEERS: readonly Peer[] = [
  {
    name: "uvicorn",
    args: (port) => ["main:app", "--port", port, "--no-access-log", "--log-level", "error"],
  },
  {
    name: "granian",
    args: (port) => ["--interface", "asgi", "--port", port, "--log-level", "error", "main:app"],
  },
];

const ms = (about: string) => ({ unit: "ms", better: "less" as const, about });

export const coldStart: Part = {
  name: "cold-start",
  about: `${APP}, from no instance to the first byte of an answer: woken by a fork of the zygote, and without it; the other servers from the start of their process to the first byte. Phases as docs/cold-starts.md names them.`,
  wrk: false,
  metrics: {
    total: ms("to the first byte, median of the starts of a round"),
    slowest: ms("the slowest start of a round"),
    uvicorns: { unit: "x", better: "less", about: "total, as a multiple of uvicorn's in the same round" },
    ...Object.fromEntries(PHASES.map((phase) => [phase, ms(`phase ${phase}, median`)])),
  },
  estimate: ({ rounds, quick }) => (quick ? 20 : (rounds + 1) * 10 + 10),
  async run(bench) {
    const few = bench.settings.quick;
    const forked = await start(few ? 2 : SERVICES, []);
    const spawned = await start(few ? 1 : SPAWNED, ["--preload", "off"]);
    try {
      bench.command(`${CASE}: headrace`, forked[0]?.command ?? []);
      bench.command(`${CASE}: ${OFF}`, spawned[0]?.command ?? []);
      // One round more than is counted: the first finds files that nobody has read.
      for (const round of [0, ...bench.rounds])
        await oneRound(bench, round, { headrace: forked, [OFF]: spawned });
    } finally {
      await Promise.all([...forked, ...spawned].map((server) => server.stop()));
    }
    bench.pair({ case: CASE, stack: "headrace", peer: "uvicorn", main: true });
    bench.pair({ case: CASE, stack: "headrace", peer: "granian", main: false });
    bench.bar({ case: CASE, stack: "headrace", metric: "total", most: 25 });
    bench.bar({ case: CASE, stack: "headrace", metric: "slowest", most: 60 });
    bench.bar({ case: CASE, stack: OFF, metric: "uvicorns", most: 1.2 });
  },
};

function start(count: number, args: readonly string[]): Promise<Server[]> {
  return Promise.all(Array.from({ length: count }, () => Server.start(APP, [...SCALE, ...args])));
}

async function oneRound(
  bench: Bench,
  round: number,
  own: Readonly<Record<string, readonly Server[]>>,
): Promise<void> {
  await asleep(Object.values(own).flat());
  let uvicorn = Number.NaN;
  const starts: [stack: string, cpu: () => Cpu, start: () => Promise<FirstAnswer[]>][] = [];
  for (const peer of PEERS) {
    if (existsSync(program(peer.name))) {
      const ended: Cpu[] = [];
      starts.push([peer.name, () => sumOf(ended), () => peerStarts(bench, peer, ended)]);
    } else bench.absent(CASE, peer.name, `${peer.name} is not installed`);
  }
  for (const [stack, servers] of Object.entries(own))
    starts.push([stack, () => sumOf(servers.map((server) => server.cpu())), () => wakes(stack, servers)]);
  for (const [stack, cpu, start] of starts) {
    const measured = async (): Promise<Outcome> => {
      const answers = await start();
      const values = figures(answers, uvicorn);
      if (stack === "uvicorn") uvicorn = values["total"] ?? Number.NaN;
      return { values, faults: different(answers), cpuSeconds: 0 };
    };
    if (round === 0) await measured();
    else await bench.observe({ case: CASE, stack, round }, cpu, measured);
  }
}

function sumOf(used: readonly Cpu[]): Cpu {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return { all: sum(used.map(({ all }) => all)), python: sum(used.map(({ python }) => python)) };
}

/** One after the other. */
async function wakes(stack: string, servers: readonly Server[]): Promise<FirstAnswer[]> {
  const answers: FirstAnswer[] = [];
  for (const { port } of servers) {
    const answer = await firstAnswer(port);
    if (answer?.status !== 200) throw new Error(`${stack} answered with ${answer?.status ?? "nothing"}`);
    answers.push(answer);
  }
  return answers;
}

function figures(answers: readonly FirstAnswer[], uvicorn: number): Record<string, number> {
  const times = answers.map((answer) => answer.ms);
  const total = median(times);
  const phases = PHASES.flatMap((phase): [string, number][] => {
    const known = answers.flatMap(({ phases: all }) => all[phase] ?? []);
    return known.length === 0 ? [] : [[phase, median(known)]];
  });
  const against = Number.isFinite(uvicorn) ? { uvicorns: total / uvicorn } : {};
  return { total, slowest: Math.max(...times), ...against, ...Object.fromEntries(phases) };
}

function different(answers: readonly FirstAnswer[]): string[] {
  const lengths = new Set(answers.map(({ length }) => length));
  return lengths.size === 1 && !lengths.has(0) ? [] : [`bodies of ${[...lengths].join(", ")} bytes`];
}

async function asleep(servers: readonly Server[]): Promise<void> {
  for (const end = performance.now() + IDLE_MS; performance.now() < end; await Bun.sleep(100)) {
    const all = await Promise.all(servers.map((server) => server.status()));
    if (all.every(({ instances }) => instances.length === 0)) return;
  }
  throw new Error("not every service went to zero");
}

/** @param ended gets what each has used */
async function peerStarts(bench: Bench, { name, args }: Peer, ended: Cpu[]): Promise<FirstAnswer[]> {
  const answers: FirstAnswer[] = [];
  for (let n = 0; n < SPAWNED; n++) {
    const port = await freePorts(1);
    const words = args(String(port));
    bench.command(`${CASE}: ${name}`, [program(name), ...words]);
    answers.push(await peerStart(name, words, { port, ended }));
  }
  return answers;
}

/** From the start of the process to the first byte of its first answer. */
async function peerStart(
  name: string,
  words: readonly string[],
  { port, ended }: { readonly port: number; readonly ended: Cpu[] },
): Promise<FirstAnswer> {
  const began = performance.now();
  const cwd = join(ROOT, "examples/fastapi");
  const child = spawn(program(name), words, { cwd, stdio: "ignore", detached: true });
  const gone = new Promise((resolve) => child.once("exit", resolve));
  try {
    for (;;) {
      const asked = performance.now();
      const answer = await firstAnswer(port);
      if (answer?.status === 200) return { ...answer, ms: asked - began + answer.ms };
      if (answer !== null || child.exitCode !== null) throw new Error(`${name} did not answer 200`);
      await Bun.sleep(2);
    }
  } finally {
    ended.push(treeCpu(child.pid));
    // The whole group: a killed parent would leave its workers behind.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
    await gone;
  }
}

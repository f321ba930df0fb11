/**
 * Holds many requests open at once against an app that awaits five seconds, and says what a request in flight costs in every process.
 *
 *   scripts/bun bench/in_flight.ts [--connections 50000] [--shapes few,many,uvicorn] [--rounds 1]
 *
 * `few`: 4 instances of 12,500 slots. `many`: 80 slots each, as many instances as that takes. `uvicorn`: 4 workers, the yardstick.
 * Every round is reported, with how busy the machine was with anything else meanwhile: the clients, the gateways and the instances
 * need most of two cores while the requests come in. Ideal is the app's own five seconds. Passed: every request in flight at the same moment, no error, p99 at most 1.2 times the ideal.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Connected, Finished, Plan } from "./holders.ts";
import { cpuSecondsOf, Group, memoryOf } from "./processes.ts";

const ROOT = join(import.meta.dir, "..");
const BIN = join(ROOT, ".venv/bin");
const PORT = 18300;
const ADMIN = 18301;
const IDEAL_MS = 5_000;
const ALLOWED = 1.2;
const GENERATORS = 4;
/** A client has about 28,000 ports for one destination: eight addresses of the loopback interface are enough. */
const ADDRESSES = Array.from({ length: 8 }, (_, i) => `127.0.0.${i + 1}`);

const { values: flags } = parseArgs({
  options: {
    connections: { type: "string", default: "50000" },
    shapes: { type: "string", default: "few,many,uvicorn" },
    gateways: { type: "string", default: "4" },
    ramp: { type: "string", default: "4000" },
    rounds: { type: "string", default: "1" },
    rate: { type: "string", default: "8000" },
  },
});
const CONNECTIONS = Number(flags.connections);

interface Cost {
  readonly role: string;
  readonly processes: number;
  readonly idleBytes: number;
  readonly heldBytes: number;
  readonly cpuSeconds: number;
}

interface Result {
  readonly shape: string;
  readonly connections: number;
  readonly answered: number;
  readonly inFlightAtOnce: number | null;
  readonly errors: Record<string, number>;
  readonly startSeconds: number;
  readonly connectP99Ms: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly p99OverIdeal: number;
  readonly costs: readonly Cost[];
  /** CPU seconds that everything but this run used or took from the machine (steal), and how long was looked, times the cores. */
  readonly othersCpuSeconds: number;
  readonly machineCpuSeconds: number;
  readonly passed: boolean;
}

const print = (line: string) => process.stdout.write(`${line}\n`);

function command(shape: string): string[] {
  if (shape === "uvicorn") {
    const quiet = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"];
    return [
      ...[join(BIN, "uvicorn"), "hold:app", "--host", "0.0.0.0", "--port", String(PORT), "--workers", "4"],
      ...["--backlog", "4096", ...quiet],
    ];
  }
  const slots = shape === "few" ? Math.ceil(CONNECTIONS / 4) : 80;
  const settings = {
    "--app-dir": join(ROOT, "bench/apps"),
    "--python": join(BIN, "python"),
    "--host": "0.0.0.0",
    "--port": PORT,
    "--admin-port": ADMIN,
    "--access-log": "off",
    "--gateways": flags.gateways,
    "--instances": Math.ceil(CONNECTIONS / slots),
    "--concurrency": slots,
  };
  return [
    join(ROOT, "headrace"),
    "run",
    "hold:app",
    ...Object.entries(settings).flatMap(([flag, value]) => [flag, String(value)]),
  ];
}

function roleOf(shape: string, words: string): string {
  if (shape === "uvicorn") return "uvicorn";
  if (words.includes("worker/__main__.py")) return "instance";
  return words.includes("__gateway") ? "gateway" : "supervisor";
}

interface Sample {
  readonly role: string;
  readonly bytes: number;
  readonly cpu: number;
}

function samples(shape: string, group: Group, clients: readonly Generator[]): Sample[] {
  const served = group.processes().map(({ pid, command: words }) => ({ pid, role: roleOf(shape, words) }));
  const all = [...served, ...clients.map(({ process: { pid } }) => ({ pid, role: "client" }))];
  return all.flatMap(({ pid, role }) => {
    try {
      return [{ role, bytes: memoryOf(pid), cpu: cpuSecondsOf(pid) }];
    } catch {
      return [];
    }
  });
}

function sum(list: readonly Sample[], role: string, what: "bytes" | "cpu"): number {
  return list.filter((each) => each.role === role).reduce((total, each) => total + each[what], 0);
}

function costs(before: Sample[], held: Sample[], after: Sample[]): Cost[] {
  return [...new Set(held.map(({ role }) => role))].map((role) => ({
    role,
    processes: held.filter((each) => each.role === role).length,
    idleBytes: sum(before, role, "bytes"),
    heldBytes: sum(held, role, "bytes"),
    cpuSeconds: sum(after, role, "cpu") - sum(before, role, "cpu"),
  }));
}

/** CPU seconds of the whole machine since its start: in use or stolen, and all. */
function machine(): { busy: number; all: number } {
  const ticks = (/^cpu +(.*)$/m.exec(readFileSync("/proc/stat", "latin1"))?.[1] ?? "")
    .split(" ")
    .slice(0, 8)
    .map(Number);
  const all = ticks.reduce((total, each) => total + each, 0) / 100;
  return { all, busy: all - ((ticks[3] ?? 0) + (ticks[4] ?? 0)) / 100 };
}

class Generator {
  readonly process: Bun.Subprocess;
  #answer = Promise.withResolvers<unknown>();

  constructor() {
    this.process = Bun.spawn([process.execPath, join(import.meta.dir, "holders.ts")], {
      stdio: ["ignore", "inherit", "inherit"],
      ipc: (message) => this.#answer.resolve(message),
    });
  }

  async ask<T>(message: Plan | "go"): Promise<T> {
    this.#answer = Promise.withResolvers();
    this.process.send(message);
    return (await this.#answer.promise) as T;
  }
}

function merged(parts: readonly Record<string, number>[]): Record<string, number> {
  const all: Record<string, number> = {};
  for (const part of parts) for (const [why, n] of Object.entries(part)) all[why] = (all[why] ?? 0) + n;
  return all;
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * q) - 1)] ?? Number.NaN;
}

const sortedOf = (parts: readonly (readonly number[])[]) => parts.flat().sort((a, b) => a - b);

/** Requests in the app right now; null for a peer that cannot say. */
async function running(shape: string): Promise<number | null> {
  if (shape === "uvicorn") return null;
  const text = await (await fetch(`http://127.0.0.1:${ADMIN}/metrics`)).text();
  // The sum over all instances.
  const taken = text.matchAll(/^headrace_instance_in_flight\{[^}]*\} (\d+)/gm);
  return [...taken].reduce((total, [, value]) => total + Number(value), 0);
}

async function allReady(shape: string, deadline: number): Promise<void> {
  if (shape === "uvicorn") return;
  const wanted = shape === "few" ? 4 : Math.ceil(CONNECTIONS / 80);
  for (; performance.now() < deadline; await Bun.sleep(100)) {
    const text = await (await fetch(`http://127.0.0.1:${ADMIN}/metrics`)).text();
    if (Number(/^headrace_instances\{[^}]*state="ready"[^}]*\} (\d+)/m.exec(text)?.[1] ?? 0) >= wanted)
      return;
  }
  throw new Error("not all instances became ready");
}

async function measure(shape: string, group: Group, startSeconds: number): Promise<Result> {
  const generators = Array.from({ length: GENERATORS }, () => new Generator());
  try {
    const before = samples(shape, group, generators);
    const plan: Plan = {
      port: PORT,
      addresses: ADDRESSES,
      connections: Math.ceil(CONNECTIONS / GENERATORS),
      connectRate: Number(flags.rate) / GENERATORS,
      rampMs: Number(flags.ramp),
      timeoutMs: 30_000,
    };
    const connected = await Promise.all(generators.map((each) => each.ask<Connected>(plan)));
    const own = () =>
      samples(shape, group, generators).reduce((total, { cpu }) => total + cpu, cpuSecondsOf(process.pid));
    const began = { ...machine(), own: own() };
    const finishing = Promise.all(generators.map((each) => each.ask<Finished>("go")));
    // All are sent, none is due yet.
    await Bun.sleep(plan.rampMs + (IDEAL_MS - plan.rampMs) / 2);
    const atOnce = await running(shape);
    const held = samples(shape, group, generators);
    const finished = await finishing;
    const after = samples(shape, group, generators);
    const ended = { ...machine(), own: own() };
    const latencies = sortedOf(finished.map(({ latencyMs }) => latencyMs));
    const errors = merged(finished.map(({ errors: each }) => each));
    const p99Ms = quantile(latencies, 0.99);
    return {
      shape,
      connections: connected.reduce((total, each) => total + each.connections, 0),
      answered: latencies.length,
      inFlightAtOnce: atOnce,
      errors,
      startSeconds,
      connectP99Ms: quantile(sortedOf(connected.map(({ connectMs }) => connectMs)), 0.99),
      p50Ms: quantile(latencies, 0.5),
      p99Ms,
      maxMs: latencies.at(-1) ?? Number.NaN,
      p99OverIdeal: p99Ms / IDEAL_MS,
      costs: costs(before, held, after),
      othersCpuSeconds: Math.max(0, ended.busy - began.busy - (ended.own - began.own)),
      machineCpuSeconds: ended.all - began.all,
      passed:
        latencies.length === CONNECTIONS &&
        (atOnce ?? CONNECTIONS) === CONNECTIONS &&
        Object.keys(errors).length === 0 &&
        p99Ms <= ALLOWED * IDEAL_MS,
    };
  } finally {
    for (const { process: child } of generators) child.kill();
  }
}

function show(result: Result): void {
  const { shape, connections, answered, inFlightAtOnce, errors } = result;
  print(
    `${shape}: ${connections} connections, ${answered} answered, ${inFlightAtOnce ?? "?"} in the app at once`,
  );
  print(`  errors ${JSON.stringify(errors)}; ready after ${result.startSeconds.toFixed(1)} s`);
  const ms = (value: number) => value.toFixed(0);
  print(
    `  connect p99 ${ms(result.connectP99Ms)} ms; p50 ${ms(result.p50Ms)}, p99 ${ms(result.p99Ms)}, max ${ms(result.maxMs)} ms` +
      ` = ${result.p99OverIdeal.toFixed(3)} of the ideal: ${result.passed ? "passed" : "FAILED"}`,
  );
  print(
    `  others used ${result.othersCpuSeconds.toFixed(1)} of the machine's ${result.machineCpuSeconds.toFixed(1)} CPU seconds`,
  );
  for (const cost of result.costs) {
    const each = (cost.heldBytes - cost.idleBytes) / Math.max(1, connections) / 1024;
    print(
      `  ${cost.role} × ${cost.processes}: ${(cost.idleBytes / 2 ** 20).toFixed(0)} → ${(cost.heldBytes / 2 ** 20).toFixed(0)} MiB,` +
        ` ${each.toFixed(2)} KiB a request, ${((cost.cpuSeconds / Math.max(1, connections)) * 1e6).toFixed(0)} µs CPU a request`,
    );
  }
}

async function main(): Promise<number> {
  const results: Result[] = [];
  const shapes = String(flags.shapes).split(",");
  const runs = Array.from({ length: Number(flags.rounds) }, () => shapes).flat();
  for (const shape of runs) {
    const began = performance.now();
    const group = await Group.start(shape, command(shape), `http://127.0.0.1:${PORT}/`, {
      cwd: join(ROOT, "bench/apps"),
    });
    try {
      await allReady(shape, performance.now() + 60_000);
      const result = await measure(shape, group, (performance.now() - began) / 1000);
      show(result);
      results.push(result);
    } finally {
      await group.stop();
    }
  }
  mkdirSync(join(ROOT, "bench/results"), { recursive: true });
  const date = new Date().toISOString().slice(0, 10);
  const cpus = readFileSync("/proc/cpuinfo", "latin1").match(/^processor/gm)?.length;
  const file = join(ROOT, `bench/results/in-flight-${date}.json`);
  writeFileSync(file, `${JSON.stringify({ date, cpus, results }, null, 2)}\n`);
  return results.every(({ shape, passed }) => passed || shape === "uvicorn") ? 0 : 1;
}

if (import.meta.main) process.exit(await main());

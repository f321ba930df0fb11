/** For tests: Python processes as the command starts them, and small servers for them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FromGenerator, Tick, ToGenerator } from "./messages.ts";
import type { GeneratorProcess } from "./process.ts";
import { forShard, type ScenarioPlan, spawnPython } from "./python.ts";
import { Sum } from "./testkit.ts";

/** The interpreter that scenarios are run with; another one by HEADRACE_TEST_PYTHON. */
export const PYTHON = process.env["HEADRACE_TEST_PYTHON"] ?? join(import.meta.dir, "../../.venv/bin/python");
/** For tests with processes. Only a failure takes this long. */
export const PATIENCE_MS = 60_000;

export const folder = mkdtempSync(join(tmpdir(), "headrace-load-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

let files = 0;
/** Writes a file into the folder. Its path. */
export function write(source: string, name = `scenario_${++files}.py`): string {
  const path = join(folder, name);
  writeFileSync(path, source);
  return path;
}

export type Wish = Partial<Omit<ScenarioPlan, "shard" | "file">>;

export function planOf(file: string, wish: Wish): Omit<ScenarioPlan, "shard"> {
  return {
    kind: "scenario",
    file,
    host: null,
    model: "closed",
    users: 4,
    spawnRate: null,
    stages: [],
    arrivals: "constant",
    seed: 1,
    warmupS: 0,
    durationS: 1,
    graceMs: 5_000,
    timeoutMs: 10_000,
    insecure: false,
    headers: [],
    arguments: [],
    ...wish,
  };
}

export interface Found {
  readonly sum: Sum;
  readonly ticks: readonly Tick[];
  readonly notes: readonly string[];
  readonly failed: string | undefined;
  /** Every process said that it was done. */
  readonly whole: boolean;
}

export interface Run {
  /** The text of the file. */
  readonly source: string;
  readonly wish?: Wish;
  readonly shards?: number;
  readonly python?: string;
  /** Called with the sum of all ticks so far; tells the processes to finish when it says so. */
  readonly until?: (sum: Sum) => boolean;
}

/** Runs a scenario in one or more processes, to its end. */
export async function run({ source, wish = {}, shards = 1, python = PYTHON, until }: Run): Promise<Found> {
  const plan = planOf(write(source), until === undefined ? wish : { durationS: null, ...wish });
  const sum = new Sum();
  const ticks: Tick[] = [];
  const notes: string[] = [];
  let failed: string | undefined;
  let ready = 0;
  let done = 0;
  const processes: GeneratorProcess<ScenarioPlan>[] = [];
  const all = (message: ToGenerator<ScenarioPlan>) => {
    for (const each of processes) each.send(message);
  };
  const onMessage = (message: FromGenerator) => {
    if (message.type === "ready" && ++ready === shards) all({ type: "go", at: Date.now() + 50 });
    else if (message.type === "failed") failed = message.message;
    else if (message.type === "done") done++;
    else if (message.type === "note") notes.push(message.text);
    else if (message.type === "tick") {
      ticks.push(message);
      sum.add(message);
      if (until?.(sum) === true) all({ type: "finish", graceMs: plan.graceMs });
    }
  };
  for (let index = 0; index < shards; index++) {
    const one = spawnPython({ python, cwd: folder, env: process.env });
    one.listen(onMessage);
    processes.push(one);
    one.send({ type: "plan", plan: forShard(plan, index, shards) });
  }
  try {
    await Promise.all(processes.map((each) => each.exited));
    return { sum, ticks, notes, failed, whole: done === shards };
  } finally {
    for (const each of processes) each.kill();
  }
}

/** A server that answers by path, and counts. */
export function serve(answer: (request: Request, url: URL) => Response | Promise<Response>) {
  const seen: string[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const url = new URL(request.url);
      seen.push(`${request.method} ${url.pathname}${url.search}`);
      return await answer(request, url);
    },
  });
  return {
    host: `http://127.0.0.1:${server.port}`,
    seen,
    [Symbol.dispose]: () => void server.stop(true),
  };
}

/** A server that treats each connection as `data` says. */
export function raw(data: (socket: import("bun").Socket<undefined>, text: string) => void) {
  const server = Bun.listen<undefined>({
    port: 0,
    hostname: "127.0.0.1",
    socket: { data: (socket, chunk) => data(socket, chunk.toString()), open: () => {}, error: () => {} },
  });
  return { host: `http://127.0.0.1:${server.port}`, [Symbol.dispose]: () => server.stop(true) };
}

export const CLASS = `
from headrace.load import User, between, constant, task, RequestError
`;

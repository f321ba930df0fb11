/**
 * Generator processes that run Python: scenarios, and Locust files under the user's own Locust. Each runs the user's interpreter
 * with `headrace.load`, gets the same plan with its own shard, and speaks messages.ts as JSON lines: stdin and stdout belong to the
 * two of us, and what user code prints comes on stderr and is passed on as notes.
 */

import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { messageOf } from "../base/errors.ts";
import type { FromGenerator } from "./messages.ts";
import type { GeneratorProcess } from "./process.ts";

/** Folder that holds the `headrace` package for Python. */
const PACKAGE_DIR = join(import.meta.dir, "..", "..", "python");
/** Lines of output that are passed on; a scenario that prints every request must not drown the screen. */
const MOST_LINES = 1_000;
/** Last lines of output that are told when a process ends before its time. */
const LAST_LINES = 20;
/** How long the output of a process is waited for once the process has ended. */
const LAST_WORDS_MS = 1_000;

/** What Python processes are asked to do. python/headrace/load/plan.py reads it. */
export interface ScenarioPlan {
  readonly kind: ScenarioKind;
  /** Path of the file. */
  readonly file: string;
  /** Where requests go whose path is relative: `http://127.0.0.1:8080`. Null: the file says it, in `host` of its users. */
  readonly host: string | null;
  /**
   * closed: `users` users, each begins its next task when it has ended the last and waited its think time. open: iterations begin on
   * the schedule of `stages`; the first request of each is counted from when it was due. Locust files run closed only.
   */
  readonly model: "closed" | "open";
  /** Users of all shards together. open: the most that are at work at once; an arrival beyond waits, counted as `blocked`. */
  readonly users: number;
  /** closed: users begun a second, all shards together; null begins all at once. Locust's own default is 1, ours is null. */
  readonly spawnRate: number | null;
  /** open: iterations a second, all shards together; a straight line between points, the last rate holds on. At least one. Else empty. */
  readonly stages: readonly { readonly atS: number; readonly rate: number }[];
  readonly arrivals: "constant" | "poisson";
  readonly seed: number;
  readonly warmupS: number;
  /** Seconds from the start, warm-up included, after which nothing is begun; null: until told to finish. */
  readonly durationS: number | null;
  /** What is in flight at the end of `durationS` is given so long. A message `finish` brings its own. */
  readonly graceMs: number;
  /** Of each request, from its begin to the last byte, where the scenario gives none. */
  readonly timeoutMs: number;
  /** Certificates are not verified. */
  readonly insecure: boolean;
  /** Sent with every request, unless the scenario gives the same name. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Further arguments of Locust's command line, such as `--tags`. Else empty. */
  readonly arguments: readonly string[];
  readonly shard: { readonly index: number; readonly count: number };
}

export type ScenarioKind = "scenario" | "locust";

/** One process of `count`, with its part of the plan. */
export function forShard(plan: Omit<ScenarioPlan, "shard">, index: number, count: number): ScenarioPlan {
  return { ...plan, shard: { index, count } };
}

/**
 * What a file is: one of ours imports headrace.load; one that imports locust, or is called locustfile, is Locust's. Throws the
 * system's error when it cannot be read.
 */
export function scenarioKind(file: string): ScenarioKind {
  const text = readFileSync(file, "utf8");
  if (/^\s*(?:from|import)\s+headrace\b/m.test(text)) return "scenario";
  const isLocust = /^\s*(?:from|import)\s+locust\b/m.test(text) || basename(file).startsWith("locustfile");
  return isLocust ? "locust" : "scenario";
}

export interface PythonOptions {
  /** Path of the interpreter. */
  readonly python: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Starts a process; it waits for the message `plan`. One that ends before it was ready is told as `failed`, with its last words; one
 * that ends later without `done` as a note. It ends by itself when the end of its stdin tells it that this process is gone. What is
 * sent to one that has ended is dropped; `exited` resolves when all that it said was passed on. Throws the system's error when the
 * interpreter cannot be run.
 */
export function spawnPython({ python, cwd, env }: PythonOptions): GeneratorProcess<ScenarioPlan> {
  const child = Bun.spawn([python, join(PACKAGE_DIR, "headrace", "load", "__main__.py")], {
    cwd,
    env: { ...env, PYTHONUNBUFFERED: "1" },
    stdio: ["pipe", "pipe", "pipe"],
    // A session of its own: Ctrl-C reaches the command only, which then lets the run finish.
    detached: true,
  });
  const report = new Report();
  const said = Promise.all([
    readLines(child.stdout, (line) => report.message(line)),
    readLines(child.stderr, (line) => report.printed(line)),
  ]);
  // What the scenario has started itself may live on and hold the pipes open.
  const ended = child.exited.then(() => Promise.race([said, Bun.sleep(LAST_WORDS_MS)]));
  return {
    pid: child.pid,
    send(message) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const dropped = () => {};
      try {
        Promise.resolve(child.stdin.write(`${JSON.stringify(message)}\n`)).catch(dropped);
        Promise.resolve(child.stdin.flush()).catch(dropped);
      } catch {
        dropped();
      }
    },
    listen: (listener) => {
      report.listener = listener;
    },
    exited: ended.then(() => {
      const how = child.signalCode === null ? `exit code ${child.exitCode}` : String(child.signalCode);
      report.exit(how);
      return how;
    }),
    kill: () => killGroup(child.pid),
  };
}

/** Ends the process, with what the scenario has started in its group. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group is empty.
  }
}

/** Passes on what a process says, and speaks for one that cannot any more. */
class Report {
  listener: (message: FromGenerator) => void = () => {};
  readonly #last: string[] = [];
  #lines = 0;
  #stage: "starting" | "ready" | "over" = "starting";

  message(line: string): void {
    let message: FromGenerator;
    try {
      message = JSON.parse(line) as FromGenerator;
    } catch (error) {
      this.listener({ type: "note", text: `no message: ${messageOf(error)}: ${line.slice(0, 200)}` });
      return;
    }
    if (message.type === "ready") this.#stage = "ready";
    else if (message.type === "failed" || message.type === "done") this.#stage = "over";
    this.listener(message);
  }

  printed(line: string): void {
    this.#last.push(line);
    if (this.#last.length > LAST_LINES) this.#last.shift();
    this.#lines++;
    if (this.#lines <= MOST_LINES) this.listener({ type: "note", text: line });
    else if (this.#lines === MOST_LINES + 1)
      this.listener({ type: "note", text: "what the scenario prints further is left out" });
  }

  exit(how: string): void {
    if (this.#stage === "starting") {
      const message = [`The Python process ended before it was ready: ${how}.`, ...this.#last].join("\n");
      this.listener({ type: "failed", message });
    } else if (this.#stage === "ready")
      this.listener({ type: "note", text: `A Python process ended before its time: ${how}.` });
  }
}

/** Calls back with each line of a pipe, to its end. Never rejects. */
async function readLines(pipe: ReadableStream<Uint8Array>, line: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for await (const chunk of pipe) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const each of lines) line(each);
    }
  } catch {
    // A pipe that breaks has ended.
  }
  if (rest !== "") line(rest);
}

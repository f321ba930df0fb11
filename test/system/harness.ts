/**
 * Starts real `./headrace` processes for the stories in this folder and proves that nothing of them is left behind.
 * A story waits for events (a log line, an app call on the {@link Stage}, the end of a process) under one deadline,
 * never for a time to pass.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTicks } from "../../src/config/rundir.ts";
import type { StatusReport } from "../../src/model/instance.ts";

export const ROOT = join(import.meta.dir, "../..");
export const APPS = join(ROOT, "test/apps");
/** The interpreter with the frameworks. */
export const PYTHON = join(ROOT, ".venv/bin/python");

/** Longest time a story waits for any one thing. Generous: it only has to tell "never" from "on a busy machine". */
export const PATIENCE_MS = 30_000;

/** Set on every process of one run, and so inherited by all that it starts: how leftovers are found. */
const MARK = "HEADRACE_STORY";

/** Where applications keep their state, instead of the home folder. */
const STATE = stateFolder();

/** Bun's runner tells nobody of its end, and a file of stories does not know whether it is the last: folders go with the next run. */
function stateFolder(): string {
  for (const name of readdirSync(tmpdir())) {
    const pid = /^headrace-state-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && startTicks(Number(pid)) === null)
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
  return mkdtempSync(join(tmpdir(), `headrace-state-${process.pid}-`));
}

export interface StartOptions {
  /** Flags after the app. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory of the command; the repository by default. */
  readonly cwd?: string;
  /** Interpreter; the one with the frameworks by default, "" to let Headrace choose. */
  readonly python?: string;
  /** Scheme of the public port. */
  readonly scheme?: "http" | "https";
}

export interface Exit {
  readonly status: number | null;
  readonly signal: string | null;
}

/** Waits for `ready` to hold, looking again whenever `changed` resolves. */
async function until<T>(what: string, ready: () => T | undefined, changed: () => Promise<void>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const value = ready();
    if (value !== undefined) return value;
    const left = deadline - performance.now();
    if (left <= 0) throw new Error(`waited ${PATIENCE_MS / 1000} s for ${what}`);
    await Promise.race([changed(), Bun.sleep(Math.min(left, 1000))]);
  }
}

/** Asks again, a little later each time, until the answer is not undefined. For state that sends no event. */
export async function eventually<T>(
  what: string,
  ask: () => T | undefined | Promise<T | undefined>,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  let pause = 5;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      const value = await ask();
      if (value !== undefined) return value;
    } catch (error) {
      last = error;
    }
    await Bun.sleep(pause);
    pause = Math.min(pause * 1.5, 200);
  }
  throw new Error(`waited ${patienceMs / 1000} s for ${what}${last === undefined ? "" : ` (${last})`}`);
}

/** Waits for a promise, but not for ever. */
export async function soon<T>(what: string, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`waited ${PATIENCE_MS / 1000} s for ${what}`)),
    PATIENCE_MS,
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A port that nothing listens on now, outside of the range the system gives to outgoing connections. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = 15_000 + Math.floor(Math.random() * 16_000);
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once("error", () => resolve(false));
      server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
  throw new Error("no free port found");
}

/** A folder that is removed with `using`. */
export function scratchFolder(): { readonly path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), "headrace-story-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** The text of one output stream, line by line, with waiting. */
class Output {
  text = "";
  #changed = Promise.withResolvers<void>();

  add(chunk: string): void {
    this.text += chunk;
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }

  lines(): string[] {
    return this.text.split("\n");
  }

  async waitFor(pattern: RegExp | string): Promise<string> {
    const fits = (line: string) =>
      typeof pattern === "string" ? line.includes(pattern) : pattern.test(line);
    try {
      return await until(
        `a line with ${pattern}`,
        () => this.lines().find(fits),
        () => this.#changed.promise,
      );
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}; the output was:\n${this.text}`);
    }
  }
}

/** Runs the command to its end: for `--version`, `ps`, and starts that must fail. */
export async function command(
  args: readonly string[],
  options: { readonly env?: Record<string, string>; readonly cwd?: string; readonly stdin?: string } = {},
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const child = spawn(join(ROOT, "headrace"), args, {
    cwd: options.cwd ?? ROOT,
    env: cleanEnv(options.env ?? {}),
    stdio: ["pipe", "pipe", "pipe"],
  });
  // Who does not read it, ends without it.
  child.stdin.on("error", () => {});
  child.stdin.end(options.stdin ?? "");
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  try {
    return { status: await soon(`headrace ${args.join(" ")} to end`, ended), stdout, stderr };
  } catch (error) {
    child.kill("SIGKILL");
    throw new Error(`${error}\n${stdout}${stderr}`);
  }
}

/** The environment without what a developer's shell may set for Headrace or an app. */
function cleanEnv(extra: Record<string, string>): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value === undefined || /^(HEADRACE_|FUNCTION_|VIRTUAL_ENV$|PYTHON)/.test(name)) continue;
    env[name] = value;
  }
  return { ...env, NO_COLOR: "1", XDG_STATE_HOME: STATE, ...extra };
}

/** One running `headrace run`. Stop it with `await using`, or `stop()` to look at the exit. */
export class Headrace {
  readonly output = new Output();
  readonly url: string;
  readonly adminUrl: string;
  readonly exit: Promise<Exit>;
  #exited = false;
  #asked = false;

  private constructor(
    readonly child: ReturnType<typeof spawn>,
    readonly mark: string,
    readonly port: number,
    readonly adminPort: number,
    scheme: string,
  ) {
    this.url = `${scheme}://127.0.0.1:${port}`;
    this.adminUrl = `http://127.0.0.1:${adminPort}`;
    child.stdout?.on("data", (chunk: Buffer) => this.output.add(chunk.toString()));
    child.stderr?.on("data", (chunk: Buffer) => this.output.add(chunk.toString()));
    this.exit = new Promise((resolve) => {
      child.once("exit", (status, signal) => {
        this.#exited = true;
        resolve({ status, signal });
      });
    });
  }

  /** Starts and returns at once; most stories want {@link start}. */
  static async launch(app: string, options: StartOptions = {}): Promise<Headrace> {
    const port = await freePort();
    const adminPort = await freePort();
    const mark = crypto.randomUUID();
    const python = options.python ?? PYTHON;
    const args = ["run", app, "--port", String(port), "--admin-port", String(adminPort)];
    if (python !== "") args.push("--python", python);
    const child = spawn(join(ROOT, "headrace"), [...args, ...(options.args ?? [])], {
      cwd: options.cwd ?? ROOT,
      env: cleanEnv({ ...options.env, [MARK]: mark }),
      stdio: ["ignore", "pipe", "pipe"],
    });
    return new Headrace(child, mark, port, adminPort, options.scheme ?? "http");
  }

  /** Starts `headrace up` with a file whose ports are given, and waits until all services are ready. */
  static async up(
    file: string,
    ports: { readonly port: number; readonly adminPort: number },
    env: Record<string, string> = {},
    flags: readonly string[] = [],
  ): Promise<Headrace> {
    const mark = crypto.randomUUID();
    const child = spawn(join(ROOT, "headrace"), ["up", "-f", file, ...flags], {
      cwd: ROOT,
      env: cleanEnv({ ...env, [MARK]: mark }),
      stdio: ["ignore", "pipe", "pipe"],
    });
    const headrace = new Headrace(child, mark, ports.port, ports.adminPort, "http");
    try {
      await headrace.ready();
    } catch (error) {
      await headrace.kill();
      throw error;
    }
    return headrace;
  }

  /** Starts and waits until it takes requests. */
  static async start(app: string, options: StartOptions = {}): Promise<Headrace> {
    const headrace = await Headrace.launch(app, options);
    try {
      await headrace.ready();
    } catch (error) {
      await headrace.kill();
      throw error;
    }
    return headrace;
  }

  async ready(): Promise<void> {
    let ended: Exit | undefined;
    this.exit.then((exit) => {
      ended = exit;
    });
    try {
      await eventually("readiness", async () => {
        if (ended !== undefined) return "ended";
        const answer = await fetch(`${this.adminUrl}/readyz`);
        await answer.arrayBuffer();
        return answer.ok ? "ready" : undefined;
      });
    } catch (error) {
      throw new Error(`${error}; the output was:\n${this.output.text}`);
    }
    if (ended !== undefined) throw new Error(`ended with ${JSON.stringify(ended)}:\n${this.output.text}`);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  async status(): Promise<StatusReport> {
    return (await (await fetch(`${this.adminUrl}/v1/status`)).json()) as StatusReport;
  }

  async metrics(): Promise<string> {
    return await (await fetch(`${this.adminUrl}/metrics`)).text();
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.url + path, { redirect: "manual", ...init });
  }

  signal(name: NodeJS.Signals): void {
    this.#asked = true;
    process.kill(this.pid, name);
  }

  /** SIGTERM where no signal was sent yet (a second one would force it), then the exit. Fails when a process is left. */
  async stop(): Promise<Exit> {
    if (!this.#exited && !this.#asked) this.signal("SIGTERM");
    try {
      const exit = await soon("the exit", this.exit);
      await this.nothingLeft();
      return exit;
    } catch (error) {
      for (const { pid } of this.processes()) process.kill(pid, "SIGKILL");
      throw new Error(`${error}; the output was:\n${this.output.text}`);
    }
  }

  async kill(): Promise<void> {
    if (!this.#exited) this.signal("SIGKILL");
    await this.exit;
    await this.nothingLeft();
  }

  /** All processes of this run that still live, found by the mark in their environment. */
  processes(): { pid: number; command: string }[] {
    if (!existsSync("/proc/self/environ")) return [];
    const found: { pid: number; command: string }[] = [];
    for (const entry of readdirSync("/proc")) {
      if (!/^\d+$/.test(entry)) continue;
      try {
        if (!readFileSync(`/proc/${entry}/environ`, "latin1").includes(`${MARK}=${this.mark}`)) continue;
        if (/^State:\s+Z/m.test(readFileSync(`/proc/${entry}/status`, "latin1"))) continue;
        const command = readFileSync(`/proc/${entry}/cmdline`, "latin1").replaceAll("\0", " ").trim();
        found.push({ pid: Number(entry), command });
      } catch {
        // It ended while we looked, or belongs to someone else.
      }
    }
    return found;
  }

  /** Fails unless every process of this run ends soon; ends what is left, so that the next story has the machine. */
  async nothingLeft(): Promise<void> {
    try {
      await eventually("the last process", () => (this.processes().length === 0 ? true : undefined));
    } catch {
      const left = this.processes();
      for (const { pid } of left) process.kill(pid, "SIGKILL");
      throw new Error(`left behind: ${JSON.stringify(left)}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Lines of a file that apps append to; empty while there is none. */
export function linesOf(path: string): string[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8").split("\n").filter(Boolean);
}

/** Resident memory of a process in bytes. */
export function residentBytes(pid: number): number {
  const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
  return Number(kib ?? 0) * 1024;
}

export { until };

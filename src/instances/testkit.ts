/** For this room's tests: a pool with real Python processes, and ports that record and can be waited on. */

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { type Clock, systemClock } from "../base/clock.ts";
import { Pool } from "./pool.ts";
import type { OutputLine, PoolEvent, PoolPorts, Route } from "./ports.ts";
import { type RestartSettings, restartDefaults } from "./restart.ts";
import type { PoolSpec } from "./settings.ts";

export const root = resolve(import.meta.dir, "../..");
const venv = join(root, ".venv", "bin", "python");
/** The interpreter that tests run workers with; another one by HEADRACE_TEST_PYTHON. */
export const python =
  process.env["HEADRACE_TEST_PYTHON"] ?? (existsSync(venv) ? venv : (Bun.which("python3") ?? "python3"));

/** Longest wait for anything that tests wait for. Only a failure takes this long. */
export const patienceMs = 60_000;

/** For tests with processes. */
export const options = { timeout: 2 * patienceMs };

/** A bare ASGI app. It answers with its process id; /wait answers when the file named in its query exists. */
export const asgiApp = `
import asyncio, os, sys
started = []
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        started.append(1)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("lifespan shutdown", flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = str(os.getpid()).encode()
    if scope["path"] == "/wait":
        print("waiting", flush=True)
        gate = scope["query_string"].decode()
        while not os.path.exists(gate):
            await asyncio.sleep(0.005)
    if scope["path"] == "/say":
        print("said in a request", flush=True)
        print("to stderr", file=sys.stderr, flush=True)
    if scope["path"] == "/started":
        body = str(len(started)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
`;

/** A list that grows, and can be waited on. */
export class Journal<T> {
  readonly entries: T[] = [];
  #waiters: (() => void)[] = [];

  push(entry: T): void {
    this.entries.push(entry);
    for (const wake of this.#waiters.splice(0)) wake();
  }

  /** The first entry, past or to come, that `accepts` accepts. @throws Error after {@link patienceMs} */
  async until<S extends T>(accepts: (entry: T) => entry is S, what?: string): Promise<S>;
  async until(accepts: (entry: T) => boolean, what?: string): Promise<T>;
  async until(accepts: (entry: T) => boolean, what = "an entry"): Promise<T> {
    const deadline = Date.now() + patienceMs;
    for (let next = 0; ; ) {
      for (; next < this.entries.length; next++) {
        const entry = this.entries[next] as T;
        if (accepts(entry)) return entry;
      }
      const woken = await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(false), Math.max(0, deadline - Date.now()));
        this.#waiters.push(() => {
          clearTimeout(timer);
          resolve(true);
        });
      });
      if (!woken)
        throw new Error(`${what} did not come; seen: ${JSON.stringify(this.entries).slice(0, 4000)}`);
    }
  }
}

type EventOf<K extends PoolEvent["kind"]> = Extract<PoolEvent, { kind: K }>;

/** One pool under test. */
export class Kit {
  readonly dir = mkdtempSync(join(tmpdir(), "hr-"));
  readonly events = new Journal<PoolEvent>();
  readonly lines = new Journal<OutputLine>();
  readonly published = new Journal<readonly Route[]>();
  readonly released = new Journal<{ readonly instance: string; readonly gateway: number }>();
  /** Rows that are taken: in flight as a test sets it, and whether reservations are still possible. */
  readonly rows = new Map<number, { inFlight: number; open: boolean; served: number }>();
  readonly pool: Pool;
  readonly spec: PoolSpec;

  /** @param app source of the module `app`; @param files further files by name */
  constructor(
    app: string,
    options: Partial<PoolSpec> = {},
    more: {
      readonly files?: Readonly<Record<string, string>>;
      readonly restart?: Partial<RestartSettings>;
      readonly clock?: Clock;
    } = {},
  ) {
    const appDir = join(this.dir, "app");
    this.write("app.py", app);
    for (const [name, text] of Object.entries(more.files ?? {})) this.write(name, text);
    const runDir = join(this.dir, "run");
    mkdirSync(runDir, { mode: 0o700 });
    this.spec = { ...defaults, appDir, runDir, ...options };
    this.pool = new Pool(this.spec, this.#ports(more.clock ?? systemClock), {
      ...restartDefaults,
      ...more.restart,
    });
  }

  /** Writes a file of the app. */
  write(name: string, text: string): void {
    const path = join(this.dir, "app", name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  event<K extends PoolEvent["kind"]>(
    kind: K,
    accepts: (event: EventOf<K>) => boolean = () => true,
  ): Promise<EventOf<K>> {
    const is = (event: PoolEvent): event is EventOf<K> => event.kind === kind && accepts(event as EventOf<K>);
    return this.events.until(is, `the event ${kind}`);
  }

  count(kind: PoolEvent["kind"]): number {
    return this.events.entries.filter((event) => event.kind === kind).length;
  }

  /** The list that was published last. */
  get routes(): readonly Route[] {
    return this.published.entries.at(-1) ?? [];
  }

  /** Ends everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.pool.kill();
    await this.pool.stop({ drainMs: 0 });
    rmSync(this.dir, { recursive: true, force: true });
  }

  #ports(clock: Clock): PoolPorts {
    return {
      clock,
      random: () => 0.5,
      rows: {
        acquire: () => {
          let row = 0;
          while (this.rows.has(row)) row++;
          this.rows.set(row, { inFlight: 0, open: true, served: 0 });
          return { row, tablePath: null, begunOffset: 0 };
        },
        close: (row) => {
          const entry = this.rows.get(row);
          if (entry !== undefined) entry.open = false;
        },
        inFlight: (row) => this.rows.get(row)?.inFlight ?? 0,
        served: (row) => this.rows.get(row)?.served ?? 0,
        free: (row) => void this.rows.delete(row),
      },
      routes: { publish: async (routes) => this.published.push(routes) },
      gatewayReleased: (instance, gateway) => this.released.push({ instance, gateway }),
      output: (line) => this.lines.push(line),
      event: (event) => this.events.push(event),
    };
  }
}

const defaults: Omit<PoolSpec, "appDir" | "runDir"> = {
  service: "test",
  revision: "r1",
  app: "app:app",
  interface: "auto",
  factory: false,
  signatureType: null,
  target: null,
  python,
  packageDir: join(root, "python"),
  env: process.env,
  instances: 1,
  preload: "off",
  keepImports: false,
  workerClass: "auto",
  loop: "asyncio",
  lifespan: "auto",
  concurrency: 10,
  window: 262_144,
  limits: { cpu: 0, memory: 0 },
  recycling: { maxAgeMs: 0, maxRequests: 0, maxRequestsJitter: 0, maxMemory: 0 },
  sources: [],
  rootPath: "",
  wsMaxSize: 16_777_216,
  startupTimeoutMs: 60_000,
  shutdownTimeoutMs: 10_000,
  patienceMs: 30_000,
  drainMs: 30_000,
};

/** Whether a process exists (a zombie does not count). */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Waits until a process is gone. There is no event for processes that are not children of ours, so it is looked for. */
export async function untilGone(pid: number): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (isAlive(pid)) {
    if (Date.now() > deadline) throw new Error(`process ${pid} is still there`);
    await Bun.sleep(10);
  }
}

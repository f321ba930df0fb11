/**
 * An open-loop generator: requests go out on a schedule, whatever comes back, each over a connection that is free or a new one; one JSON
 * line on stdout. Latency counts from the intended moment.
 *
 *   scripts/bun bench/load/flood.ts PORT PATH LENGTH DEADLINE_MS SECONDS:RATE,SECONDS:RATE,...
 *
 * LENGTH is the size of the body of a right answer: another one has failed.
 */
import type { Socket } from "bun";
import { readAnswer } from "./probe.ts";

/** What became of the requests that were due in a second. */
export interface Second {
  offered: number;
  /** Right, and before the deadline. */
  good: number;
  /** Right, but after it. */
  late: number;
  /** 429 or 503. */
  refused: number;
  /** 504. */
  expired: number;
  failed: number;
}

export interface Flood {
  readonly seconds: readonly Second[];
  readonly unanswered: number;
  /** From the intended moment to the last byte, of the right answers by the second in which they were due. */
  readonly latencyMs: readonly (readonly number[])[];
}

interface State {
  intendedAt: number;
  /** -1 while nothing is asked for. */
  second: number;
  got: Buffer | null;
}

export interface Plan {
  readonly port: number;
  readonly path: string;
  readonly length: number;
  readonly deadlineMs: number;
  readonly stages: readonly (readonly [seconds: number, rate: number])[];
}

const TICK_MS = 1;

export class Generator {
  readonly #plan: Plan;
  readonly #head: string;
  readonly #seconds: Second[] = [];
  readonly #latencyMs: number[][] = [];
  readonly #idle: Socket<State>[] = [];
  #left = 0;
  #began = 0;

  constructor(plan: Plan) {
    this.#plan = plan;
    const head = [`GET ${plan.path} HTTP/1.1`, `host: 127.0.0.1:${plan.port}`];
    this.#head = head.join("\r\n");
  }

  /** Who waits since before tells how long he still will. */
  #request({ intendedAt }: State): string {
    const left = Math.max(1, Math.floor(this.#plan.deadlineMs - (performance.now() - intendedAt)));
    return `${this.#head}\r\nx-request-timeout: ${left}ms\r\n\r\n`;
  }

  async run(): Promise<Flood> {
    this.#began = performance.now() + 100;
    let next = this.#began;
    let stageEnd = this.#began;
    for (const [length, rate] of this.#plan.stages) {
      stageEnd += length * 1_000;
      while (next < stageEnd) {
        const now = performance.now();
        for (; next <= now && next < stageEnd; next += 1_000 / rate) this.#send(next);
        await Bun.sleep(TICK_MS);
      }
    }
    const end = performance.now() + this.#plan.deadlineMs + 500;
    while (this.#left > 0 && performance.now() < end) await Bun.sleep(20);
    return { seconds: this.#seconds, unanswered: this.#left, latencyMs: this.#latencyMs };
  }

  #row(second: number): Second {
    for (let at = this.#seconds.length; at <= second; at++) {
      this.#seconds.push({ offered: 0, good: 0, late: 0, refused: 0, expired: 0, failed: 0 });
      this.#latencyMs.push([]);
    }
    return this.#seconds[second]!;
  }

  #send(intendedAt: number): void {
    const second = Math.floor((intendedAt - this.#began) / 1_000);
    this.#row(second).offered++;
    this.#left++;
    const free = this.#idle.pop();
    if (free !== undefined) {
      free.data.intendedAt = intendedAt;
      free.data.second = second;
      free.write(this.#request(free.data));
      return;
    }
    const state: State = { intendedAt, second, got: null };
    const socket = {
      data: (from: Socket<State>, chunk: Buffer) => this.#take(from, chunk),
      close: (from: Socket<State>) => this.#closed(from),
      error: () => {},
    };
    const target = { hostname: "127.0.0.1", port: this.#plan.port };
    Bun.connect<State>({ ...target, data: state, socket }).then(
      (made) => void made.write(this.#request(state)),
      () => this.#settle(state, 0, 0),
    );
  }

  #take(socket: Socket<State>, chunk: Buffer): void {
    const { data } = socket;
    if (data.second < 0) return;
    data.got = data.got === null ? Buffer.from(chunk) : Buffer.concat([data.got, chunk]);
    const answer = readAnswer(data.got, false);
    if (answer === null) return;
    this.#settle(data, answer.status, answer.bodyBytes);
    if (/\nconnection: *close/i.test(data.got.toString("latin1", 0, 1_000))) socket.end();
    else this.#idle.push(socket);
    data.second = -1;
    data.got = null;
  }

  #closed(socket: Socket<State>): void {
    if (socket.data.second >= 0) this.#settle(socket.data, 0, 0);
    socket.data.second = -1;
    const at = this.#idle.indexOf(socket);
    if (at !== -1) this.#idle.splice(at, 1);
  }

  #settle({ intendedAt, second }: State, status: number, length: number): void {
    this.#left--;
    const row = this.#row(second);
    const ms = performance.now() - intendedAt;
    if (status === 200 && length === this.#plan.length) {
      this.#latencyMs[second]!.push(ms);
      if (ms <= this.#plan.deadlineMs) row.good++;
      else row.late++;
    } else if (status === 429 || status === 503) row.refused++;
    else if (status === 504) row.expired++;
    else row.failed++;
  }
}

/** Runs it in a process of its own, so that its work does not stand in the way of who starts it. */
export async function flood(
  plan: Plan,
  cores: string | null = null,
): Promise<Flood & { readonly cpuSeconds: number }> {
  const stages = plan.stages.map((stage) => stage.join(":")).join(",");
  const words = [plan.port, plan.path, plan.length, plan.deadlineMs, stages].map(String);
  const pin = cores === null ? [] : ["taskset", "-c", cores];
  const child = Bun.spawn([...pin, process.execPath, import.meta.path, ...words], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`the generator ended with ${child.exitCode}`);
  return {
    ...(JSON.parse(text) as Flood),
    cpuSeconds: Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6,
  };
}

if (import.meta.main) {
  const [port = "", path = "/", length = "", deadline = "", stages = ""] = process.argv.slice(2);
  const generator = new Generator({
    port: Number(port),
    path,
    length: Number(length),
    deadlineMs: Number(deadline),
    stages: stages.split(",").map((stage) => stage.split(":").map(Number) as [number, number]),
  });
  process.stdout.write(`${JSON.stringify(await generator.run())}\n`);
  process.exit(0);
}

/** A Headrace that is measured by what it says of itself: started, asked for its status, stopped. */
import { type ChildProcess, spawn } from "node:child_process";
import { connect } from "node:net";
import { join } from "node:path";
import type { StatusReport } from "../../src/model/instance.ts";
import { freePorts, PYTHON, ROOT } from "../frame/places.ts";
import { type Cpu, treeCpu } from "../frame/processes.ts";
import { readAnswer } from "../load/probe.ts";

const PATIENCE_MS = 60_000;

export class Server {
  /** All that it wrote. */
  output = "";
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  private constructor(
    child: ChildProcess,
    readonly port: number,
    readonly command: readonly string[],
  ) {
    this.#child = child;
    const take = (chunk: Buffer) => {
      this.output += chunk.toString();
    };
    child.stdout?.on("data", take);
    child.stderr?.on("data", take);
    this.#ended = new Promise((resolve) => child.once("exit", () => resolve()));
  }

  /** Starts `headrace run` and waits until it is ready. */
  static async start(app: string, args: readonly string[]): Promise<Server> {
    const port = await freePorts(2);
    const fixed = ["--port", port, "--admin-port", port + 1, "--access-log", "off", "--log-format", "json"];
    const words = ["run", join(ROOT, app), ...fixed.map(String), "--python", PYTHON, ...args];
    const child = spawn(join(ROOT, "headrace"), words, { stdio: ["ignore", "pipe", "pipe"] });
    const server = new Server(child, port, ["headrace", ...words]);
    for (const end = performance.now() + PATIENCE_MS; performance.now() < end; await Bun.sleep(20)) {
      const ready = await fetch(`http://127.0.0.1:${server.admin}/readyz`).catch(() => null);
      await ready?.arrayBuffer();
      if (ready?.ok) return server;
      if (child.exitCode !== null) break;
    }
    await server.stop();
    throw new Error(`headrace ${words.join(" ")} did not start:\n${server.output.slice(-2_000)}`);
  }

  /** Used so far by it and all that it started. */
  cpu(): Cpu {
    return treeCpu(this.#child.pid);
  }

  get admin(): number {
    return this.port + 1;
  }

  async status(): Promise<StatusReport> {
    try {
      return (await (await fetch(`http://127.0.0.1:${this.admin}/v1/status`)).json()) as StatusReport;
    } catch (error) {
      throw new Error(`no status of ${this.port}: ${error}\n${this.output.slice(-2_000)}`);
    }
  }

  /** When instances became ready, as the log says: Unix milliseconds. */
  readyTimes(): readonly number[] {
    const lines = this.output.split("\n").filter((line) => line.includes('"instance.ready"'));
    return lines.map((line) => new Date((JSON.parse(line) as { time: string }).time).getTime());
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGTERM");
    await this.#ended;
  }
}

export interface FirstAnswer {
  /** From the connect to the first byte. */
  readonly ms: number;
  readonly status: number;
  /** Of its body. */
  readonly length: number;
  /** Milliseconds by phase, from the header Server-Timing; empty without. */
  readonly phases: Readonly<Record<string, number>>;
}

/** The first answer of a server, over a connection of its own; null when there is no server. */
export function firstAnswer(port: number, path = "/"): Promise<FirstAnswer | null> {
  const { promise, resolve } = Promise.withResolvers<FirstAnswer | null>();
  const began = performance.now();
  let ms = 0;
  let got = Buffer.alloc(0);
  const socket = connect(port, "127.0.0.1", () => {
    socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: close\r\n\r\n`);
  });
  socket.on("data", (chunk: Buffer) => {
    if (ms === 0) ms = performance.now() - began;
    got = Buffer.concat([got, chunk]);
  });
  socket.on("close", () => {
    const answer = readAnswer(got, true);
    if (answer === null) return resolve(null);
    const { status, bodyBytes: length } = answer;
    resolve({ ms, status, length, phases: phasesOf(got.toString("latin1")) });
  });
  socket.on("error", () => resolve(null));
  return promise;
}

/** Reads `wait;dur=18.2, fork;dur=3.1` of an answer's head. */
export function phasesOf(head: string): Record<string, number> {
  const line = /\nserver-timing: *([^\r\n]*)/i.exec(head)?.[1] ?? "";
  const found = [...line.matchAll(/([\w-]+);dur=([\d.]+)/g)];
  return Object.fromEntries(found.map(([, name = "", ms]) => [name, Number(ms)]));
}

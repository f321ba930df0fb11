/** A Headrace that is measured: started, asked for its status, stopped. */

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import type { StatusReport } from "../src/model/instance.ts";

export const ROOT = join(import.meta.dir, "..");
export const PYTHON = join(ROOT, ".venv/bin/python");

const PATIENCE_MS = 60_000;

export class Server {
  /** All that it wrote. */
  output = "";
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  private constructor(
    child: ChildProcess,
    readonly port: number,
    readonly admin: number,
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
  static async start(app: string, port: number, args: readonly string[]): Promise<Server> {
    const fixed = [
      "--port",
      `${port}`,
      "--admin-port",
      `${port + 1}`,
      "--access-log",
      "off",
      "--log-format",
      "json",
    ];
    const command = ["run", join(ROOT, app), ...fixed, "--python", PYTHON, ...args];
    const child = spawn(join(ROOT, "headrace"), command, { stdio: ["ignore", "pipe", "pipe"] });
    const server = new Server(child, port, port + 1);
    for (const end = performance.now() + PATIENCE_MS; performance.now() < end; await Bun.sleep(20)) {
      const ready = await fetch(`http://127.0.0.1:${server.admin}/readyz`).catch(() => null);
      await ready?.arrayBuffer();
      if (ready?.ok) return server;
      if (child.exitCode !== null) break;
    }
    await server.stop();
    throw new Error(`headrace ${command.join(" ")} did not start:\n${server.output.slice(-2_000)}`);
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

/** Milliseconds from the connect to the first byte of an answer with status 200; null when there is no server. */
export function firstByte(port: number, path = "/"): Promise<number | null> {
  const { promise, resolve } = Promise.withResolvers<number | null>();
  const began = performance.now();
  Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (socket) => void socket.write(`GET ${path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n`),
      data(socket, chunk) {
        resolve(chunk.toString().startsWith("HTTP/1.1 200") ? performance.now() - began : null);
        socket.end();
      },
      close: () => resolve(null),
      error: () => resolve(null),
    },
  }).catch(() => resolve(null));
  return promise;
}

/** Several processes of holders.ts that act as one. */
import { join } from "node:path";
import { cpuSecondsOf } from "../frame/processes.ts";
import type { Connected, Finished, Plan } from "./holders.ts";

export type { Finished } from "./holders.ts";

const PROCESSES = 4;
/** A client has about 28,000 ports for one destination: eight addresses of the loopback interface are enough. */
const ADDRESSES = Array.from({ length: 8 }, (_, i) => `127.0.0.${i + 1}`);

class Generator {
  readonly process: Bun.Subprocess;
  #answer = Promise.withResolvers<unknown>();

  constructor() {
    this.process = Bun.spawn([process.execPath, join(import.meta.dir, "holders.ts")], {
      stdio: ["ignore", "inherit", "inherit"],
      ipc: (message) => this.#answer.resolve(message),
    });
    void this.process.exited.then((code) => this.#answer.reject(new Error(`a generator ended with ${code}`)));
    // Whoever asks gets the rejection; at the end nobody does.
    this.#answer.promise.catch(() => {});
  }

  async ask<T>(message: Plan | "go"): Promise<T> {
    this.#answer = Promise.withResolvers();
    this.process.send(message);
    return (await this.#answer.promise) as T;
  }
}

export class Holding {
  readonly #plan: Plan;
  readonly #generators = Array.from({ length: PROCESSES }, () => new Generator());

  constructor(plan: Omit<Plan, "addresses">) {
    this.#plan = {
      ...plan,
      addresses: ADDRESSES,
      connections: Math.ceil(plan.connections / PROCESSES),
      connectRate: plan.connectRate / PROCESSES,
    };
  }

  async connect(): Promise<Connected> {
    const all = await Promise.all(this.#generators.map((each) => each.ask<Connected>(this.#plan)));
    return {
      type: "connected",
      connections: all.reduce((sum, { connections }) => sum + connections, 0),
      errors: merged(all.map(({ errors }) => errors)),
      connectMs: all.flatMap(({ connectMs }) => connectMs),
    };
  }

  async hold(): Promise<Finished> {
    const all = await Promise.all(this.#generators.map((each) => each.ask<Finished>("go")));
    return {
      type: "finished",
      latencyMs: all.flatMap(({ latencyMs }) => latencyMs),
      errors: merged(all.map(({ errors }) => errors)),
    };
  }

  /** Used so far. */
  cpuSeconds(): number {
    return this.#generators.reduce((sum, { process: { pid } }) => sum + cpuSecondsOf(pid), 0);
  }

  stop(): void {
    for (const { process: child } of this.#generators) child.kill();
  }
}

function merged(parts: readonly Record<string, number>[]): Record<string, number> {
  const all: Record<string, number> = {};
  for (const part of parts) for (const [why, n] of Object.entries(part)) all[why] = (all[why] ?? 0) + n;
  return all;
}

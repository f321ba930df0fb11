/** A generator process: one plan, run from a moment that all processes share, told once a second. */

import { messageOf } from "../base/errors.ts";
import { ClosedDriver } from "./closed.ts";
import type { Driver } from "./driver.ts";
import { HoldDriver } from "./hold.ts";
import type { FromGenerator, ToGenerator } from "./messages.ts";
import { OpenDriver } from "./open.ts";
import type { GeneratorPlan } from "./plan.ts";
import { Recorder } from "./recorder.ts";

const TICK_MS = 1_000;

/** Runs until its plan is done, or its parent is gone. */
export default function generatorProcess(): void {
  // The terminal's Ctrl-C reaches the whole process group; what it means is decided by the parent.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => {});
  process.on("disconnect", () => process.exit(1));
  let generator: Generator | undefined;
  process.on("message", (message: ToGenerator<GeneratorPlan>) => {
    if (message.type === "plan") generator = prepared(message.plan);
    else if (message.type === "go") generator?.go(message.at);
    else generator?.finish(message.graceMs);
  });
}

function send(message: FromGenerator): void {
  process.send?.(message);
}

function prepared(plan: GeneratorPlan): Generator | undefined {
  try {
    const generator = new Generator(plan);
    send({ type: "ready" });
    return generator;
  } catch (error) {
    send({ type: "failed", message: messageOf(error) });
    return undefined;
  }
}

class Generator {
  readonly #recorder: Recorder;
  readonly #driver: Driver;
  #startedAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(plan: GeneratorPlan) {
    this.#recorder = new Recorder(
      plan.requests.map(({ name }) => name),
      plan.warmupMs,
    );
    this.#driver = driverOf(plan, this.#recorder);
  }

  /** @param at Unix milliseconds */
  go(at: number): void {
    setTimeout(() => void this.#run(), Math.max(0, at - Date.now()));
  }

  finish(graceMs: number): void {
    this.#driver.finish(graceMs);
  }

  async #run(): Promise<void> {
    this.#startedAt = performance.now();
    const done = this.#driver.start();
    this.#tickAfter(TICK_MS);
    await done;
    clearTimeout(this.#timer);
    this.#tick();
    process.send?.({ type: "done" } satisfies FromGenerator, () => process.exit(0));
  }

  /** The ticks are on the seconds since the start; a warm-up is of whole seconds. */
  #tickAfter(atMs: number): void {
    const due = this.#startedAt + atMs - performance.now();
    this.#timer = setTimeout(
      () => {
        this.#tick();
        this.#tickAfter(atMs + TICK_MS);
      },
      Math.max(0, due),
    );
  }

  #tick(): void {
    const atMs = performance.now() - this.#startedAt;
    for (const tick of this.#recorder.ticks(atMs / 1_000, this.#driver.gauges())) send(tick);
  }
}

function driverOf(plan: GeneratorPlan, recorder: Recorder): Driver {
  switch (plan.model) {
    case "open":
      return new OpenDriver(plan, recorder);
    case "closed":
      return new ClosedDriver(plan, recorder);
    case "hold":
      return new HoldDriver(plan, recorder);
  }
}

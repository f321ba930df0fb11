/** A load as a whole: prepared, run once or in the steps of a search, watched from both sides. */

import type { Collector } from "./collect.ts";
import { resultOf } from "./outcome.ts";
import type { GeneratorPlan } from "./plan.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { type GeneratorProcess, spawnGenerator } from "./process.ts";
import type { LoadResult, PlanFacts, ServerPoint, StepResult, TargetFacts } from "./result.ts";
import { type Running, start } from "./run.ts";
import { ServerWatch } from "./server-watch.ts";
import { type LoadSettings, type Shape, shapeDurationMs } from "./settings.ts";
import type { Condition } from "./thresholds.ts";

/** What is in flight when a run is interrupted has this long. */
const INTERRUPTED_GRACE_MS = 1_000;

export interface SessionOptions {
  readonly target: TargetFacts;
  readonly failIf: readonly Condition[];
  readonly notes: readonly string[];
  /** Starts a generator process that speaks messages.ts on its channel. */
  readonly command: readonly string[];
  /** Where to ask the Headrace behind the target; null when there is none. */
  readonly admin: { readonly url: string; readonly token: string | null } | null;
  readonly observer: Observer;
}

/** Who looks on. */
export interface Observer {
  /** It begins: so many processes and connections. */
  begun(prepared: Prepared, shape: Shape): void;
  /** Called four times a second. */
  progress(progress: Progress): void;
}

export interface Progress {
  readonly collector: Collector;
  readonly processes: number;
  /** Seconds since the start, and how many there will be. */
  readonly atS: number;
  readonly wholeS: number;
  readonly server: ServerPoint | null;
}

const LOOK_MS = 250;

/** One load that can be interrupted. */
export class Session {
  readonly #options: SessionOptions;
  #running: Running | null = null;
  #interrupted = false;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  get interrupted(): boolean {
    return this.#interrupted;
  }

  /** The first time: begins nothing more and soon ends. The second time at once. */
  interrupt(): void {
    this.#running?.finish(this.#interrupted ? 0 : INTERRUPTED_GRACE_MS);
    this.#interrupted = true;
  }

  /** Runs what the settings say. Throws HeadraceError when it cannot be begun, or a generator died. */
  async run(settings: LoadSettings, steps: readonly StepResult[] = []): Promise<LoadResult> {
    const prepared = await prepare(settings);
    this.#options.observer.begun(prepared, settings.shape);
    const processes = prepared.plans.map(() => spawnGenerator<GeneratorPlan>(this.#options.command));
    return this.#carryOut(settings, { prepared, processes, steps });
  }

  async #carryOut(
    settings: LoadSettings,
    work: {
      readonly prepared: Prepared;
      readonly processes: readonly GeneratorProcess<GeneratorPlan>[];
      readonly steps: readonly StepResult[];
    },
  ): Promise<LoadResult> {
    const running = await start(work.processes, work.prepared.plans);
    this.#running = running;
    if (this.#interrupted) running.finish(0);
    const watch = await this.#watch(running.startsAt);
    const looking = setInterval(
      () => this.#look(running, { settings, watch, processes: work.processes.length }),
      LOOK_MS,
    );
    let server = null;
    try {
      await running.over;
    } finally {
      clearInterval(looking);
      server = (await watch?.stop()) ?? null;
      this.#running = null;
    }
    const wallS = (Date.now() - running.startsAt) / 1_000;
    const whole = this.#interrupted ? wallS : (plannedS(settings.shape) ?? wallS);
    const warmupS = settings.warmupMs / 1_000;
    return resultOf({
      collector: running.collector,
      startsAt: running.startsAt,
      durationS: Math.max(0.001, whole - warmupS),
      wallS,
      warmupS,
      target: this.#options.target,
      plan: planFacts(settings, work.prepared),
      addresses: work.prepared.addresses,
      failIf: this.#options.failIf,
      notes: [...this.#options.notes, ...running.notes],
      interrupted: this.#interrupted,
      server,
      steps: work.steps,
    });
  }

  async #watch(startsAt: number): Promise<ServerWatch | null> {
    const { admin } = this.#options;
    if (admin === null) return null;
    const watch = new ServerWatch({ admin: admin.url, token: admin.token, startsAt });
    await watch.start();
    return watch;
  }

  #look(
    { collector, startsAt }: Running,
    of: { readonly settings: LoadSettings; readonly watch: ServerWatch | null; readonly processes: number },
  ): void {
    this.#options.observer.progress({
      collector,
      processes: of.processes,
      atS: Math.max(0, (Date.now() - startsAt) / 1_000),
      wholeS: shapeDurationMs(of.settings.shape) / 1_000,
      server: of.watch?.latest ?? null,
    });
  }
}

function planFacts({ shape, timeoutMs, seed }: LoadSettings, prepared: Prepared): PlanFacts {
  const stages = shape.model === "open" ? shape.stages : [];
  return {
    model: shape.model,
    arrivals: shape.model !== "open" ? null : shape.poisson ? "poisson" : "constant",
    stages: stages.map(({ atMs, rate }) => ({ atS: atMs / 1_000, rate })),
    connections: prepared.connections,
    processes: prepared.plans.length,
    timeoutMs,
    seed,
  };
}

/** How long requests are begun, where that is known before. */
function plannedS(shape: Shape): number | null {
  const known = shape.model === "open" || (shape.model === "closed" && shape.requestLimit === null);
  return known ? shapeDurationMs(shape) / 1_000 : null;
}

/** A load as a whole: run once or in the steps of a search, watched from both sides. */

import type { Collector } from "./collect.ts";
import { resultOf } from "./outcome.ts";
import type { LoadResult, PlanFacts, ServerPoint, ServerView, TargetFacts } from "./result.ts";
import { type Running, start } from "./run.ts";
import { ServerWatch } from "./server-watch.ts";
import type { Condition } from "./thresholds.ts";
import type { Work } from "./work.ts";

/** What is in flight when a run is interrupted has this long. */
const INTERRUPTED_GRACE_MS = 1_000;
const LOOK_MS = 250;

export interface SessionOptions {
  readonly target: TargetFacts;
  readonly failIf: readonly Condition[];
  /** Where to ask the Headrace behind the target; null when there is none. */
  readonly admin: { readonly url: string; readonly token: string | null } | null;
  readonly observer: Observer;
}

/** Who looks on. */
export interface Observer {
  /** A run begins, from so many local addresses (0: the system chooses). */
  begun(plan: PlanFacts, sources: number): void;
  /** A generator process has something to say. */
  note(text: string): void;
  /** Called four times a second. */
  progress(progress: Progress): void;
}

export interface Progress {
  readonly collector: Collector;
  readonly processes: number;
  /** Seconds since the start, and how many there will be; 0 when that is not known. */
  readonly atS: number;
  readonly wholeS: number;
  readonly server: ServerPoint | null;
}

/** One load that can be interrupted. */
export class Session {
  readonly #options: SessionOptions;
  #running: Running | null = null;
  #interrupted = false;
  /** Unix milliseconds. */
  #interruptedAt = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  get interrupted(): boolean {
    return this.#interrupted;
  }

  /** The first time: begins nothing more and soon ends. The second time at once. */
  interrupt(): void {
    this.#running?.finish(this.#interrupted ? 0 : INTERRUPTED_GRACE_MS);
    if (!this.#interrupted) this.#interruptedAt = Date.now();
    this.#interrupted = true;
  }

  /** Runs the work to its end. Throws HeadraceError when it cannot be begun, or a generator died. */
  async run<Plan>(work: Work<Plan>): Promise<LoadResult> {
    this.#options.observer.begun(work.facts, work.sources.length);
    const running = await start(work.spawn(), work.plans, (note) => this.#options.observer.note(note));
    this.#running = running;
    if (this.#interrupted) running.finish(0);
    const server = await this.#watched(running, work);
    const wallS = (Date.now() - running.startsAt) / 1_000;
    const begunS = (this.#interruptedAt - running.startsAt) / 1_000;
    const planned = work.plannedS ?? wallS;
    const whole = this.#interrupted ? Math.min(begunS, planned) : planned;
    return resultOf({
      collector: running.collector,
      startsAt: running.startsAt,
      durationS: Math.max(0.001, whole - work.warmupS),
      wallS,
      warmupS: work.warmupS,
      target: this.#options.target,
      plan: work.facts,
      addresses: work.addresses,
      failIf: this.#options.failIf,
      notes: running.notes,
      interrupted: this.#interrupted,
      server,
      steps: [],
    });
  }

  /** Looks on until the run is over; answers what the service said of it. */
  async #watched<Plan>(running: Running, work: Work<Plan>): Promise<ServerView | null> {
    const watch = await this.#watch(running.startsAt);
    const looking = setInterval(() => {
      this.#options.observer.progress({
        collector: running.collector,
        processes: work.plans.length,
        atS: Math.max(0, (Date.now() - running.startsAt) / 1_000),
        wholeS: work.plannedS ?? 0,
        server: watch?.latest ?? null,
      });
    }, LOOK_MS);
    let view: ServerView | null = null;
    try {
      await running.over;
    } finally {
      clearInterval(looking);
      this.#running = null;
      view = (await watch?.stop()) ?? null;
    }
    return view;
  }

  async #watch(startsAt: number): Promise<ServerWatch | null> {
    const { admin } = this.#options;
    if (admin === null) return null;
    const watch = new ServerWatch({ admin: admin.url, token: admin.token, startsAt });
    await watch.start();
    return watch;
  }
}

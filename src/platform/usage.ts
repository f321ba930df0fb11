/** What the ready instances of a pool use of their limits, measured in the background for the autoscaler. */

import type { UsageView } from "../autoscaler/ports.ts";
import type { Clock } from "../base/clock.ts";
import type { Pool } from "../instances/index.ts";

/** HPA looks every 15 s, because what it asks is far away. */
const MEASURE_MS = 5_000;

export interface UsageWatchOptions {
  readonly clock: Clock;
  readonly pool: Pick<Pool, "report">;
  /** Limits of one instance: cores, bytes. Without one of cores, a core counts as the limit: an instance is one process. */
  readonly limits: { readonly cpu: number; readonly memory: number };
}

export class UsageWatch {
  readonly #options: UsageWatchOptions;
  #view: UsageView = {};
  #stopped = false;
  #cancel = () => {};

  constructor(options: UsageWatchOptions) {
    this.#options = options;
    this.#next();
  }

  /** As it was measured last; nothing before the first time. */
  get view(): UsageView {
    return this.#view;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #next(): void {
    if (this.#stopped) return;
    this.#cancel = this.#options.clock.after(MEASURE_MS, () => {
      void this.#measure().then(() => this.#next());
    });
  }

  async #measure(): Promise<void> {
    const { pool, limits } = this.#options;
    const ready = (await pool.report()).filter(({ state }) => state === "ready");
    const cpu = limits.cpu === 0 ? 1 : limits.cpu;
    this.#view = {
      // One that is younger than two measurements has no share yet, and start-up is not what it will use.
      cpu: ready.map(({ cpuShare, ageMs }) => (ageMs < 2 * MEASURE_MS ? null : cpuShare / cpu)),
      ...(limits.memory === 0
        ? {}
        : {
            memory: ready.map(({ memoryBytes }) => (memoryBytes === 0 ? null : memoryBytes / limits.memory)),
          }),
    };
  }
}

/** Durations of instance starts by phase, for the metrics. */

import type { MetricSample } from "../model/metric.ts";

/** Upper bounds in seconds. */
const BOUNDS_S: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

export class StartTimes {
  readonly #phases = new Map<string, { readonly counts: number[]; sum: number }>();

  /** @param phases milliseconds: fork or spawn, then what the worker measured */
  observe(phases: Readonly<Record<string, number>>): void {
    for (const [phase, ms] of Object.entries(phases)) {
      const seen = this.#phases.get(phase) ?? {
        counts: new Array<number>(BOUNDS_S.length + 1).fill(0),
        sum: 0,
      };
      const at = BOUNDS_S.findIndex((bound) => ms / 1_000 <= bound);
      seen.counts[at === -1 ? BOUNDS_S.length : at]!++;
      seen.sum += ms / 1_000;
      this.#phases.set(phase, seen);
    }
  }

  samples(): readonly MetricSample[] {
    return [...this.#phases].map(([phase, { counts, sum }]) => {
      return { labels: { phase }, buckets: { bounds: BOUNDS_S, counts: [...counts], sum } };
    });
  }
}

/** A part of the suite: what it shows, and how it is measured. run.ts runs them one after the other. */
import type { Bench } from "./bench.ts";
import type { Metric, Settings } from "./model.ts";

export interface Part {
  readonly name: string;
  readonly about: string;
  readonly metrics: Readonly<Record<string, Metric>>;
  /** Whether it loads with wrk, and cannot run without. */
  readonly wrk: boolean;
  /** Runs only where it is named. */
  readonly extra?: boolean;
  /** Seconds that it takes at these settings, roughly and rather more: a part that would not end within the budget is left out. */
  estimate(settings: Settings): number;
  run(bench: Bench): Promise<void>;
}

/** Figures that many parts have. */
export const METRICS = {
  rate: { unit: "/s", better: "more", about: "requests answered a second" },
  p50: { unit: "ms", better: "less", about: "latency that half of the requests stay below" },
  p99: { unit: "ms", better: "less", about: "latency that 99 % stay below" },
  p999: { unit: "ms", better: "less", about: "latency that 99.9 % stay below" },
  cpu: { unit: "s", better: "less", about: "CPU seconds for 100,000 requests, all processes of the stack" },
  python: { unit: "s", better: "less", about: "of that, its Python processes" },
} as const satisfies Record<string, Metric>;

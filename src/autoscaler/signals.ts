import type { EventTable, MetricTable } from "../base/signals.ts";
import { WAKE_BOUNDS_S } from "./wakes.ts";

/** Metrics of the autoscaler. */
export const autoscalerMetrics = {
  headrace_instances_desired: { kind: "gauge", help: "Instances that there should be." },
  headrace_autoscaler_panic: {
    kind: "gauge",
    help: "1 while the autoscaler follows the short window and nothing shrinks, else 0.",
  },
  headrace_cold_starts_total: {
    kind: "counter",
    help: "Times that requests found no instance ready and waited for one to start.",
  },
  headrace_wake_duration_seconds: {
    kind: "histogram",
    help: "From the first request that found no instance ready to the first instance that was.",
    bounds: WAKE_BOUNDS_S,
  },
} as const satisfies MetricTable;

export type AutoscalerMetric = keyof typeof autoscalerMetrics;

/** Log events of the autoscaler. */
export const autoscalerEvents = {
  "autoscaler.concurrency": {
    level: "info",
    text: "With --concurrency auto, the measured number of slots of an instance changed.",
  },
  "autoscaler.scaled": { level: "info", text: "Instances are started or stopped; the message says why." },
  "autoscaler.held": {
    level: "debug",
    text: "The number of instances stays, for another reason than before.",
  },
} as const satisfies EventTable;

export type AutoscalerEvent = keyof typeof autoscalerEvents;

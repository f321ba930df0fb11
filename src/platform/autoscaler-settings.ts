import { type AutoscalerSettings, defaultSettings } from "../autoscaler/settings.ts";
import type { ScalingConfig } from "../config/run-config.ts";

/** Length of the panic window, also where the stable window is shorter than usual. */
const PANIC_WINDOW_MS = 6_000;

/** From the run's config to the autoscaler's settings. */
export function autoscalerSettings(scaling: ScalingConfig, concurrency: number): AutoscalerSettings {
  const { stableWindowMs, scaleToZeroAfterMs, scaleDownDelayMs, lineDrainMs } = scaling;
  const tenth = defaultSettings.panicWindowPercentage;
  return {
    ...defaultSettings,
    minInstances: scaling.minInstances,
    maxInstances: scaling.maxInstances,
    initialScale: Math.max(1, scaling.minInstances),
    concurrency,
    targetUtilization: scaling.targetUtilization,
    requestsPerSecond: scaling.requestsPerSecond,
    cpuUtilization: scaling.cpuUtilization,
    memoryUtilization: scaling.memoryUtilization,
    stableWindowMs,
    panicWindowPercentage: Math.min(100, Math.max(tenth, (100 * PANIC_WINDOW_MS) / stableWindowMs)),
    scaleDownDelayMs,
    scaleToZeroGraceMs: Math.max(0, scaleToZeroAfterMs - stableWindowMs),
    lineDrainMs,
  };
}

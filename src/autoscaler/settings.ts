/**
 * What the autoscaler is told. Names, defaults and limits are those of Knative Serving's `config-autoscaler` where it has them,
 * those of Cloud Run (`minInstances`, `maxInstances`) and of Kubernetes' HPA (`behavior`, `tolerance`) for the rest.
 */

/** One step that may be taken within a period, as in HPA's `behavior`. */
export interface ScalingPolicy {
  readonly type: "instances" | "percent";
  /** That many instances, or percent of those there were when the period began. */
  readonly value: number;
  readonly periodMs: number;
}

/** How fast the resource targets may move in one direction. */
export interface ScalingRules {
  /** Up: the smallest proposal of this time counts. Down: the largest. 0: the newest. */
  readonly stabilizationWindowMs: number;
  /** Which policy holds where there are several: the one that allows the most, the least, or no change at all. */
  readonly selectPolicy: "max" | "min" | "disabled";
  readonly policies: readonly ScalingPolicy[];
}

export interface Behavior {
  readonly scaleUp: ScalingRules;
  readonly scaleDown: ScalingRules;
}

export interface AutoscalerSettings {
  /** Fewest instances. 0 lets the service go to zero. Default 0. */
  readonly minInstances: number;
  /** Most instances, at least 1. Default 100. */
  readonly maxInstances: number;
  /** Instances before anything has been measured. Default 1. */
  readonly initialScale: number;
  /** Fewest instances while there is any demand. Default 1. */
  readonly activationScale: number;

  /** Slots of one instance. Default 80. */
  readonly concurrency: number;
  /** Share of the slots, and of `requestsPerSecond`, that is to be used, above 0 and at most 1. Default 0.7. */
  readonly targetUtilization: number;
  /** Requests per second that one instance manages; null: not a target. Default null. */
  readonly requestsPerSecond: number | null;
  /** Share of an instance's CPU limit that is to be used; null: not a target. Default null. */
  readonly cpuUtilization: number | null;
  /** Share of an instance's memory limit that is to be used; null: not a target. Default null. */
  readonly memoryUtilization: number | null;

  /** Time between decisions. Default 2 s. */
  readonly tickMs: number;
  /** Window of the average that is followed in quiet times, 6 s to 1 h. Default 60 s. */
  readonly stableWindowMs: number;
  /** The panic window in percent of the stable window, 1 to 100. Default 10. */
  readonly panicWindowPercentage: number;
  /** Panic begins when the panic window wants this many percent of the instances there are, 110 to 1000. Default 200. */
  readonly panicThresholdPercentage: number;
  /** A tick at most multiplies the instances by this, above 1. Default 1000. */
  readonly maxScaleUpRate: number;
  /** A tick at most divides the instances by this, above 1. Default 2. */
  readonly maxScaleDownRate: number;
  /** Fewer instances must have been enough for this long. Default 0. */
  readonly scaleDownDelayMs: number;
  /** The last instance stays this long after the stable window has become empty. Default 30 s. */
  readonly scaleToZeroGraceMs: number;

  /** A line is answered without waiting for a tick when an instance starts within this time. 0: never. Default 1 s. */
  readonly cheapStartMs: number;

  /**
   * Time in which a line should be worked off, see waitingSlots in state.ts. 0: each request that waits counts as a slot, which
   * orders far too many instances when a start takes longer than a request. Null: as long as a start takes, where starts are not
   * cheap, else 0. Default 0.
   */
  readonly lineDrainMs: number | null;

  /** Resource targets change nothing while usage is this close to the target. Default 0.1. */
  readonly tolerance: number;
  readonly behavior: Behavior;
}

/** HPA's defaults, except that scaling down is stabilised over 60 s, as long as the stable window, instead of 300 s. */
export const defaultBehavior: Behavior = {
  scaleUp: {
    stabilizationWindowMs: 0,
    selectPolicy: "max",
    policies: [
      { type: "percent", value: 100, periodMs: 15_000 },
      { type: "instances", value: 4, periodMs: 15_000 },
    ],
  },
  scaleDown: {
    stabilizationWindowMs: 60_000,
    selectPolicy: "max",
    policies: [{ type: "percent", value: 100, periodMs: 15_000 }],
  },
};

export const defaultSettings: AutoscalerSettings = {
  minInstances: 0,
  maxInstances: 100,
  initialScale: 1,
  activationScale: 1,
  concurrency: 80,
  targetUtilization: 0.7,
  requestsPerSecond: null,
  cpuUtilization: null,
  memoryUtilization: null,
  tickMs: 2_000,
  stableWindowMs: 60_000,
  panicWindowPercentage: 10,
  panicThresholdPercentage: 200,
  maxScaleUpRate: 1_000,
  maxScaleDownRate: 2,
  scaleDownDelayMs: 0,
  scaleToZeroGraceMs: 30_000,
  cheapStartMs: 1_000,
  lineDrainMs: 0,
  tolerance: 0.1,
  behavior: defaultBehavior,
};

/** Samples are averaged into buckets of this length before anything is decided on them. */
export const BUCKET_MS = 1_000;

/** Knative divides by no less than this. */
const LEAST_TARGET = 0.01;

/** The time in which a line should be worked off. @param startTimeMs how long a start takes; null when not known */
export function lineDrainMs(settings: AutoscalerSettings, startTimeMs: number | null): number {
  if (settings.lineDrainMs !== null) return settings.lineDrainMs;
  return startTimeMs !== null && startTimeMs > settings.cheapStartMs ? startTimeMs : 0;
}

/** Requests that one instance should have: its slots at the utilisation that is aimed at. */
export function concurrencyTarget(settings: AutoscalerSettings): number {
  return Math.max(LEAST_TARGET, settings.concurrency * settings.targetUtilization);
}

/** Requests per second that one instance should get; null when that is not a target. */
export function requestsPerSecondTarget(settings: AutoscalerSettings): number | null {
  if (settings.requestsPerSecond === null) return null;
  return Math.max(LEAST_TARGET, settings.requestsPerSecond * settings.targetUtilization);
}

/** The panic window: at least one bucket, in whole buckets. */
export function panicWindowMs(settings: AutoscalerSettings): number {
  const part = (settings.stableWindowMs * settings.panicWindowPercentage) / 100;
  return Math.max(BUCKET_MS, Math.round(part / BUCKET_MS) * BUCKET_MS);
}

/** A setting that cannot be, with what it may be. */
export interface SettingProblem {
  readonly setting: keyof AutoscalerSettings;
  /** Completes "must be ...". */
  readonly wanted: string;
}

/** All that is wrong with settings; empty when they can be used. */
export function checkSettings(settings: AutoscalerSettings): readonly SettingProblem[] {
  const found: SettingProblem[] = [];
  const need = (setting: keyof AutoscalerSettings, holds: boolean, wanted: string) => {
    if (!holds) found.push({ setting, wanted });
  };
  const whole = (value: number, least: number) => Number.isSafeInteger(value) && value >= least;
  const share = (value: number) => value > 0 && value <= 1;
  const s = settings;
  need("minInstances", whole(s.minInstances, 0), "a whole number from 0");
  need(
    "maxInstances",
    whole(s.maxInstances, Math.max(1, s.minInstances)),
    "a whole number from 1, not below minInstances",
  );
  need(
    "initialScale",
    whole(s.initialScale, 0) && s.initialScale <= s.maxInstances,
    "a whole number from 0 to maxInstances",
  );
  need(
    "activationScale",
    whole(s.activationScale, 1) && s.activationScale <= s.maxInstances,
    "a whole number from 1 to maxInstances",
  );
  need("concurrency", whole(s.concurrency, 1), "a whole number from 1");
  need("targetUtilization", share(s.targetUtilization), "above 0 and at most 1");
  need("requestsPerSecond", s.requestsPerSecond === null || s.requestsPerSecond > 0, "above 0, or null");
  need("cpuUtilization", s.cpuUtilization === null || s.cpuUtilization > 0, "above 0, or null");
  need("memoryUtilization", s.memoryUtilization === null || s.memoryUtilization > 0, "above 0, or null");
  need("tickMs", s.tickMs > 0, "above 0");
  need("stableWindowMs", s.stableWindowMs >= 6_000 && s.stableWindowMs <= 3_600_000, "from 6 s to 1 h");
  need(
    "panicWindowPercentage",
    s.panicWindowPercentage >= 1 && s.panicWindowPercentage <= 100,
    "from 1 to 100",
  );
  need(
    "panicThresholdPercentage",
    s.panicThresholdPercentage >= 110 && s.panicThresholdPercentage <= 1_000,
    "from 110 to 1000",
  );
  need("maxScaleUpRate", s.maxScaleUpRate > 1, "above 1");
  need("maxScaleDownRate", s.maxScaleDownRate > 1, "above 1");
  need("scaleDownDelayMs", s.scaleDownDelayMs >= 0 && s.scaleDownDelayMs <= 3_600_000, "from 0 to 1 h");
  need("scaleToZeroGraceMs", s.scaleToZeroGraceMs >= 0, "0 or more");
  need("cheapStartMs", s.cheapStartMs >= 0, "0 or more");
  need("lineDrainMs", (s.lineDrainMs ?? 0) >= 0, "0 or more");
  need("tolerance", s.tolerance >= 0 && s.tolerance < 1, "from 0 to below 1");
  return found;
}

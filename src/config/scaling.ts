/** How the options of the autoscaler become one part of the config, and which do not go together. Pure. */

import { writeDuration } from "../base/units.ts";
import { deliberate } from "./parse.ts";
import type { Problem } from "./problem.ts";
import type { ParsedRun } from "./resolve.ts";
import type { ScalingConfig } from "./run-config.ts";

const HOUR_MS = 3_600_000;

/** Those that say nothing without the autoscaler. */
const DETAILS = [
  "scaleTarget",
  "targetRps",
  "scaleCpu",
  "scaleMemory",
  "stableWindow",
  "scaleDownDelay",
  "scaleToZeroAfter",
  "lineDrain",
] as const;

/** Whether instances come and go. A number of instances on the command line is stronger than limits in the environment. */
function scales({ origins }: ParsedRun): boolean {
  const given = [origins.minInstances, origins.maxInstances].filter((origin) => origin !== "");
  if (given.length === 0) return false;
  return !deliberate(origins.instances) || given.some(deliberate);
}

/** The numbers of instances: at the start and at most, and what the autoscaler is told; null without it. */
export function scalingPart(parsed: ParsedRun): {
  readonly instances: number;
  readonly most: number;
  readonly scaling: ScalingConfig | null;
} {
  const { values } = parsed;
  if (!scales(parsed)) return { instances: values.instances, most: values.instances, scaling: null };
  const { min, max } = limits(parsed);
  return {
    instances: Math.max(1, min),
    most: max,
    scaling: scalingOfFlags(values, parsed.origins, { min, max }),
  };
}

type Details = Pick<ParsedRun["values"], (typeof DETAILS)[number] | "minInstances">;
type DetailOrigins = Pick<
  ParsedRun["origins"],
  "stableWindow" | "scaleDownDelay" | "scaleToZeroAfter" | "lineDrain"
>;

/** What the autoscaler is told, by what is written of it, here and in `headrace simulate`. */
export function scalingOfFlags(
  values: Details,
  origins: DetailOrigins,
  { min, max }: { readonly min: number; readonly max: number },
): ScalingConfig {
  return {
    minInstances: min,
    maxInstances: max,
    targetUtilization: values.scaleTarget / 100,
    requestsPerSecond: values.targetRps === 0 ? null : values.targetRps,
    cpuUtilization: values.scaleCpu === 0 ? null : values.scaleCpu / 100,
    memoryUtilization: values.scaleMemory === 0 ? null : values.scaleMemory / 100,
    stableWindowMs: stableWindow(values, origins),
    scaleDownDelayMs: values.scaleDownDelay,
    scaleToZeroAfterMs: values.scaleToZeroAfter,
    lineDrainMs: origins.lineDrain === "" ? null : values.lineDrain,
  };
}

/** The limit that was not given makes room for the one that was. */
function limits({ values, origins }: ParsedRun): { readonly min: number; readonly max: number } {
  const { minInstances, maxInstances } = values;
  return {
    min: minInstances,
    max: origins.maxInstances === "" ? Math.max(maxInstances, minInstances) : maxInstances,
  };
}

function stableWindow(values: Details, origins: DetailOrigins): number {
  const follows = origins.stableWindow === "" && values.minInstances === 0;
  return follows ? Math.min(values.stableWindow, values.scaleToZeroAfter) : values.stableWindow;
}

/** What of this does not go together. */
export function* scalingContradictions(parsed: ParsedRun): Generator<Problem> {
  const { origins, values } = parsed;
  const limit = origins.minInstances === "" ? origins.maxInstances : origins.minInstances;
  if (deliberate(origins.instances) && deliberate(limit)) {
    yield conflict(
      origins.instances,
      `It keeps a fixed number of instances, ${limit} lets it change.`,
      `Leave ${origins.instances} or ${limit} out.`,
    );
    return;
  }
  if (!scales(parsed)) {
    const idle = DETAILS.find((name) => deliberate(origins[name]));
    if (idle !== undefined) {
      const instead = "Add --min-instances or --max-instances.";
      yield conflict(origins[idle], "It does nothing while the number of instances is fixed.", instead);
    }
    return;
  }
  const { min, max } = limits(parsed);
  if (min > max) {
    const message = `At least ${min} and at most ${max} cannot be.`;
    yield conflict(origins.minInstances, message, `Change it or ${origins.maxInstances}.`);
  }
  if (values.scaleMemory > 0 && values.memory === 0) {
    yield conflict(
      origins.scaleMemory,
      "It is a share of --memory, which is not given.",
      "Add --memory 512MiB.",
    );
  }
  yield* windowContradictions(values, origins);
}

/** What of the times does not go together, here and in `headrace simulate`. */
export function* windowContradictions(values: Details, origins: DetailOrigins): Generator<Problem> {
  for (const name of ["stableWindow", "scaleDownDelay"] as const) {
    if (values[name] <= HOUR_MS) continue;
    const message = `${writeDuration(values[name])} is too long.`;
    yield { code: "invalid_value", subject: origins[name], message, instead: "Write at most 1h." };
  }
  if (values.minInstances > 0) {
    if (!deliberate(origins.scaleToZeroAfter)) return;
    const message = `With at least ${values.minInstances} nothing goes to zero.`;
    yield conflict(origins.scaleToZeroAfter, message, "Add --min-instances 0.");
  } else if (values.scaleToZeroAfter < stableWindow(values, origins)) {
    const window = writeDuration(values.stableWindow);
    yield conflict(
      origins.scaleToZeroAfter === "" ? origins.stableWindow : origins.scaleToZeroAfter,
      `A service is idle when the stable window of ${window} is empty, so it cannot go to zero after ${writeDuration(values.scaleToZeroAfter)}.`,
      "Write a shorter --stable-window, or a longer --scale-to-zero-after.",
    );
  }
}

function conflict(subject: string, message: string, instead: string): Problem {
  return { code: "conflict", subject, message, instead };
}

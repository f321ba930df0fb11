/** The options of `headrace run` that say how many instances there may be, and by what they are counted. */

import { duration, integer, percent } from "./option.ts";

/** Most instances of one service. */
export const MOST_INSTANCES = 2_000;

export const scalingOptions = {
  minInstances: integer({
    flag: "min-instances",
    group: "Scaling",
    min: 0,
    max: MOST_INSTANCES,
    fallback: 1,
    doc: "Fewest instances. It, or the most, switches the autoscaler on. 0: without requests there is none; the first one wakes the service.",
  }),
  maxInstances: integer({
    flag: "max-instances",
    group: "Scaling",
    min: 1,
    max: MOST_INSTANCES,
    fallback: 100,
    doc: "Most instances.",
  }),
  scaleTarget: percent({
    flag: "scale-target",
    group: "Scaling",
    fallback: 70,
    doc: "Share of an instance's slots, and of its requests per second, that is to be used.",
  }),
  targetRps: integer({
    flag: "target-rps",
    group: "Scaling",
    min: 0,
    max: 10_000_000,
    fallback: 0,
    doc: "Requests per second that one instance manages, beside the slots. 0: not a target.",
  }),
  scaleCpu: percent({
    flag: "scale-cpu",
    group: "Scaling",
    fallback: 0,
    doc: "Share of an instance's --cpu, or of one core without that, that is to be used; beside the slots, the target that wants the most instances counts.",
  }),
  scaleMemory: percent({
    flag: "scale-memory",
    group: "Scaling",
    fallback: 0,
    doc: "The same for its --memory.",
  }),
  stableWindow: duration({
    flag: "stable-window",
    group: "Scaling",
    min: "6s",
    fallback: "60s",
    doc: "Time over which requests are averaged in quiet times, at most 1h. No longer than the time to zero, if that is not said.",
  }),
  scaleDownDelay: duration({
    flag: "scale-down-delay",
    group: "Scaling",
    fallback: "0",
    doc: "Fewer instances must have been enough for so long before any is stopped, at most 1h.",
  }),
  scaleToZeroAfter: duration({
    flag: "scale-to-zero-after",
    group: "Scaling",
    min: "6s",
    fallback: "90s",
    doc: "With 0 as the fewest, the last instance stops after so long without a request.",
  }),
  lineDrain: duration({
    flag: "line-drain",
    group: "Scaling",
    fallback: "0",
    doc: "Time in which a line should be worked off. 0: each request that waits counts as a slot. Default: that, or the time of a start where starts take over a second.",
  }),
} as const;

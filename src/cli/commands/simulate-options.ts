/** The options of `headrace simulate`, one row each. Its help and its part of docs/cli.md are made from these rows. */

import { choice, duration, integer, integerOrAuto, toggle } from "../../config/option.ts";
import type { Parsed, ValuesOf } from "../../config/parse.ts";
import { scalingOptions as run } from "../../config/scaling-options.ts";

/** The groups in the order in which the help shows them. */
export const simulateGroups = ["Service", "Scaling", "Run"] as const;

const serviceOptions = {
  concurrency: integer({
    flag: "concurrency",
    group: "Service",
    min: 1,
    max: 10_000,
    fallback: 80,
    doc: "Slots of an instance: requests that it works on at a time.",
  }),
  serviceTime: duration({
    flag: "service-time",
    group: "Service",
    min: "1ms",
    fallback: "100ms",
    doc: "Mean time a request holds its slot, where the trace has no service_ms.",
  }),
  serviceSpread: integer({
    flag: "service-spread",
    group: "Service",
    min: 0,
    max: 1_000,
    fallback: 100,
    doc: "Standard deviation of that time in percent of it, log-normal, where the trace has no service_cv. 0: always the same.",
  }),
  startTime: duration({
    flag: "start-time",
    group: "Service",
    fallback: "100ms",
    doc: "Time from asking for an instance to its being ready.",
  }),
  lineDepth: integerOrAuto({
    flag: "line-depth",
    group: "Service",
    min: 0,
    max: 10_000_000,
    doc: "Requests that may wait for a slot; more are refused. auto: 10 x concurrency x the most instances.",
  }),
  lineWait: duration({
    flag: "line-wait",
    group: "Service",
    min: "1ms",
    fallback: "10s",
    doc: "Longest wait for a slot; then a request is refused.",
  }),
} as const;

const scalingOptions = {
  minInstances: integer({
    flag: "min-instances",
    group: "Scaling",
    min: 0,
    max: 100_000,
    fallback: 1,
    doc: "Fewest instances. 0: the service may go to zero.",
  }),
  maxInstances: integer({
    flag: "max-instances",
    group: "Scaling",
    min: 1,
    max: 100_000,
    fallback: 100,
    doc: "Most instances.",
  }),
  initialScale: integer({
    flag: "initial-scale",
    group: "Scaling",
    min: 0,
    max: 100_000,
    fallback: 1,
    doc: "Instances before anything was measured.",
  }),
  activationScale: integer({
    flag: "activation-scale",
    group: "Scaling",
    min: 1,
    max: 100_000,
    fallback: 1,
    doc: "Fewest instances while there is any demand.",
  }),
  // The rows of `headrace run` itself: the same names, defaults and meaning.
  scaleTarget: run.scaleTarget,
  targetRps: run.targetRps,
  stableWindow: run.stableWindow,
  scaleDownDelay: run.scaleDownDelay,
  scaleToZeroAfter: run.scaleToZeroAfter,
  lineDrain: run.lineDrain,
  panicWindowPercentage: integer({
    flag: "panic-window-percentage",
    group: "Scaling",
    min: 1,
    max: 100,
    fallback: 10,
    doc: "The panic window in percent of the stable window. Default: that, or what makes it 6 s.",
  }),
  panicThresholdPercentage: integer({
    flag: "panic-threshold-percentage",
    group: "Scaling",
    min: 110,
    max: 1_000,
    fallback: 200,
    doc: "Panic begins when the panic window wants this many percent of the instances there are.",
  }),
  maxScaleUpRate: integer({
    flag: "max-scale-up-rate",
    group: "Scaling",
    min: 2,
    max: 1_000_000,
    fallback: 1_000,
    doc: "A decision at most multiplies the instances by this.",
  }),
  maxScaleDownRate: integer({
    flag: "max-scale-down-rate",
    group: "Scaling",
    min: 2,
    max: 1_000_000,
    fallback: 2,
    doc: "A decision at most divides the instances by this.",
  }),
  cheapStart: duration({
    flag: "cheap-start",
    group: "Scaling",
    fallback: "1s",
    doc: "Where a start takes at most this long, a line is answered at once, without waiting for a tick. 0: never.",
  }),
} as const;

const outputOptions = {
  model: choice({
    flag: "model",
    group: "Run",
    choices: ["auto", "events", "fluid"],
    fallback: "auto",
    doc: "events: request by request. fluid: amounts of requests, for any load. auto: events up to a million requests.",
  }),
  even: toggle({
    flag: "even",
    group: "Run",
    fallback: false,
    doc: "Requests come at even distances instead of by chance.",
  }),
  seed: integer({
    flag: "seed",
    group: "Run",
    min: 0,
    max: 4_294_967_295,
    fallback: 1,
    doc: "The same seed gives the same run.",
  }),
  interval: duration({
    flag: "interval",
    group: "Run",
    fallback: "0",
    doc: "Length of a row of the table. 0: such that there are about 30.",
  }),
  why: toggle({
    flag: "why",
    group: "Run",
    fallback: false,
    doc: "Prints the decisions as well: what was seen, what was done, which rules spoke.",
  }),
  json: toggle({
    flag: "json",
    group: "Run",
    fallback: false,
    doc: "Prints one JSON object with everything, for programs.",
  }),
} as const;

export const simulateOptions = { ...serviceOptions, ...scalingOptions, ...outputOptions } as const;

export type SimulateValues = ValuesOf<typeof simulateOptions>;
export type ParsedSimulate = Parsed<typeof simulateOptions>;

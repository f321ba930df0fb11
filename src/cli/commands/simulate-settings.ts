/** From the flags of `headrace simulate` to the autoscaler's settings, by the way that `headrace run` goes. Pure. */

import { type AutoscalerSettings, checkSettings } from "../../autoscaler/settings.ts";
import type { Problem } from "../../config/problem.ts";
import { scalingOfFlags, windowContradictions } from "../../config/scaling.ts";
import { autoscalerSettings } from "../../platform/autoscaler-settings.ts";
import { type ParsedSimulate, simulateOptions } from "./simulate-options.ts";

/** A trace does not say what requests use. */
const usage = { scaleCpu: 0, scaleMemory: 0 };

/** The settings that the flags say. */
export function settingsOf(parsed: ParsedSimulate): AutoscalerSettings {
  const { values, origins } = parsed;
  const { minInstances: min, maxInstances } = values;
  const max = origins.maxInstances === "" ? Math.max(min, maxInstances) : maxInstances;
  const scaling = scalingOfFlags({ ...values, ...usage }, origins, { min, max });
  const settings = autoscalerSettings(scaling, values.concurrency);
  const { panicWindowPercentage } = origins.panicWindowPercentage === "" ? settings : values;
  return {
    ...settings,
    panicWindowPercentage,
    initialScale: values.initialScale,
    activationScale: values.activationScale,
    panicThresholdPercentage: values.panicThresholdPercentage,
    maxScaleUpRate: values.maxScaleUpRate,
    maxScaleDownRate: values.maxScaleDownRate,
    cheapStartMs: values.cheapStart,
  };
}

/** The flag of each setting that can be wrong though every flag by itself is right; times are checked as run's. */
const flags: Readonly<Partial<Record<keyof AutoscalerSettings, string>>> = {
  maxInstances: simulateOptions.maxInstances.flag,
  initialScale: simulateOptions.initialScale.flag,
  activationScale: simulateOptions.activationScale.flag,
};

/** What of the flags does not go together. */
export function settingProblems(parsed: ParsedSimulate): Problem[] {
  const { values, origins } = parsed;
  const own = { minInstances: "--min-instances", maxInstances: "--max-instances" };
  const inFlags = (text: string) =>
    Object.entries(own).reduce((said, [setting, flag]) => said.replaceAll(setting, flag), text);
  const problems = [...windowContradictions({ ...values, ...usage }, origins)];
  for (const { setting, wanted } of checkSettings(settingsOf(parsed))) {
    const flag = flags[setting];
    if (flag === undefined) continue;
    const message = "It cannot be used with the other flags.";
    problems.push({ code: "conflict", subject: `--${flag}`, message, instead: `Write ${inFlags(wanted)}.` });
  }
  return problems;
}

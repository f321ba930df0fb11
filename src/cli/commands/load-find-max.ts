/** `headrace load --find-max`: runs the steps of the search and tells how each went. */

import { constantRate, withWarmup } from "../../load/arrivals.ts";
import { milliseconds, perSecond } from "../../load/figures.ts";
import { nextStep } from "../../load/find-max.ts";
import type { LoadResult, StepResult } from "../../load/result.ts";
import { concluded, judgedStep } from "../../load/search.ts";
import type { Session } from "../../load/session.ts";
import type { LoadSettings } from "../../load/settings.ts";
import type { Condition } from "../../load/thresholds.ts";
import { urlWork } from "../../load/work.ts";
import type { LoadScreen } from "./load-screen.ts";

/** Of a step that said nothing of the service. */
const REPEATS = 2;

export interface Search {
  readonly session: Session;
  readonly settings: LoadSettings;
  readonly slo: readonly Condition[];
  readonly stepMs: number;
  readonly screen: LoadScreen;
  /** Starts a generator process. */
  readonly command: readonly string[];
}

/** The run at the highest rate that kept the promise, with all steps; where none did, the last one. */
export async function findMax(search: Search): Promise<LoadResult> {
  const { session, settings, slo, stepMs, screen } = search;
  const { shape, warmupMs } = settings;
  if (shape.model !== "open") throw new TypeError("a search is open");
  const first = shape.stages.at(-1)!.rate;
  const steps: StepResult[] = [];
  let best: LoadResult | null = null;
  let last: LoadResult | null = null;
  for (;;) {
    const next = nextStep(first, steps);
    if ("found" in next) return concluded({ steps, best, last: last!, why: next.why });
    const stages = withWarmup(constantRate(next.try, stepMs), warmupMs);
    last = await settled(search, { ...settings, shape: { ...shape, stages } });
    // A step that was cut short says nothing of its rate.
    if (session.interrupted) return concluded({ steps, best, last, why: null });
    const step = judgedStep(next.try, last, slo);
    steps.push(step);
    screen.say(stepLine(step));
    if (step.ok && next.try >= (best?.plan.stages[0]?.rate ?? 0)) best = last;
  }
}

/** A run at one rate. One in which the generator fell short is repeated: a busy moment of the machine is not its limit. */
async function settled({ session, command }: Search, settings: LoadSettings): Promise<LoadResult> {
  let result = await session.run(await urlWork(settings, command));
  for (let again = 0; again < REPEATS && result.verdict === "invalid" && !session.interrupted; again++)
    result = await session.run(await urlWork(settings, command));
  return result;
}

function stepLine({ rate, ok, p99Ms, why }: StepResult): string {
  return `  ${ok ? "✓" : "✗"} ${perSecond(rate)}  p99 ${milliseconds(p99Ms)}${why === "" ? "" : `  ${why}`}\n`;
}

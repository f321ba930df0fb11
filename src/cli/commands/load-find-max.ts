/** `headrace load --find-max`: runs the steps of the search and tells how each went. */

import { constantRate } from "../../load/arrivals.ts";
import { milliseconds, percentText, perSecond } from "../../load/figures.ts";
import { nextStep } from "../../load/find-max.ts";
import type { LoadResult, StepResult } from "../../load/result.ts";
import type { Session } from "../../load/session.ts";
import type { LoadSettings } from "../../load/settings.ts";
import { type Condition, evaluate, seenOf } from "../../load/thresholds.ts";
import { urlWork } from "../../load/work.ts";
import type { LoadScreen } from "./load-screen.ts";

/** What may fail where the promise does not say. */
const FAILED_SHARE = 0.01;

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
  const { shape } = settings;
  if (shape.model !== "open") throw new TypeError("a search is open");
  const first = shape.stages.at(-1)!.rate;
  const steps: StepResult[] = [];
  let best: LoadResult | null = null;
  let last: LoadResult | null = null;
  for (;;) {
    const next = nextStep(first, steps);
    if ("found" in next || session.interrupted) {
      const why = "found" in next ? next.why : "interrupted";
      return concluded(best ?? last!, { steps, why, found: best !== null, last: last! });
    }
    const stages = constantRate(next.try, stepMs);
    const result = await settled(search, { ...settings, shape: { ...shape, stages } });
    if (result.verdict === "interrupted") continue;
    const step = judged(next.try, result, slo);
    steps.push(step);
    screen.say(stepLine(step));
    last = result;
    if (step.ok && next.try >= (best?.plan.stages[0]?.rate ?? 0)) best = result;
  }
}

/** A run at one rate. One in which the generator fell short is repeated: a busy moment of the machine is not its limit. */
async function settled({ session, command }: Search, settings: LoadSettings): Promise<LoadResult> {
  let result = await session.run(await urlWork(settings, command));
  for (let again = 0; again < REPEATS && result.verdict === "invalid" && !session.interrupted; again++)
    result = await session.run(await urlWork(settings, command));
  return result;
}

function judged(rate: number, result: LoadResult, slo: readonly Condition[]): StepResult {
  const { totals, latency } = result;
  const failedShare = totals.done === 0 ? 1 : totals.failed / totals.done;
  const step = {
    rate,
    passedPerS: totals.passedPerS,
    p50Ms: latency.response.p50Ms,
    p99Ms: latency.response.p99Ms,
    failedShare,
  };
  if (result.verdict === "invalid")
    return { ...step, ok: false, why: `generator: ${result.generator.saturated}` };
  const seen = seenOf(result);
  const broken = slo
    .map((condition) => ({ condition, ...evaluate(condition, seen) }))
    .find(({ met }) => !met);
  if (broken !== undefined) return { ...step, ok: false, why: `${broken.condition.text} was ${broken.was}` };
  const ownWord = slo.some(({ text }) => text.startsWith("errors"));
  if (!ownWord && failedShare > FAILED_SHARE)
    return { ...step, ok: false, why: `${percentText(failedShare)} failed` };
  return { ...step, ok: true, why: "" };
}

function stepLine({ rate, ok, p99Ms, why }: StepResult): string {
  return `  ${ok ? "✓" : "✗"} ${perSecond(rate)}  p99 ${milliseconds(p99Ms)}${why === "" ? "" : `  ${why}`}\n`;
}

function concluded(
  result: LoadResult,
  end: {
    readonly steps: readonly StepResult[];
    readonly why: string;
    readonly found: boolean;
    readonly last: LoadResult;
  },
): LoadResult {
  const rate = result.plan.stages[0]?.rate ?? 0;
  // The limit that was met may be the generator's: then the service's lies higher.
  const limited =
    end.steps.some(({ ok, why, rate: tried }) => !ok && why.startsWith("generator") && tried > rate) &&
    end.last !== result;
  const note = end.found
    ? `The promise is kept at ${perSecond(rate)} (${end.why}). The figures are those of that step.`
    : `No rate that was tried kept the promise (${end.why}).`;
  return {
    ...result,
    verdict: end.found
      ? limited
        ? "invalid"
        : "ok"
      : result.verdict === "invalid"
        ? "invalid"
        : "threshold",
    generator: limited
      ? { ...result.generator, saturated: "The generator met its limit before the service did." }
      : result.generator,
    notes: [note, ...result.notes],
    steps: end.steps,
  };
}

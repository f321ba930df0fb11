import { describe, expect, test } from "bun:test";
import { simulate } from "./report/testdata.ts";
import type { LoadResult, StepResult } from "./result.ts";
import { concluded, judgedStep } from "./search.ts";
import { type Condition, readCondition } from "./thresholds.ts";

function run(rate: number, more: Partial<LoadResult> = {}): LoadResult {
  return { ...simulate({ durationS: 2, warmupS: 0, stages: [{ atS: 0, rate }] }), ...more };
}

function step(rate: number, fate: "kept" | "broken" | "fell short"): StepResult {
  return {
    rate,
    passedPerS: rate,
    p50Ms: 1,
    p99Ms: 2,
    failedShare: 0,
    ok: fate === "kept",
    fellShort: fate === "fell short",
    why: fate === "kept" ? "" : fate,
  };
}

function slo(text: string): readonly Condition[] {
  const read = readCondition(text);
  if (!read.ok) throw new Error(read.message);
  return [read.condition];
}

const best = run(100);

describe("whose limit was found", () => {
  const end = (steps: readonly StepResult[], last = best) =>
    concluded({ steps, best, last, why: "105/s does not keep it" });

  test("the service's, when it broke the promise", () => {
    const { verdict, generator, notes } = end([step(100, "kept"), step(105, "broken")]);
    expect([verdict, generator.saturated]).toEqual(["ok", null]);
    expect(notes[0]).toBe(
      "The promise is kept at 100/s (105/s does not keep it). The figures are those of that step.",
    );
  });

  test("the generator's, when it fell short there, though the last step was a good one", () => {
    const { verdict, generator } = end([step(50, "kept"), step(105, "fell short"), step(100, "kept")]);
    expect([verdict, generator.saturated]).toEqual([
      "invalid",
      "The generator met its limit before the service did.",
    ]);
  });

  test("the service's, though the generator fell short at a higher rate", () => {
    const steps = [step(50, "kept"), step(400, "fell short"), step(105, "broken"), step(100, "kept")];
    expect(end(steps).verdict).toBe("ok");
  });

  test("nobody's, when no rate kept the promise: what the lowest says decides", () => {
    const none = (...steps: StepResult[]) =>
      concluded({ steps, best: null, last: run(1), why: "none" }).verdict;
    expect(none(step(50, "broken"), step(1, "broken"))).toBe("threshold");
    expect(none(step(50, "fell short"), step(1, "broken"))).toBe("threshold");
    expect(none(step(50, "broken"), step(1, "fell short"))).toBe("invalid");
  });
});

test("a condition of --fail-if that was met at the highest rate counts", () => {
  const thresholds = [{ text: "p50>1ms", was: "12 ms", ok: false }];
  const steps = [step(100, "kept"), step(105, "broken")];
  const failed = run(100, { thresholds, verdict: "threshold" });
  expect(concluded({ steps, best: failed, last: failed, why: "" }).verdict).toBe("threshold");
  const kept = run(100, { thresholds: [{ ...thresholds[0]!, ok: true }] });
  expect(concluded({ steps, best: kept, last: kept, why: "" }).verdict).toBe("ok");
});

test("an interrupted search says how far it came, and no more", () => {
  const cut = run(50, { verdict: "interrupted" });
  const none = concluded({ steps: [], best: null, last: cut, why: null });
  expect(none).toMatchObject({ verdict: "interrupted", steps: [] });
  expect(none.notes[0]).toContain("before a rate had kept the promise");
  const some = concluded({ steps: [step(100, "kept")], best, last: cut, why: null });
  expect(some).toMatchObject({ verdict: "interrupted", plan: best.plan });
  expect(some.notes[0]).toContain("was kept at 100/s, the highest rate until then");
});

describe("a step", () => {
  test("is good when the promise is kept and almost nothing fails", () => {
    expect(judgedStep(100, best, slo("p99<1s"))).toMatchObject({ ok: true, fellShort: false, why: "" });
    expect(judgedStep(100, best, slo("p99<1ms")).why).toMatch(/^p99<1ms was /);
    const failing = run(100, { totals: { ...best.totals, done: 100, failed: 2 } });
    expect(judgedStep(100, failing, slo("p99<1s")).why).toBe("2.00 % failed");
    expect(judgedStep(100, failing, slo("errors<5%")).ok).toBe(true);
  });

  test("says nothing of the service when the generator fell short", () => {
    const short = run(100, { generator: { ...best.generator, saturated: "Too late." } });
    expect(judgedStep(100, short, slo("p99<1s"))).toMatchObject({
      ok: false,
      fellShort: true,
      why: "generator: Too late.",
    });
  });
});

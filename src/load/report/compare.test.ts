import { describe, expect, test } from "bun:test";
import type { LoadResult } from "../result.ts";
import { type Change, compare } from "./compare.ts";
import { compareText } from "./compare-text.ts";
import { type Simulation, simulate, simulateSteps } from "./testdata.ts";

const base: Partial<Simulation> = {
  durationS: 20,
  warmupS: 0,
  stages: [{ atS: 0, rate: 150 }],
  arrivals: "poisson",
  medianMs: 12,
  spread: 0.4,
  slots: () => 16,
};

/** How many of 100 pairs of runs, each with seeds of its own, are called a regression. */
function regressions(before: Partial<Simulation>, after: Partial<Simulation>): number {
  let found = 0;
  for (let seed = 0; seed < 100; seed++) {
    const [a, b] = [simulate({ ...before, seed: 2 * seed }), simulate({ ...after, seed: 2 * seed + 1 })];
    if (compare(a, b, { times: 250, seed }).exitCode === 99) found++;
  }
  return found;
}

function row(changes: readonly Change[], name: string): Change {
  return changes.find((change) => change.name === name)!;
}

const run = simulate({ ...base, seed: 1 });
const again = simulate({ ...base, seed: 2 });

describe("chance and change", () => {
  const LONG = 120_000;

  test(
    "two runs of the same are no regression in 95 of 100",
    () => {
      expect(regressions(base, base)).toBeLessThanOrEqual(5);
    },
    LONG,
  );

  test(
    "20 % slower is found in 95 of 100",
    () => {
      expect(regressions(base, { ...base, medianMs: 14.4 })).toBeGreaterThanOrEqual(95);
    },
    LONG,
  );

  test(
    "stalls that come in both runs are no regression in 95 of 100, though they move p99 a lot",
    () => {
      const stalling = { ...base, stall: { everyS: 7, forS: 0.4 } };
      expect(regressions(stalling, stalling)).toBeLessThanOrEqual(5);
    },
    LONG,
  );

  test(
    "20 % slower on a ramp is found in 95 of 100: what both plans did is no noise",
    () => {
      const ramp = {
        ...base,
        stages: [
          { atS: 0, rate: 20 },
          { atS: 20, rate: 300 },
        ],
      };
      expect(regressions(ramp, ramp)).toBeLessThanOrEqual(5);
      expect(regressions(ramp, { ...ramp, medianMs: 14.4 })).toBeGreaterThanOrEqual(95);
    },
    LONG,
  );

  test(
    "1 % of failures is found in 95 of 100, the same share on both sides is none",
    () => {
      expect(regressions(base, { ...base, errors: 0.01 })).toBeGreaterThanOrEqual(95);
      expect(regressions({ ...base, errors: 0.01 }, { ...base, errors: 0.01 })).toBeLessThanOrEqual(5);
    },
    LONG,
  );
});

describe("a comparison", () => {
  test("says what is better as well, and that is no regression", () => {
    const { client, exitCode } = compare(run, simulate({ ...base, seed: 3, medianMs: 8 }));
    expect(row(client, "response p50").verdict).toBe("better");
    expect(exitCode).toBe(0);
  });

  test("takes the figures from the results as they are", () => {
    const { client } = compare(run, again);
    for (const [name, key] of [
      ["response p50", "p50Ms"],
      ["response p90", "p90Ms"],
      ["response p99", "p99Ms"],
      ["response p99.9", "p999Ms"],
    ] as const)
      expect(row(client, name)).toMatchObject({
        before: run.latency.response[key],
        after: again.latency.response[key],
      });
    expect(row(client, "passed").after).toBe(again.totals.passedPerS);
  });

  test("a run compared with itself is the same in everything", () => {
    const { client, statuses, reservations, comparable } = compare(run, run);
    expect(client.map((change) => change.verdict)).toEqual(client.map(() => "same"));
    expect(statuses.every((change) => change.verdict === "same")).toBe(true);
    expect([reservations, comparable]).toEqual([[], true]);
  });

  test("a burst of failures in one run is chance, as many throughout are not", () => {
    const failing = (pick: (at: number) => number): LoadResult => {
      const series = again.series.map((point, at) => ({ ...point, failed: pick(at) }));
      return {
        ...again,
        series,
        totals: { ...again.totals, failed: series.reduce((sum, point) => sum + point.failed, 0) },
      };
    };
    expect(
      row(
        compare(
          run,
          failing((at) => (at === 9 ? 100 : 0)),
        ).client,
        "failed",
      ),
    ).toMatchObject({ verdict: "same" });
    expect(
      row(
        compare(
          run,
          failing(() => 5),
        ).client,
        "failed",
      ),
    ).toMatchObject({ verdict: "worse" });
  });

  test("a change outside of the noise that is too small to matter is none", () => {
    const exact = {
      ...base,
      spread: 0.001,
      slots: () => 100,
      stages: [{ atS: 0, rate: 100 }],
      arrivals: "constant" as const,
    };
    const p50 = row(
      compare(simulate(exact), simulate({ ...exact, seed: 2, medianMs: 12.4 })).client,
      "response p50",
    );
    expect(p50.noise).toBeLessThan(0.03);
    expect(p50.after / p50.before).toBeGreaterThan(1.03);
    expect(p50.verdict).toBe("same");
  });

  test("other statuses are told, and decide nothing by themselves", () => {
    const moved: LoadResult = {
      ...again,
      statuses: { "200": again.totals.done - 900, "304": 900 },
      series: again.series.map((point) => ({ ...point, statuses: { "200": point.done - 45, "304": 45 } })),
    };
    const { statuses, exitCode } = compare(run, moved);
    expect(row(statuses, "status 304").verdict).toBe("changed");
    expect(exitCode).toBe(0);
  });

  test("all requests failing is a regression", () => {
    const dead = simulate({ ...base, seed: 4, errors: 1 });
    const { client, exitCode } = compare(run, dead);
    expect(row(client, "failed")).toMatchObject({ before: 0, after: 1, verdict: "worse" });
    expect(exitCode).toBe(99);
  });

  test("in a closed loop fewer requests are a regression", () => {
    const loop = { ...base, stages: null, connections: 8 };
    const { client, exitCode } = compare(
      simulate({ ...loop, seed: 1 }),
      simulate({ ...loop, seed: 2, medianMs: 15 }),
    );
    expect(row(client, "passed").verdict).toBe("worse");
    expect(exitCode).toBe(99);
  });

  test("the highest rates of two searches are the same within the gap between their steps", () => {
    const search = (capacity: number): LoadResult => ({ ...run, steps: simulateSteps(capacity) });
    expect(compare(search(4_000), search(4_200))).toMatchObject({
      exitCode: 0,
      client: [{ verdict: "same" }],
    });
    expect(compare(search(4_000), search(3_000))).toMatchObject({
      exitCode: 99,
      client: [{ before: 3_750, after: 2_813, verdict: "worse" }],
    });
    expect(compare(search(4_000), search(8_000))).toMatchObject({
      exitCode: 0,
      client: [{ verdict: "better" }],
    });
  });
});

describe("what makes runs incomparable", () => {
  const plan = (changes: Partial<LoadResult["plan"]>): LoadResult => ({
    ...again,
    plan: { ...again.plan, ...changes },
  });
  test.each([
    ["another model", plan({ model: "closed" }), "The models differ: open and closed."],
    ["another rate", plan({ stages: [{ atS: 0, rate: 300 }] }), "The planned rates differ: 150/s and 300/s."],
    [
      "another machine",
      { ...again, machine: { ...again.machine, cpus: 4 } },
      "The machines differ: 8 × Example CPU @ 3.00GHz and 4 × Example CPU @ 3.00GHz.",
    ],
    [
      "an invalid run",
      { ...again, verdict: "invalid" },
      "The generator fell short in the later run: it says little about the service.",
    ],
    ["an interrupted run", { ...again, verdict: "interrupted" }, "The later run was interrupted."],
    [
      "a search",
      { ...again, steps: simulateSteps(10) },
      "One run searched for the highest rate (--find-max), the other did not.",
    ],
    [
      "few seconds",
      { ...again, series: again.series.slice(0, 5) },
      "A run has 5 measured seconds; below 8 chance cannot be told from change, so nothing is judged.",
    ],
  ] as [string, LoadResult, string][])("%s", (_, other, text) => {
    const comparison = compare(run, other);
    expect(comparison.comparable).toBe(false);
    expect(comparison.reservations).toContainEqual({ grave: true, text });
    expect(compareText(comparison, { before: "a", after: "b" })).toContain("But the runs are not comparable");
  });

  test.each([
    ["another duration", simulate({ ...base, durationS: 40 }), "The durations differ: 20 s and 40 s."],
    [
      "another target",
      { ...again, target: { ...again.target, name: "http://127.0.0.1:1/" } },
      "The targets differ: GET http://127.0.0.1:8080/items?limit=20 and GET http://127.0.0.1:1/.",
    ],
    [
      "another kernel",
      { ...again, machine: { ...again.machine, kernel: "Linux 7" } },
      "The kernels differ: Linux 6.1.0 and Linux 7.",
    ],
    [
      "failures",
      { ...again, totals: { ...again.totals, failed: Math.round(again.totals.done / 10) } },
      "10 % failed in the later run; what was refused quickly makes latencies look better.",
    ],
  ] as [string, LoadResult, string][])("%s is told, and the runs stay comparable", (_, other, text) => {
    const { reservations, comparable } = compare(run, other);
    expect(reservations).toEqual([{ grave: false, text }]);
    expect(comparable).toBe(true);
  });

  test("too few seconds judge nothing, in either direction", () => {
    const brief = simulate({ ...base, durationS: 4, medianMs: 40 });
    const { client, exitCode } = compare(simulate({ ...base, durationS: 4 }), brief);
    expect(client.every((change) => change.verdict === "unjudged" && change.noise === null)).toBe(true);
    expect(exitCode).toBe(98);
  });

  test("on another plan more requests are no better and fewer no worse", () => {
    const { client } = compare(run, simulate({ ...base, seed: 2, stages: [{ atS: 0, rate: 75 }] }));
    expect(row(client, "passed").verdict).toBe("changed");
  });
});

test("the text shows what the comparison holds", () => {
  const slow = simulate({ ...base, seed: 3, medianMs: 18, errors: 0.05 });
  const comparison = compare(run, slow);
  const lines = compareText(comparison, { before: "a.json", after: "b.json" }).split("\n");
  expect(lines.slice(0, 2)).toEqual(["Before: a.json", "After:  b.json"]);
  const p50 = lines.find((line) => line.includes("response p50"))!;
  expect(p50).toMatch(/^ {4}response p50 +12\.\d ms +1[78](\.\d)? ms +\+4\d\.\d % +±\d+\.\d % {3}✗ worse$/);
  expect(lines.find((line) => line.includes("status 500"))).toMatch(/~ changed$/);
  expect(lines.find((line) => line.includes("in the app, p50"))).toMatch(/\+\d+\.\d %$/);
  expect(lines.find((line) => line.includes("status 500"))).toMatch(/ \+\d(\.\d+)? pp/);
  expect(lines.find((line) => line.includes("status 200"))).toMatch(/ −\d(\.\d+)? pp/);
  expect(lines.at(-2)).toMatch(/^Regression: response p50, .*failed are worse, outside of the noise\.$/);
  // Columns stand below each other.
  const header = lines.find((line) => line.includes("before"))!;
  expect(p50.indexOf(" ms") + 3).toBe(header.indexOf("before") + 6);
});

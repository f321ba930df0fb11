import { describe, expect, test } from "bun:test";
import { applyBehavior, type BehaviorState, noHistory } from "./behavior.ts";
import { instancesFor, largest, resourceProposal } from "./combine.ts";
import { decide } from "./decide.ts";
import { resourceWants } from "./resource.ts";
import { type Behavior, defaultBehavior, defaultSettings } from "./settings.ts";
import { freshState, observe } from "./state.ts";

describe("instances for a demand", () => {
  test.each([
    [0, 7, 0],
    [0.001, 7, 1],
    [7, 7, 1],
    [7.01, 7, 2],
    // 2.1 / 0.7 is 3.0000000000000004 in binary fractions.
    [2.1, 0.7, 3],
    [5_600, 56, 100],
  ] as const)("%d at %d is %d", (demand, target, expected) => {
    expect(Object.is(instancesFor(demand, target), expected)).toBe(true);
  });
});

describe("the largest wins", () => {
  test("in each window by itself; the first of equals gives the name", () => {
    const proposals = [
      { signal: "concurrency", stable: 3, panic: 9 },
      { signal: "requests_per_second", stable: 5, panic: 4 },
      { signal: "cpu", stable: 5, panic: 0 },
    ] as const;
    expect(largest(proposals)).toEqual({ stable: 5, panic: 9, by: "requests_per_second" });
    expect(largest([])).toEqual({ stable: 0, panic: 0, by: "concurrency" });
  });
});

describe("what a resource wants, as HPA has it", () => {
  const _ = null;
  // biome-ignore-start format: a table
  const table: readonly (readonly [string, readonly (number | null)[], number, string, number])[] = [
    // case, usage of the ready ones, how many start, outcome, wanted; target 0.5, tolerance 0.1
    ["twice the target", [1, 1, 1], 0, "scaled", 6],
    ["half the target", [0.25, 0.25, 0.25, 0.25], 0, "scaled", 2],
    ["the mean counts", [0.2, 1.3], 0, "scaled", 3],
    ["10 % above is near enough", [0.55, 0.55], 0, "within_tolerance", 2],
    ["more is not", [0.56, 0.56], 0, "scaled", 3],
    ["10 % below is near enough", [0.45, 0.45], 0, "within_tolerance", 2],
    ["idle ones keep one", [0.001, 0.001], 0, "scaled", 1],
    ["nothing known", [_, _], 1, "no_metrics", 3],
    ["none there", [], 0, "no_metrics", 0],
    // On the way up: (3 x 1 + 0) / 4 / 0.5 = 1.5 of 4.
    ["unknown usage is none on the way up", [1, 1, 1, _], 0, "scaled", 6],
    // (0.6 x 3) / 4 / 0.5 = 0.9: near enough.
    ["until nothing is left of the way up", [0.6, 0.6, 0.6, _], 0, "within_tolerance", 4],
    // (0.6 x 2) / 4 / 0.5 = 0.6: that would be the way down.
    ["or it would turn the other way", [0.6, 0.6, _, _], 0, "direction_unsure", 4],
    // On the way down: (0.1 x 3 + 1) / 4 / 0.5 = 0.65 of 4.
    ["unknown usage is full on the way down", [0.1, 0.1, 0.1, _], 0, "scaled", 3],
    ["until little is left", [0.1, 0.1, _, _], 0, "within_tolerance", 4],
    ["or it would turn", [0.1, _, _, _], 0, "direction_unsure", 4],
    // (1 x 2 + 0 x 2) / 4 / 0.5 = 1: what starts is waited for.
    ["those that start use nothing on the way up", [1, 1], 2, "within_tolerance", 4],
    // (1.5 x 2 + 0) / 3 / 0.5 = 2 of 3.
    ["but are not always enough", [1.5, 1.5], 1, "scaled", 6],
    // On the way down those that start are left out: 0.4 of 2.
    ["those that start do not count on the way down", [0.2, 0.2], 2, "scaled", 1],
  ];
  // biome-ignore-end format: a table
  test.each(table)("%s", (_name, readings, starting, outcome, want) => {
    const reason = resourceWants({ signal: "cpu", readings, starting, target: 0.5, tolerance: 0.1 });
    expect([reason.outcome, reason.want]).toEqual([outcome, want] as [typeof reason.outcome, number]);
  });
});

describe("behavior", () => {
  type Step = readonly [seconds: number, proposal: number, instances: number, expected: number];
  function check(behavior: Behavior, steps: readonly Step[]): void {
    let state: BehaviorState = noHistory;
    for (const [seconds, proposal, instances, expected] of steps) {
      const seen = { now: seconds * 1_000, proposal, instances };
      const result = applyBehavior(state, seen, behavior);
      state = result.state;
      expect([seconds, result.want]).toEqual([seconds, expected]);
    }
  }

  test("up: double or 4 more in 15 s, whichever is more", () => {
    check(defaultBehavior, [
      [0, 50, 1, 5],
      [2, 50, 5, 5],
      [14, 50, 5, 5],
      // 15 s ago there was 1: 5 again. 13 s later there were 5 for 15 s: 10.
      [15, 50, 5, 5],
      [17, 50, 5, 10],
      [19, 50, 10, 10],
      [34, 50, 10, 20],
    ]);
  });

  test("down: the largest proposal of the last 60 s", () => {
    check(defaultBehavior, [
      [0, 10, 10, 10],
      [30, 6, 10, 10],
      [59, 4, 10, 10],
      [60, 4, 10, 6],
      [90, 4, 6, 4],
    ]);
  });

  test("down: policies, the stricter of two", () => {
    const scaleDown = {
      stabilizationWindowMs: 0,
      selectPolicy: "min",
      policies: [
        { type: "instances", value: 2, periodMs: 10_000 },
        { type: "percent", value: 50, periodMs: 10_000 },
      ],
    } as const;
    check({ ...defaultBehavior, scaleDown }, [
      [0, 1, 20, 18],
      [5, 1, 18, 18],
      // 10 s ago there were 20, changed to 18 at 5.
      [14, 1, 18, 18],
      [15, 1, 18, 16],
      [30, 1, 3, 3],
    ]);
  });

  test("up: the smallest proposal of a window, when there is one", () => {
    const scaleUp = { ...defaultBehavior.scaleUp, stabilizationWindowMs: 10_000 };
    check({ ...defaultBehavior, scaleUp }, [
      [0, 4, 4, 4],
      [5, 8, 4, 4],
      [10, 7, 4, 7],
      [15, 7, 7, 7],
    ]);
  });

  test("disabled: not at all; without policies: at once", () => {
    const still = { stabilizationWindowMs: 0, selectPolicy: "disabled", policies: [] } as const;
    const free = { stabilizationWindowMs: 0, selectPolicy: "max", policies: [] } as const;
    check({ scaleUp: free, scaleDown: still }, [
      [0, 90, 10, 90],
      [1, 1, 90, 90],
    ]);
    check({ scaleUp: still, scaleDown: free }, [
      [0, 90, 10, 10],
      [1, 1, 10, 1],
    ]);
  });

  test("remembers no more than it needs", () => {
    let state: BehaviorState = noHistory;
    for (let now = 0; now < 3_600_000; now += 2_000) {
      state = applyBehavior(state, { now, proposal: 5, instances: (now / 2_000) % 7 }, defaultBehavior).state;
    }
    expect(state.proposals.length).toBeLessThanOrEqual(31);
    expect(state.instances.length).toBeLessThanOrEqual(9);
  });
});

describe("resource targets beside the requests", () => {
  const settings = { ...defaultSettings, concurrency: 10, cpuUtilization: 0.5, memoryUtilization: 0.8 };
  const usage = { now: 0, ready: 2, starting: 0, demand: true };

  test("the larger of CPU and memory, each with its reason", () => {
    const { proposal, reasons } = resourceProposal(
      noHistory,
      { ...usage, cpu: [0.9, 0.9], memory: [1.6, 1.2] },
      settings,
    );
    expect(proposal).toEqual({ signal: "cpu", stable: 4, panic: 0 });
    expect(reasons).toMatchObject([
      { rule: "resource", signal: "cpu", want: 4, outcome: "scaled" },
      { rule: "resource", signal: "memory", want: 4, outcome: "scaled" },
    ]);
  });

  test("readings that nobody sent hold what there is", () => {
    const { proposal } = resourceProposal(noHistory, usage, settings);
    expect(proposal).toEqual({ signal: "cpu", stable: 2, panic: 0 });
  });

  test("without requests they say nothing: memory that is never given back does not keep a service up", () => {
    const { proposal, reasons } = resourceProposal(
      noHistory,
      { ...usage, demand: false, memory: [0.99, 0.99] },
      settings,
    );
    expect(proposal).toBeNull();
    expect(reasons.map((reason) => "outcome" in reason && reason.outcome)).toEqual([
      "no_demand",
      "no_demand",
    ]);
  });

  test("decide takes the largest and says which", () => {
    const sample = { now: 1_000, running: 12, waiting: 0, refused: 0, arrivalsPerSecond: 500 };
    const state = observe(freshState(settings), sample);
    const view = { now: 2_000, ready: 2, starting: 0, startTimeMs: 100, cpu: [0.8, 0.8] };
    const rate = { ...settings, requestsPerSecond: 300 };
    const memory = [0.8, 0.8];
    const by = (more: typeof settings | typeof rate, cpu: number[]) => {
      const { decision } = decide(state, { ...view, cpu, memory }, more);
      return [decision.desired, decision.reasons.find(({ rule }) => rule === "largest")];
    };
    // 12 / 7; 500 / 210; 0.8 / 0.5 x 2.
    expect(by({ ...settings, cpuUtilization: null as never, memoryUtilization: null as never }, [])).toEqual([
      2,
      undefined,
    ]);
    expect(by(rate, [0.5, 0.5])).toEqual([3, { rule: "largest", signal: "requests_per_second", want: 3 }]);
    expect(by(settings, [0.8, 0.8])).toEqual([4, { rule: "largest", signal: "cpu", want: 4 }]);
  });
});

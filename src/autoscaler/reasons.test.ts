import { describe, expect, test } from "bun:test";
import { type Decision, decided, decisionText, isNews, type Reason, reasonText } from "./reasons.ts";

const resource = {
  rule: "resource",
  signal: "cpu",
  utilization: 0.91,
  target: 0.6,
  missing: 2,
  want: 5,
} as const;
const line = { rule: "burst", demand: 25, target: 7, want: 4 } as const;
const step = { from: 9, to: 4 };

describe("a reason as a sentence", () => {
  const table: readonly (readonly [Reason, string])[] = [
    [
      {
        rule: "requests",
        signal: "concurrency",
        stable: 9.567,
        panic: 60,
        target: 7,
        wantStable: 2,
        wantPanic: 9,
        coverageMs: 60_000,
      },
      "9.57 requests at a time over 60 s want 2, 60 just now want 9, at 7 each",
    ],
    [
      {
        rule: "requests",
        signal: "concurrency",
        stable: 0.002,
        panic: 0,
        target: 7,
        wantStable: 1,
        wantPanic: 0,
        coverageMs: 60_000,
      },
      "<0.01 requests at a time over 60 s want 1, 0 just now want 0, at 7 each",
    ],
    [
      {
        rule: "requests",
        signal: "requests_per_second",
        stable: 500,
        panic: 510,
        target: 140,
        wantStable: 4,
        wantPanic: 4,
        coverageMs: 2_000,
      },
      "500 requests/s over 2 s want 4, 510 just now want 4, at 140 each",
    ],
    [{ ...resource, outcome: "scaled" }, "cpu 91 % of 60 % wants 5"],
    [{ ...resource, outcome: "within_tolerance" }, "cpu 91 % of 60 % is near enough: 5"],
    [
      { ...resource, outcome: "direction_unsure" },
      "cpu 91 % of 60 %, but 2 without metrics could turn it: 5",
    ],
    [{ ...resource, utilization: null, outcome: "no_metrics" }, "cpu unknown of 60 %: 5 kept"],
    [
      { ...resource, utilization: null, outcome: "no_demand" },
      "cpu unknown of 60 % does not count without requests",
    ],
    [{ rule: "largest", signal: "memory", want: 5 }, "memory wants the most: 5"],
    [{ rule: "stabilization", from: 4, to: 9 }, "CPU and memory are stabilised: 9 instead of 4"],
    [{ rule: "policy", ...step }, "CPU and memory may move to 4, not to 9, in this period"],
    [{ rule: "no_data", held: 3 }, "no data: 3 kept"],
    [{ rule: "initial_scale", to: 1 }, "nothing measured yet: initial scale 1"],
    [{ rule: "max_scale_up_rate", rate: 2, ...step }, "at most 2 times as many a tick: 4 instead of 9"],
    [{ rule: "max_scale_down_rate", rate: 2, from: 1, to: 5 }, "at least 1/2 is kept a tick: 5 instead of 1"],
    [{ rule: "activation_scale", from: 1, to: 3 }, "activation scale: 3 instead of 1"],
    [
      { rule: "panic_entered", percent: 250, threshold: 200 },
      "panic begins: 250 % of what there is, from 200 % on",
    ],
    [{ rule: "panic_extended", percent: 250, threshold: 200 }, "panic goes on: 250 % of what there is"],
    [{ rule: "panic_left", afterMs: 60_000 }, "panic ends: below the threshold for 60 s"],
    [{ rule: "panic_window", from: 2, to: 9 }, "in panic the short window is followed: 9 instead of 2"],
    [{ rule: "panic_hold", from: 2, to: 9 }, "nothing shrinks in panic: 9 kept instead of 2"],
    [
      { rule: "scale_down_delay", delayMs: 30_000, from: 2, to: 9 },
      "2 not enough for all of the last 30 s: 9",
    ],
    [{ rule: "min_instances", from: 0, to: 2 }, "min instances: 2 instead of 0"],
    [{ rule: "max_instances", ...step }, "max instances: wanted 9, may have 4"],
    [{ rule: "idle", remainingMs: 12_500 }, "idle: the last one stays for another 12.5 s"],
    [{ rule: "zero" }, "idle for the grace period: to zero"],
    [
      { ...line, outcome: "woken" },
      "25 requests running, waiting or refused, at 7 each, want 4: woken from zero",
    ],
    [
      { ...line, outcome: "raised" },
      "25 requests running, waiting or refused, at 7 each, want 4: started without waiting for a tick",
    ],
    [
      { ...line, outcome: "no_line" },
      "25 requests running, waiting or refused, at 7 each, want 4: nobody waits",
    ],
    [
      { ...line, outcome: "enough" },
      "25 requests running, waiting or refused, at 7 each, want 4: there or starting already",
    ],
    [
      { ...line, outcome: "starts_not_cheap" },
      "25 requests running, waiting or refused, at 7 each, want 4: starts are slow, the tick decides",
    ],
  ];
  test.each(table)("%j", (reason, text) => {
    expect(reasonText(reason)).toBe(text);
  });
});

describe("a decision", () => {
  const seen = { ready: 2, starting: 1, running: 0, waiting: 0, refused: 0, panicking: false };
  const make = (desired: number, reasons: readonly Reason[]): Decision =>
    decided({ at: 0, trigger: "tick", valid: true, desired, seen }, reasons);

  test("counts what is to be done on those there are", () => {
    const held: Reason = { rule: "no_data", held: 3 };
    const what = [5, 3, 1]
      .map((desired) => make(desired, [held]))
      .map(({ action, count }) => [action, count]);
    expect(what).toEqual([["start", 2], ["hold", 0], ["stop", 2]]); // biome-ignore format: a row
  });

  test("is named after the rule with the last word, not after panic's edges", () => {
    const reasons: Reason[] = [
      { rule: "largest", signal: "cpu", want: 5 },
      { rule: "panic_entered", percent: 250, threshold: 200 },
    ];
    expect(make(5, reasons).rule).toBe("largest");
  });

  test("is one line for people", () => {
    expect(
      decisionText(
        make(1, [
          { rule: "no_data", held: 3 },
          { rule: "max_instances", from: 3, to: 1 },
        ]),
      ),
    ).toBe("2 ready + 1 starting: stop 2 -> 1 (no data: 3 kept; max instances: wanted 3, may have 1)");
  });

  test("is news when it changes something, or another rule spoke", () => {
    const held = make(3, [{ rule: "no_data", held: 3 }]);
    const more = make(5, [{ rule: "no_data", held: 5 }]);
    expect([
      isNews(held, undefined),
      isNews(held, held),
      isNews(more, held),
      isNews(make(3, [{ rule: "zero" }]), held),
    ]).toEqual([true, false, true, true]);
  });
});

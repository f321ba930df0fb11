import { describe, expect, test } from "bun:test";
import { type Candidate, decideRecycling, nextLookMs, type RecycleSettings, recycles } from "./recycle.ts";
import { reasonOf } from "./recycler.ts";

const MIB = 2 ** 20;
const none: RecycleSettings = { maxAgeMs: 0, maxRequests: 0, maxRequestsJitter: 0, maxMemory: 0 };

const idle = { starting: 0, leaving: 0 };

const one = (id: string, more: Partial<Candidate> = {}): Candidate => ({
  id,
  ageMs: 0,
  served: 0,
  memoryBytes: 0,
  jitter: 0,
  ...more,
});

describe("recycling", () => {
  test("is for nobody without a limit, whatever they do", () => {
    expect(recycles(none)).toBe(false);
    expect(decideRecycling([one("a", { ageMs: 1e12, served: 1e9, memoryBytes: 1e12 })], idle, none)).toEqual(
      [],
    );
  });

  test("takes one at a time of a few, the one over its memory first", () => {
    const settings = { ...none, maxAgeMs: 1_000, maxRequests: 10, maxMemory: 100 * MIB };
    const candidates = [
      one("old", { ageMs: 9_000 }),
      one("busy", { served: 11 }),
      one("large", { memoryBytes: 101 * MIB }),
      one("larger", { memoryBytes: 140 * MIB }),
      one("well", { ageMs: 999, served: 9, memoryBytes: 100 * MIB }),
    ];
    const [first, ...rest] = decideRecycling(candidates, idle, settings);
    expect([first!.id, first!.cause, rest]).toEqual(["larger", "memory", []]);
    expect(reasonOf(first!)).toBe("its memory is 140MiB, over 100MiB");
    expect(decideRecycling(candidates, { starting: 1, leaving: 0 }, settings)).toEqual([]);
    expect(decideRecycling(candidates.slice(0, 2), idle, settings).map(({ id }) => id)).toEqual(["busy"]);
  });

  test("takes a tenth at a time of many", () => {
    const many = Array.from({ length: 50 }, (_, i) => one(`i-${i}`, { served: 100 + i }));
    const due = decideRecycling(many, { starting: 2, leaving: 0 }, { ...none, maxRequests: 10 });
    expect(due.map(({ id }) => id)).toEqual(["i-49", "i-48", "i-47"]);
  });

  test("waits for those that leave, but for memory", () => {
    const settings = { ...none, maxAgeMs: 1_000, maxMemory: 100 * MIB };
    const candidates = [one("old", { ageMs: 9_000 }), one("large", { memoryBytes: 101 * MIB })];
    const due = (leaving: number) =>
      decideRecycling(candidates, { starting: 0, leaving }, settings).map(({ id }) => id);
    expect(due(1)).toEqual(["large"]);
    expect(decideRecycling(candidates.slice(0, 1), { starting: 0, leaving: 1 }, settings)).toEqual([]);
    expect(decideRecycling(candidates.slice(0, 1), idle, settings).map(({ id }) => id)).toEqual(["old"]);
  });

  test("spreads requests by the jitter that is asked for, and ages by a tenth", () => {
    const requests = { ...none, maxRequests: 100, maxRequestsJitter: 50 };
    const due = (served: number, jitter: number) =>
      decideRecycling([one("a", { served, jitter })], idle, requests).length;
    expect([
      due(99, 0),
      due(100, 0),
      due(149, 0.9999),
      due(150, 0.9999),
      due(124, 0.5),
      due(125, 0.5),
    ]).toEqual([0, 1, 0, 1, 0, 1]);
    const age = { ...none, maxAgeMs: 1_000 };
    const old = (ageMs: number, jitter: number) =>
      decideRecycling([one("a", { ageMs, jitter })], idle, age).length;
    expect([old(999, 0), old(1_000, 0), old(1_049, 0.5), old(1_050, 0.5)]).toEqual([0, 1, 0, 1]);
  });
});

describe("the next look", () => {
  const settings = { ...none, maxRequests: 100, maxRequestsJitter: 50, maxMemory: 100 * MIB };
  const rows: readonly (readonly [what: string, more: Partial<Candidate>, pace: number, ms: number])[] = [
    ["is after a second where nobody is near", { served: 40, memoryBytes: 50 * MIB }, 0.01, 1_000],
    ["is when the first reaches its requests at its pace", { served: 40 }, 0.2, 300],
    ["counts in the jitter", { served: 40, jitter: 0.999 }, 0.2, 550],
    ["is soon for one that has reached them", { served: 400 }, 0.2, 100],
    ["is soon for one near its memory", { memoryBytes: 61 * MIB }, 0, 100],
    ["is no matter of one that serves nothing", { served: 99 }, 0, 1_000],
  ];
  for (const [what, more, pace, ms] of rows) {
    test(what, () => {
      const idler = { ...one("idler"), pace: 0 };
      expect(nextLookMs([idler, { ...one("a", more), pace }], settings)).toBeCloseTo(ms);
    });
  }

  test("is after a second when there is no limit of requests", () => {
    expect(nextLookMs([{ ...one("a", { served: 1e6 }), pace: 9 }], { ...none, maxAgeMs: 1 })).toBe(1_000);
  });
});

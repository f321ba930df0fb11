import { describe, expect, test } from "bun:test";
import { countCrash, decideRestart, freshSeat, noLoop, restartDefaults, stillLooping } from "./restart.ts";

const settings = {
  ...restartDefaults,
  baseDelayMs: 100,
  maxDelayMs: 1000,
  healthyMs: 5000,
  loopCrashes: 3,
  windowMs: 10_000,
};

describe("the delay before a replacement", () => {
  const rows: readonly (readonly [
    earlier: number,
    uptimeMs: number,
    random: number,
    delayMs: number,
    left: number,
  ])[] = [
    [0, 0, 0.5, 0, 1],
    [0, 9000, 0.5, 0, 1],
    [1, 0, 0, 100, 2],
    [1, 0, 0.5, 75, 2],
    [1, 0, 0.999_999, 50, 2],
    [2, 0, 0, 200, 3],
    [3, 4999, 0, 400, 4],
    [9, 0, 0, 1000, 10],
    [5000, 0, 0, 1000, 5001],
    [9, 5000, 0.5, 0, 1],
  ];
  for (const [crashes, uptimeMs, random, delayMs, left] of rows) {
    test(`after ${crashes} crashes and ${uptimeMs} ms up, with chance ${random}: ${delayMs} ms`, () => {
      const decision = decideRestart({ crashes }, { uptimeMs, random }, settings);
      expect(decision.delayMs).toBe(delayMs);
      expect(decision.history).toEqual({ crashes: left });
      expect(decision.reasons.length).toBeGreaterThan(0);
    });
  }

  test("a fresh seat is replaced at once, and the answer says why", () => {
    expect(decideRestart(freshSeat, { uptimeMs: 0, random: 0 }, settings).reasons.join()).toContain(
      "at once",
    );
  });
});

describe("whether a crash speaks for a loop", () => {
  const rows: readonly (readonly [earlier: number, uptimeMs: number, again: boolean])[] = [
    [0, 0, true],
    [0, 1, false],
    [1, 1, true],
    [1, 5000, false],
  ];
  for (const [crashes, uptimeMs, again] of rows) {
    test(`after ${crashes} crashes and ${uptimeMs} ms up: ${again}`, () => {
      expect(decideRestart({ crashes }, { uptimeMs, random: 0 }, settings).again).toBe(again);
    });
  }
});

describe("a crash loop", () => {
  test("counts what has one cause once", () => {
    let history = noLoop;
    for (const cause of ["z-1", "z-1", "z-1", "z-2", "z-1"]) {
      const decision = countCrash(history, { now: 0, cause }, settings);
      history = decision.history;
      expect(decision.began).toBe(false);
    }
    expect(countCrash(history, { now: 1, cause: "" }, settings).began).toBe(true);
  });

  test("begins with the crash that fills the window, and is told once", () => {
    let history = noLoop;
    const began: boolean[] = [];
    for (const now of [0, 1000, 2000, 3000, 4000]) {
      const decision = countCrash(history, { now, cause: "" }, settings);
      history = decision.history;
      began.push(decision.began);
    }
    expect(began).toEqual([false, false, true, false, false]);
    expect(stillLooping(history, 4000, settings)).toBe(true);
  });

  test("is no loop when crashes are further apart than the window allows", () => {
    let history = noLoop;
    for (const now of [0, 6000, 12_000, 18_000, 24_000]) {
      const decision = countCrash(history, { now, cause: "" }, settings);
      history = decision.history;
      expect(decision.began).toBe(false);
    }
  });

  test("ends when the window has emptied", () => {
    let history = noLoop;
    for (const now of [0, 1, 2]) history = countCrash(history, { now, cause: "" }, settings).history;
    expect(stillLooping(history, 9_000, settings)).toBe(true);
    expect(stillLooping(history, 10_001, settings)).toBe(false);
  });
});

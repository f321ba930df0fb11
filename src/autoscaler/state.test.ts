import { describe, expect, test } from "bun:test";
import { checkSettings, defaultSettings, panicWindowMs } from "./settings.ts";
import { seededRandom } from "./simulate/random.ts";
import { refusedSlots, restartedState, waitingSlots } from "./state.ts";

describe("slots that refused requests would have held", () => {
  test("are their rate times the service time", () => {
    // 100 in 2 s are 50/s; at 300 ms each they would hold 15 slots.
    expect(refusedSlots(100, 2_000, 300)).toBe(15);
  });

  test("are their number when the service time is not known, or no time has passed", () => {
    expect([refusedSlots(100, 2_000, null), refusedSlots(100, 0, 300), refusedSlots(0, 0, null)]).toEqual([
      100, 100, 0,
    ]);
  });
});

describe("slots that a line takes", () => {
  const line = { running: 10, admittedPerSecond: 300, serviceTimeMs: 100, drainMs: 1_000 };

  // biome-ignore-start format: a table
  test.each([
    ["what is missing for what comes, and what works off the line", 400, line, 30 - 10 + 40],
    ["nothing is missing: only the line", 400, { ...line, running: 50 }, 40],
    ["more time, fewer slots", 400, { ...line, drainMs: 4_000 }, 20 + 10],
    ["never more than wait", 12, line, 12],
    ["a service time above the drain time: one each", 400, { ...line, serviceTimeMs: 5_000 }, 400],
    ["service time not known: one each", 400, { ...line, serviceTimeMs: null }, 400],
    ["no drain time: one each", 400, { ...line, drainMs: 0 }, 400],
    ["nobody waits", 0, line, 0],
  ] as const)("%s", (_, waiting, view, expected) => {
    expect(waitingSlots(waiting, view)).toBe(expected);
  });
  // biome-ignore-end format: a table

  test("are never fewer for more that wait, nor for more that come", () => {
    const random = seededRandom(1);
    for (let round = 0; round < 1_000; round += 1) {
      const view = {
        running: random.exponential(50),
        admittedPerSecond: random.exponential(500),
        serviceTimeMs: random.exponential(300),
        drainMs: random.exponential(1_000),
      };
      const waiting = random.exponential(200);
      const slots = waitingSlots(waiting, view);
      expect(slots).toBeLessThanOrEqual(waiting);
      expect(waitingSlots(waiting + 10, view)).toBeGreaterThanOrEqual(slots);
      const more = { ...view, admittedPerSecond: view.admittedPerSecond + 50 };
      expect(waitingSlots(waiting, more)).toBeGreaterThanOrEqual(slots);
    }
  });
});

describe("settings", () => {
  test("the defaults can be used", () => {
    expect(checkSettings(defaultSettings)).toEqual([]);
  });

  // biome-ignore-start format: a table
  test.each([
    [{ minInstances: -1 }, "minInstances"],
    [{ minInstances: 1.5 }, "minInstances"],
    [{ minInstances: 5, maxInstances: 4 }, "maxInstances"],
    [{ maxInstances: 0, initialScale: 0 }, "maxInstances activationScale"],
    [{ initialScale: 101 }, "initialScale"],
    [{ activationScale: 0 }, "activationScale"],
    [{ activationScale: 101 }, "activationScale"],
    [{ concurrency: 0 }, "concurrency"],
    [{ targetUtilization: 0 }, "targetUtilization"],
    [{ targetUtilization: 1.01 }, "targetUtilization"],
    [{ requestsPerSecond: 0 }, "requestsPerSecond"],
    [{ cpuUtilization: 0 }, "cpuUtilization"],
    [{ memoryUtilization: -1 }, "memoryUtilization"],
    [{ tickMs: 0 }, "tickMs"],
    [{ stableWindowMs: 5_999 }, "stableWindowMs"],
    [{ stableWindowMs: 3_600_001 }, "stableWindowMs"],
    [{ panicWindowPercentage: 0.5 }, "panicWindowPercentage"],
    [{ panicThresholdPercentage: 109 }, "panicThresholdPercentage"],
    [{ panicThresholdPercentage: 1_001 }, "panicThresholdPercentage"],
    [{ maxScaleUpRate: 1 }, "maxScaleUpRate"],
    [{ maxScaleDownRate: 1 }, "maxScaleDownRate"],
    [{ scaleDownDelayMs: -1 }, "scaleDownDelayMs"],
    [{ scaleDownDelayMs: 3_600_001 }, "scaleDownDelayMs"],
    [{ scaleToZeroGraceMs: -1 }, "scaleToZeroGraceMs"],
    [{ cheapStartMs: -1 }, "cheapStartMs"],
    [{ lineDrainMs: -1 }, "lineDrainMs"],
    [{ tolerance: 1 }, "tolerance"],
    [{ concurrency: Number.NaN, tickMs: Number.NaN }, "concurrency tickMs"],
  ] as const)("%j is told", (change, named) => {
    const found = checkSettings({ ...defaultSettings, ...change });
    expect(found.map(({ setting }) => setting).join(" ")).toBe(named);
    for (const { wanted } of found) expect(wanted.length).toBeGreaterThan(3);
  });
  // biome-ignore-end format: a table

  test("the panic window is a part of the stable one, in whole seconds, at least one", () => {
    const of = (stableWindowMs: number, panicWindowPercentage: number) =>
      panicWindowMs({ ...defaultSettings, stableWindowMs, panicWindowPercentage });
    expect([of(60_000, 10), of(6_000, 10), of(25_000, 10), of(60_000, 100)]).toEqual([
      6_000, 1_000, 3_000, 60_000,
    ]);
  });
});

test("a restart remembers what there is as wanted", () => {
  expect(restartedState(defaultSettings, 5_000, 7)).toMatchObject({
    desired: 7,
    panic: { mode: "panicking", since: 5_000, most: 7 },
  });
  expect(restartedState(defaultSettings, 5_000, 1)).toMatchObject({ desired: 1, panic: { mode: "stable" } });
  expect(restartedState(defaultSettings, 5_000, 0)).toMatchObject({ desired: null });
});

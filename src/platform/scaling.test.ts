import { expect, test } from "bun:test";
import { checkSettings } from "../autoscaler/settings.ts";
import type { ScalingConfig } from "../config/run-config.ts";
import type { DecisionReport } from "../model/scaling.ts";
import { autoscalerSettings } from "./autoscaler-settings.ts";
import { Decisions } from "./scaling.ts";

const config: ScalingConfig = {
  minInstances: 0,
  maxInstances: 50,
  targetUtilization: 0.7,
  requestsPerSecond: null,
  cpuUtilization: null,
  memoryUtilization: 0.8,
  stableWindowMs: 60_000,
  scaleDownDelayMs: 0,
  scaleToZeroAfterMs: 90_000,
  lineDrainMs: 0,
};

test("the time to zero is the stable window and the grace after it", () => {
  expect(autoscalerSettings(config, 80)).toMatchObject({
    concurrency: 80,
    initialScale: 1,
    panicWindowPercentage: 10,
    scaleToZeroGraceMs: 30_000,
  });
  const brief = { ...config, stableWindowMs: 6_000, scaleToZeroAfterMs: 6_000 };
  expect(autoscalerSettings(brief, 80)).toMatchObject({ panicWindowPercentage: 100, scaleToZeroGraceMs: 0 });
});

test("whatever the options allow can be used", () => {
  for (const stableWindowMs of [6_000, 7_000, 60_000, 3_600_000]) {
    for (const minInstances of [0, 1, 2_000]) {
      const given = { ...config, minInstances, maxInstances: 2_000, stableWindowMs };
      expect(checkSettings(autoscalerSettings(given, 1))).toEqual([]);
    }
  }
});

const decision = (at: number): DecisionReport => ({
  at,
  trigger: "tick",
  action: "hold",
  count: 0,
  desired: 1,
  rule: "requests",
  seen: { ready: 1, starting: 0, running: 0, waiting: 0, refused: 0, panicking: false },
  why: [],
});

test("news are kept, a hundred of them, and the last decision in any case", () => {
  const decisions = new Decisions();
  expect(decisions.list()).toEqual([]);
  for (let at = 1; at <= 300; at++) decisions.add(decision(at), at % 2 === 0);
  decisions.add(decision(301), false);
  const kept = decisions.list().map(({ at }) => at);
  expect([kept.length, kept[0], kept.at(-2), kept.at(-1)]).toEqual([101, 102, 300, 301]);
  decisions.add(decision(302), true);
  expect(
    decisions
      .list()
      .map(({ at }) => at)
      .slice(-2),
  ).toEqual([300, 302]);
});

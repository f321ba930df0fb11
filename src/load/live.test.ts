import { expect, test } from "bun:test";
import { Collector } from "./collect.ts";
import { liveScreen } from "./live.ts";
import type { Goal } from "./work.ts";

const bar = (goal: Goal, atS: number, columns = 80): string => {
  const collector = new Collector();
  const progress = { collector, processes: 1, atS, goal, server: null };
  return liveScreen(progress, columns).split("\n")[0]!;
};

test("the bar is full when it is over, and not before", () => {
  expect(bar({ kind: "time", seconds: 10 }, 5)).toMatch(/^ {2}\[(█+)░+\] 5 of 10 s$/);
  expect(bar({ kind: "time", seconds: 10 }, 12)).toMatch(/\[█+\] 12 of 10 s, waiting for the last answers$/);
  expect(bar({ kind: "about", seconds: 12 }, 4)).toMatch(/\[█+░+\] 4 of about 12 s$/);
  expect(bar({ kind: "requests", count: 5_000 }, 4)).toMatch(/\[░+\] 0 of 5,000 requests$/);
});

test("no line is longer than the terminal is wide", () => {
  for (const columns of [20, 40, 80]) {
    const line = bar({ kind: "time", seconds: 10 }, 12, columns);
    expect(line.length).toBeLessThanOrEqual(columns);
  }
});

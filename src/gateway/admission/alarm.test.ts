import { expect, test } from "bun:test";
import { ManualClock } from "../../base/clock.ts";
import { ALARM_GAP_MS, LineAlarm } from "./alarm.ts";

function setUp() {
  const clock = new ManualClock();
  const told: [at: number, since: number][] = [];
  return { clock, told, alarm: new LineAlarm(clock, (since) => told.push([clock.now(), since])) };
}

test("the first request is told of at once", () => {
  const { told, alarm } = setUp();
  alarm.raise(7);
  expect(told).toEqual([[0, 7]]);
});

test("those that follow are told of together, once the gap is over, with the first of them", () => {
  const { clock, told, alarm } = setUp();
  alarm.raise(0);
  clock.advance(1);
  for (let n = 0; n < 1_000; n++) alarm.raise(1 + n);
  expect(clock.pending).toBe(1);
  clock.advance(100);
  expect(told).toEqual([
    [0, 0],
    [ALARM_GAP_MS, 1],
  ]);
});

test("however many come, it is told once a gap, and the last one is not forgotten", () => {
  const { clock, told, alarm } = setUp();
  for (let n = 0; n < 100; n++) {
    alarm.raise(clock.now());
    clock.advance(1);
  }
  clock.advance(ALARM_GAP_MS);
  expect(told.length).toBe(100 / ALARM_GAP_MS + 1);
  expect(told.at(-1)![1]).toBeGreaterThanOrEqual(100 - ALARM_GAP_MS);
  expect(clock.pending).toBe(0);
});

test("after a quiet time it is immediate again", () => {
  const { clock, told, alarm } = setUp();
  alarm.raise(0);
  clock.advance(ALARM_GAP_MS);
  alarm.raise(clock.now());
  expect(told.map(([at]) => at)).toEqual([0, ALARM_GAP_MS]);
});

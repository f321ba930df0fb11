import { expect, test } from "bun:test";
import { Collector } from "./collect.ts";
import type { Tick } from "./messages.ts";
import { Random } from "./random.ts";
import { Recorder } from "./recorder.ts";

/** A request that was due at a moment and answered so much later. */
function answered(dueAt: number, ms: number) {
  const moments = { intendedAt: dueAt, sentAt: dueAt, firstByteAt: dueAt, endedAt: dueAt + ms };
  return { name: "only", ...moments, status: 200, failure: null };
}

/** Ticks of a process that answered `values` (in ms) in each second. */
function ticks(seconds: readonly (readonly number[])[], warmup = 0): Tick[] {
  const recorder = new Recorder(["only"], warmup * 1_000);
  recorder.begin(0);
  return seconds.flatMap((values, index) => {
    for (const ms of values) {
      const book = recorder.book(index * 1_000);
      book.planned++;
      book.started++;
      recorder.ended(answered(index * 1_000, ms), book);
    }
    return recorder.ticks(index + 1, { connections: 2, inFlight: index, users: 0 });
  });
}

test("several processes add up to what one would have told", () => {
  const random = new Random(5);
  const seconds = Array.from({ length: 5 }, () =>
    Array.from({ length: 300 }, () => random.exponential() * 20),
  );
  const one = new Collector();
  for (const tick of ticks(seconds)) one.add(0, tick);
  const three = new Collector();
  for (let part = 0; part < 3; part++) {
    const own = seconds.map((values) => values.filter((_, index) => index % 3 === part));
    for (const tick of ticks(own)) three.add(part, tick);
  }
  expect(three.counts).toEqual(one.counts);
  expect(three.latencies().response.hdr).toBe(one.latencies().response.hdr);
  expect(three.series().map(({ p99Ms, done }) => [p99Ms, done])).toEqual(
    one.series().map(({ p99Ms, done }) => [p99Ms, done]),
  );
  expect(three.series().map(({ connections }) => connections)).toEqual([6, 6, 6, 6, 6]);
});

test("the warm-up is in the series, and in no total", () => {
  const collector = new Collector();
  for (const tick of ticks([[900], [900], [5], [5]], 2)) collector.add(0, tick);
  expect(collector.counts.done).toBe(2);
  expect(collector.latencies().response.maxMs).toBe(5);
  expect(collector.series().map(({ warmup, done }) => [warmup, done])).toEqual([
    [true, 1],
    [true, 1],
    [false, 1],
    [false, 1],
  ]);
});

test("two hours need no more room than twenty minutes, and lose nothing", () => {
  const collector = new Collector();
  const hour = 3_600;
  for (const tick of ticks(Array.from({ length: 2 * hour }, (_, second) => [second % 100])))
    collector.add(0, tick);
  const series = collector.series();
  expect(series.length).toBeLessThanOrEqual(1_200);
  expect(series.reduce((sum, { done }) => sum + done, 0)).toBe(2 * hour);
  expect(series.at(-1)!.atS).toBeGreaterThanOrEqual(2 * hour);
  expect(Math.max(...series.map(({ maxMs }) => maxMs))).toBe(99);
});

test("what was due in the warm-up is in no total, whenever it ends, but in the rate of its time", () => {
  const recorder = new Recorder(["only"], 1_000);
  const collector = new Collector();
  recorder.begin(0);
  recorder.endsAt = 2_000;
  const gauges = { connections: 1, inFlight: 0, users: 0 };
  const tell = (atS: number) => {
    for (const tick of recorder.ticks(atS, gauges)) collector.add(0, tick);
  };
  const warm = recorder.book(999);
  warm.planned++;
  // Due after the warm-up, begun before its tick: timers are late by a little.
  const first = recorder.book(1_001);
  first.planned++;
  tell(1.002);
  recorder.ended(answered(999, 800), warm);
  recorder.ended(answered(1_001, 5), first);
  const last = recorder.book(1_990);
  last.planned++;
  tell(2.001);
  recorder.ended(answered(1_990, 300), last);
  tell(2.29);
  expect(collector.counts).toMatchObject({ planned: 2, done: 2 });
  expect(collector.latencies().response).toMatchObject({ count: 2, maxMs: 300 });
  // In time: the one of the warm-up and the first; the last was worked off afterwards.
  expect(collector.passedInTime).toBe(2);
  expect(collector.series().map(({ warmup, done, planned }) => ({ warmup, done, planned }))).toEqual([
    { warmup: true, done: 0, planned: 1 },
    { warmup: false, done: 3, planned: 2 },
  ]);
  expect(collector.series()[1]!.spanS).toBeCloseTo(1.288);
});

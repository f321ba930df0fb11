import { expect, test } from "bun:test";
import { Collector } from "./collect.ts";
import type { Tick } from "./messages.ts";
import { Random } from "./random.ts";
import { Recorder } from "./recorder.ts";

/** Ticks of a process that answered `values` (in ms) in each second. */
function ticks(seconds: readonly (readonly number[])[], warmup = 0): Tick[] {
  const recorder = new Recorder(["only"]);
  return seconds.map((values, index) => {
    for (const ms of values) {
      recorder.planned++;
      recorder.started++;
      recorder.ended({
        name: "only",
        intendedAt: 0,
        sentAt: 0,
        firstByteAt: 0,
        endedAt: ms,
        status: 200,
        failure: null,
      });
    }
    return recorder.tick(index + 1, index < warmup, { connections: 2, inFlight: index, users: 0 });
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

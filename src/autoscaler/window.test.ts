import { describe, expect, test } from "bun:test";
import { seededRandom } from "./simulate/random.ts";
import {
  average,
  coverage,
  currentMax,
  emptyMaxWindow,
  emptyWindow,
  type MaxWindow,
  record,
  recordMax,
  type TimeWindow,
} from "./window.ts";

/** [second, value] pairs. */
function filled(spanMs: number, samples: readonly (readonly [number, number])[]): TimeWindow {
  return samples.reduce((window, [at, value]) => record(window, at * 1_000, value), emptyWindow(spanMs));
}

describe("the average", () => {
  test("of nothing is none", () => {
    expect(average(emptyWindow(60_000), 0)).toBeNull();
    expect(coverage(emptyWindow(60_000), 0)).toBe(0);
  });

  test("samples of one second are one", () => {
    const window = filled(60_000, [
      [1, 10],
      [1.2, 20],
      [1.9, 30],
      [2, 40],
    ]);
    expect(average(window, 2_000)).toBe(30);
  });

  // biome-ignore-start format: a table
  const table: readonly (readonly [string, (readonly [number, number])[], number, number, number])[] = [
    // name, samples (second, value), asked at, average, seconds under it
    ["a young window is divided by its age", [[0, 60]], 0, 60, 1],
    [
      "gaps are zeros",
      [
        [0, 60],
        [2, 60],
      ],
      2,
      40,
      3,
    ],
    [
      "silence at the end is not",
      [
        [0, 60],
        [1, 60],
      ],
      9,
      60,
      2,
    ],
    [
      "what is too old does not count",
      [
        [0, 60],
        [5, 30],
        [11, 30],
      ],
      11,
      6,
      10,
    ],
    [
      "nor does it when nothing new came",
      [
        [0, 90],
        [5, 30],
      ],
      12,
      10,
      3,
    ],
  ]; // biome-ignore-end format: a table
  test.each(table)("%s", (_, samples, at, expected, seconds) => {
    const window = filled(10_000, samples);
    expect([average(window, at * 1_000), coverage(window, at * 1_000)]).toEqual([expected, seconds * 1_000]);
  });

  test("silence as long as the window is no data, and makes the window young", () => {
    const window = filled(10_000, [[0, 60]]);
    expect(average(window, 9_999)).toBe(60);
    expect(average(window, 10_000)).toBeNull();
    const again = record(window, 10_000, 30);
    expect([average(again, 10_000), coverage(again, 10_000)]).toEqual([30, 1_000]);
  });

  test("a clock that goes back changes no earlier bucket", () => {
    const window = filled(10_000, [
      [5, 10],
      [3, 30],
    ]);
    expect(average(window, 5_000)).toBe(20);
  });

  test("is what the samples themselves say, whatever they are", () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const random = seededRandom(seed);
      const length = 1 + Math.floor(random.next() * 20);
      let window = emptyWindow(length * 1_000);
      let now = Math.floor(random.next() * 5_000);
      let samples: { second: number; value: number }[] = [];
      for (let step = 0; step < 60; step += 1) {
        const value = Math.floor(random.next() * 100);
        const second = Math.floor(now / 1_000);
        if (second - (samples.at(-1)?.second ?? second) >= length) samples = [];
        samples.push({ second, value });
        window = record(window, now, value);
        now += Math.floor(random.exponential(step % 10 === 9 ? 8_000 : 600));
        expect([seed, step, average(window, now)]).toEqual([seed, step, byHand(samples, now, length)]);
        expect(window.buckets.length).toBeLessThanOrEqual(length);
      }
    }
  });
});

/** The definition, without any cleverness. */
function byHand(
  samples: readonly { second: number; value: number }[],
  now: number,
  length: number,
): number | null {
  const current = Math.floor(now / 1_000);
  const last = samples.at(-1)!.second;
  if (current - last >= length) return null;
  const oldest = Math.max(samples[0]!.second, current - length + 1);
  let sum = 0;
  for (let second = oldest; second <= last; second += 1) {
    const own = samples.filter((sample) => sample.second === second);
    if (own.length > 0) sum += own.reduce((total, { value }) => total + value, 0) / own.length;
  }
  return sum / (last - oldest + 1);
}

describe("the largest", () => {
  const steps = (values: readonly (readonly [number, number])[]): MaxWindow =>
    values.reduce(
      (window, [at, value]) => recordMax(window, at * 1_000, value),
      emptyMaxWindow(10_000, 2_000),
    );

  test("of nothing is none", () => {
    expect(currentMax(emptyMaxWindow(10_000, 2_000), 0)).toBeNull();
  });

  test("leaves when its time is over, then the next largest counts", () => {
    const window = steps([
      [0, 5],
      [2, 3],
      [4, 4],
      [6, 1],
    ]);
    const seen = [6, 9.9, 10, 13.9, 14, 15.9, 16].map((at) => currentMax(window, at * 1_000));
    expect(seen).toEqual([5, 5, 4, 4, 1, 1, null]);
  });

  test("of one step is one", () => {
    expect(currentMax(steps([[0, 5], [1, 2]]), 1_000)).toBe(5); // biome-ignore format: a table
    expect(currentMax(steps([[0, 2], [1, 5]]), 1_000)).toBe(5); // biome-ignore format: a table
    expect(steps([[0, 5], [1, 2]]).maxima).toHaveLength(1); // biome-ignore format: a table
  });

  test("is what the values themselves say, and never keeps more than the window's steps", () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const random = seededRandom(seed);
      const values: { at: number; value: number }[] = [];
      let window = emptyMaxWindow(20_000, 2_000);
      for (let now = 0; now < 200_000; now += Math.ceil(random.exponential(1_500))) {
        const value = Math.floor(random.next() * 10);
        values.push({ at: now, value });
        window = recordMax(window, now, value);
        const counting = values.filter(({ at }) => Math.floor(now / 2_000) - Math.floor(at / 2_000) < 10);
        expect(currentMax(window, now)).toBe(Math.max(...counting.map((each) => each.value)));
        expect(window.maxima.length).toBeLessThanOrEqual(10);
      }
    }
  });
});

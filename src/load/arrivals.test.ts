import { describe, expect, test } from "bun:test";
import { Arrivals, constantRate, dueBy, type Stage } from "./arrivals.ts";
import { Random } from "./random.ts";

function all(stages: readonly Stage[], of = 1, random?: (index: number) => Random): number[] {
  const moments: number[] = [];
  for (let index = 0; index < of; index++) {
    const arrivals = new Arrivals(stages, { index, of }, random?.(index) ?? null);
    for (let at = arrivals.take(); at !== Number.POSITIVE_INFINITY; at = arrivals.take()) moments.push(at);
    expect(arrivals.take()).toBe(Number.POSITIVE_INFINITY);
  }
  return moments.toSorted((a, b) => a - b);
}

const ramp: readonly Stage[] = [
  { atMs: 0, rate: 0 },
  { atMs: 30_000, rate: 5_000 },
  { atMs: 60_000, rate: 5_000 },
  { atMs: 70_000, rate: 0 },
];

test("a constant rate has equal gaps and begins at once", () => {
  const moments = all(constantRate(250, 2_000));
  expect(moments).toHaveLength(500);
  for (const [n, at] of moments.entries()) expect(at).toBeCloseTo(n * 4, 6);
});

test("several processes together make the same arrivals as one", () => {
  const one = all(ramp);
  const three = all(ramp, 3);
  expect(three).toHaveLength(one.length);
  for (const [n, at] of three.entries()) expect(at).toBeCloseTo(one[n]!, 5);
});

test("a ramp has as many arrivals by any moment as the area under it", () => {
  const moments = all(ramp);
  expect(moments).toHaveLength(dueBy(ramp, 70_000));
  for (let at = 500; at <= 70_000; at += 500) {
    const by = moments.filter((moment) => moment < at).length;
    expect(Math.abs(by - dueBy(ramp, at))).toBeLessThanOrEqual(1);
  }
});

test("a step, and a pause in the middle", () => {
  const steps: readonly Stage[] = [
    { atMs: 0, rate: 100 },
    { atMs: 1_000, rate: 100 },
    { atMs: 1_000, rate: 0 },
    { atMs: 2_000, rate: 0 },
    { atMs: 2_000, rate: 300 },
    { atMs: 3_000, rate: 300 },
  ];
  const moments = all(steps);
  expect(moments.filter((at) => at < 1_000)).toHaveLength(100);
  expect(moments.filter((at) => at >= 1_000 && at < 2_000)).toHaveLength(0);
  expect(moments.filter((at) => at >= 2_000)).toHaveLength(300);
});

describe("poisson", () => {
  const random = (index: number) => new Random(100 + index);

  test("has the planned number, and gaps as far apart as they are long", () => {
    for (const of of [1, 4]) {
      const moments = all(constantRate(1_000, 60_000), of, random);
      expect(Math.abs(moments.length - 60_000)).toBeLessThan(4 * Math.sqrt(60_000));
      const gaps = moments.slice(1).map((at, n) => at - moments[n]!);
      const mean = gaps.reduce((a, b) => a + b, 0) / gaps.length;
      const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
      expect(deviation / mean).toBeGreaterThan(0.97);
      expect(deviation / mean).toBeLessThan(1.03);
    }
  });

  test("follows a ramp", () => {
    const moments = all(ramp, 2, random);
    for (const at of [10_000, 30_000, 60_000]) {
      const due = dueBy(ramp, at);
      expect(Math.abs(moments.filter((moment) => moment < at).length - due)).toBeLessThan(4 * Math.sqrt(due));
    }
  });

  test("the same seed, the same arrivals", () => {
    expect(all(ramp, 1, random)).toEqual(all(ramp, 1, random));
  });
});

test("no rate, no arrivals", () => {
  expect(all(constantRate(0, 1_000))).toEqual([]);
});

import { describe, expect, test } from "bun:test";
import { fitted, labels, linear, logarithmic, percentiles, roundStep, type Scale, time } from "./scale.ts";

/** What a tick says must be where its value lies. */
function honest(scale: Scale, meant: (label: string) => number): void {
  for (const tick of scale.ticks)
    if (tick.label !== "") expect(tick.at).toBeCloseTo(scale.position(meant(tick.label)), 6);
}

const ms = (label: string) => {
  const [number = "", unit] = label.replaceAll(",", "").split(" ");
  return Number(number) * (unit === "µs" ? 0.001 : unit === "s" ? 1_000 : 1);
};

describe("linear", () => {
  test.each([
    [500, 600, ["0", "200", "400", "600"]],
    [1, 1, ["0", "0.5", "1"]],
    [3_000, 3_000, ["0", "1,000", "2,000", "3,000"]],
    [0.0003, 0.0003, ["0", "0.0001", "0.0002", "0.0003"]],
    [0, 1, ["0", "0.5", "1"]],
  ])("to %p: ends at %p", (largest, to, words) => {
    const scale = linear(largest, labels.number);
    expect(scale.to).toBeCloseTo(to, 9);
    expect(scale.ticks.map((tick) => tick.label)).toEqual(words);
  });

  test("ticks lie where they say, and nothing lies above the last", () => {
    for (const largest of [0.07, 3, 9.99, 47, 101, 8_765, 1_234_567]) {
      const scale = linear(largest, String);
      honest(scale, Number);
      expect(scale.to).toBeGreaterThanOrEqual(largest);
      expect(scale.to).toBeLessThan(largest * 2);
      expect(scale.ticks.length).toBeGreaterThanOrEqual(3);
      expect(scale.ticks.length).toBeLessThanOrEqual(6);
      expect(scale.position(largest / 2)).toBeCloseTo(largest / 2 / scale.to, 9);
    }
  });
});

describe("logarithmic", () => {
  test("a decade is as far everywhere", () => {
    const scale = logarithmic(1, 1_000, labels.ms);
    expect([1, 10, 100, 1_000].map(scale.position)).toEqual(
      [0, 1 / 3, 2 / 3, 1].map((at) => expect.closeTo(at, 9)),
    );
    honest(scale, ms);
    expect(scale.ticks.filter((tick) => tick.label !== "").map((tick) => tick.label)).toEqual([
      "1 ms",
      "10 ms",
      "100 ms",
      "1 s",
    ]);
  });

  test("holds all values whatever they are, with words on few decades and many", () => {
    for (const [low, high] of [
      [0.3, 4_000],
      [0.004, 0.5],
      [7, 7.1],
      [2, 2],
      [0.001, 3_600_000],
    ] as const) {
      const scale = logarithmic(low, high, labels.ms);
      expect(scale.from).toBeLessThanOrEqual(low);
      expect(scale.to).toBeGreaterThanOrEqual(high);
      honest(scale, ms);
      expect(scale.ticks.filter((tick) => tick.label !== "").length).toBeGreaterThanOrEqual(2);
    }
  });

  test("nothing and less lie at the foot, no number nowhere", () => {
    const scale = logarithmic(1, 10, labels.ms);
    expect([scale.position(0), scale.position(-1), scale.position(Number.NaN)]).toEqual([0, 0, Number.NaN]);
  });

  test("is taken from two decades on", () => {
    expect(fitted([0, 1, 99], labels.ms).kind).toBe("linear");
    expect(fitted([0, 1, 101], labels.ms).kind).toBe("log");
    expect(fitted([], labels.ms).kind).toBe("linear");
    expect(fitted([Number.NaN, 5], labels.ms).to).toBe(6);
  });
});

describe("time", () => {
  test.each([
    [65, ["0", "10 s", "20 s", "30 s", "40 s", "50 s", "60 s"]],
    [180, ["0", "0:30", "1:00", "1:30", "2:00", "2:30", "3:00"]],
    [3_660, ["0", "10 min", "20 min", "30 min", "40 min", "50 min", "60 min"]],
    [36_000, ["0", "2 h", "4 h", "6 h", "8 h", "10 h"]],
    [4, ["0", "1 s", "2 s", "3 s", "4 s"]],
  ])("%p s", (to, words) => {
    expect(time(to).ticks.map((tick) => tick.label)).toEqual(words);
  });

  test("has few ticks however long", () => {
    for (const to of [0.4, 1, 7, 61, 3_601, 90_000, 1e6]) {
      const { ticks } = time(to);
      expect(ticks.length).toBeLessThanOrEqual(10);
      expect(ticks.length).toBeGreaterThanOrEqual(2);
    }
  });
});

test("percentiles: every nine is as far", () => {
  const scale = percentiles(100_000);
  expect([0, 0.9, 0.99, 0.999, 0.9999, 0.99999].map(scale.position)).toEqual(
    [0, 0.2, 0.4, 0.6, 0.8, 1].map((at) => expect.closeTo(at, 6)),
  );
  expect(scale.ticks.map((tick) => tick.label)).toEqual([
    "0 %",
    "50 %",
    "90 %",
    "99 %",
    "99.9 %",
    "99.99 %",
    "99.999 %",
  ]);
  honest(scale, (label) => Number.parseFloat(label) / 100);
});

test("steps are 1, 2 or 5", () => {
  expect([0.9, 1, 1.1, 2.4, 5, 5.1, 37].map(roundStep)).toEqual([1, 1, 2, 5, 5, 10, 50]);
});

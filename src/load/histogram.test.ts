import { describe, expect, test } from "bun:test";
import { HIGHEST_US, Histogram } from "./histogram.ts";
import { Random } from "./random.ts";

function of(values: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

/** The exact percentile of sorted values, by the same rule (nearest rank). */
function exact(sorted: readonly number[], percent: number): number {
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)]!;
}

describe("precision", () => {
  const random = new Random(7);
  const distributions: Readonly<Record<string, () => number>> = {
    uniform: () => random.next() * 1_000_000,
    exponential: () => -Math.log(1 - random.next()) * 20_000,
    lognormal: () => Math.exp(8 + 1.5 * random.normal()),
    "two humps": () =>
      random.next() < 0.9 ? 900 + random.next() * 300 : 2_000_000 + random.next() * 100_000,
    hours: () => random.next() * HIGHEST_US,
  };
  for (const [name, draw] of Object.entries(distributions)) {
    test(`${name}: every percentile within a thousandth`, () => {
      const values = Array.from({ length: 50_000 }, () => Math.floor(draw()));
      const histogram = of(values);
      const sorted = values.toSorted((a, b) => a - b);
      for (const percent of [0, 1, 10, 50, 75, 90, 95, 99, 99.9, 99.99, 100]) {
        const wanted = exact(sorted, percent);
        const error = Math.abs(histogram.percentile(percent) - wanted);
        expect(error, `p${percent}`).toBeLessThanOrEqual(wanted / 1_000);
      }
      expect(histogram.meanUs).toBeCloseTo(values.reduce((a, b) => a + b, 0) / values.length, 3);
      expect([histogram.minUs, histogram.maxUs]).toEqual([sorted[0]!, sorted.at(-1)!]);
    });
  }

  test("every counter is where the neighbours say, over the whole range", () => {
    for (let value = 1; value < HIGHEST_US; value = Math.ceil(value * 1.0037)) {
      const histogram = of([value, HIGHEST_US]);
      const got = histogram.percentile(50);
      expect(Math.abs(got - value)).toBeLessThanOrEqual(value / 1_000);
    }
  });
});

test("no value is lost: below zero counts as zero, beyond an hour as an hour", () => {
  const histogram = of([-5, 0, 2 * HIGHEST_US]);
  expect(histogram.count).toBe(3);
  expect(histogram.percentile(50)).toBe(0);
  expect(histogram.maxUs).toBe(HIGHEST_US);
});

test("merged histograms are the histogram of all values", () => {
  const random = new Random(3);
  const parts = [0, 1, 2].map(() =>
    Array.from({ length: 3_000 }, () => Math.floor(Math.exp(6 + 3 * random.normal()))),
  );
  const merged = new Histogram();
  for (const part of parts) merged.addSummary(of(part).take(false));
  const whole = of(parts.flat());
  expect(merged.toSparse()).toEqual(whole.toSparse());
  expect([merged.meanUs, merged.minUs, merged.maxUs]).toEqual([whole.meanUs, whole.minUs, whole.maxUs]);
});

test("what was taken begins anew", () => {
  const histogram = of([5, 10]);
  expect(histogram.take(true).counts).toEqual([5, 1, 10, 1]);
  expect(histogram.take(true)).toEqual({ counts: [], sumUs: 0, minUs: 0, maxUs: 0 });
  histogram.record(7);
  expect([histogram.minUs, histogram.maxUs, histogram.count]).toEqual([7, 7, 1]);
});

test("an empty histogram says zero", () => {
  const histogram = new Histogram();
  expect([histogram.percentile(99), histogram.meanUs, histogram.minUs, histogram.maxUs]).toEqual([
    0, 0, 0, 0,
  ]);
  expect(Histogram.fromBase64(histogram.toBase64()).count).toBe(0);
});

test("counts above a value", () => {
  const histogram = of([100, 200, 200, 1_500, 90_000]);
  expect(histogram.countAbove(200)).toBe(2);
  expect(histogram.countAbove(0)).toBe(5);
  expect(histogram.countAbove(HIGHEST_US * 2)).toBe(0);
});

describe("text", () => {
  test("comes back", () => {
    const random = new Random(1);
    const before = of(Array.from({ length: 10_000 }, () => Math.exp(9 + 2 * random.normal())));
    const after = Histogram.fromBase64(before.toBase64());
    expect(after.toSparse()).toEqual(before.toSparse());
    expect(after.percentile(99.9) / before.percentile(99.9)).toBeCloseTo(1, 3);
  });

  test("is what HdrHistogram's Python library writes for 1, 1, 2048 and 5000000 (V2, 3 digits, to an hour)", () => {
    // hdrhistogram 0.10.8: HdrHistogram(1, 3600000000, 3), record_value each, encode()
    const theirs = "HISTFAAAACh4nJNpmSzMwMDAyQABzFCaEURcm7yEwf4DVIDltzxT62ZGJgCHDgbs";
    const read = Histogram.fromBase64(theirs);
    expect(read.toSparse()).toEqual(of([1, 1, 2048, 5_000_000]).toSparse());
  });

  for (const [name, bad] of Object.entries({
    empty: "",
    text: "hello",
    "cut short": new Histogram().toBase64().slice(0, 20),
    "other cookie": Buffer.from("00000000000000ff", "hex").toString("base64"),
  })) {
    test(`refuses: ${name}`, () => expect(() => Histogram.fromBase64(bad)).toThrow(RangeError));
  }
});

test("refuses counters that are not there", () => {
  const rest = { sumUs: 0, minUs: 0, maxUs: 0 };
  for (const counts of [[1], [-1, 1], [1e9, 1], [1, -1], [0.5, 1], [Number.NaN, 1]])
    expect(() => new Histogram().addSummary({ counts, ...rest })).toThrow(RangeError);
});

/** Values and the counters they make: python/tests/test_load_histogram.py reads the same file. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Histogram, type HistogramDelta } from "./histogram.ts";

interface Case {
  readonly name: string;
  readonly values: readonly number[];
  readonly delta: HistogramDelta;
}

const cases: readonly Case[] = JSON.parse(
  readFileSync(join(import.meta.dir, "golden/histogram.json"), "utf8"),
);

for (const { name, values, delta } of cases)
  test(`histogram: ${name}`, () => {
    const histogram = new Histogram();
    for (const value of values) histogram.record(value);
    expect(histogram.take(false)).toEqual(delta);
  });

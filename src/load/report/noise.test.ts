import { describe, expect, test } from "bun:test";
import { Random } from "../random.ts";
import { band, blockSize, differences, Seconds, studentQuantile } from "./noise.ts";
import { simulate } from "./testdata.ts";

const run = simulate({ durationS: 40, warmupS: 0, stages: [{ atS: 0, rate: 300 }], seed: 5 });
const done = run.series.map((point) => point.done);
const seconds = new Seconds(run, run.series, [done, run.series.map((_, at) => at)]);

describe("sums over seconds", () => {
  test("all seconds together have the percentiles of the run", () => {
    const sums = seconds.sums([0], run.series.length);
    const { response } = run.latency;
    for (const [share, ms] of [
      [0.5, response.p50Ms],
      [0.9, response.p90Ms],
      [0.95, response.p95Ms],
      [0.99, response.p99Ms],
      [0.999, response.p999Ms],
    ] as const)
      expect(Math.abs(Math.exp(sums.logPercentile(share)) / ms - 1)).toBeLessThan(share > 0.98 ? 0.08 : 0.02);
  });

  test("one second has its own percentiles", () => {
    for (const at of [0, 7, 39]) {
      const { logPercentile } = seconds.sums([at], 1);
      const point = run.series[at]!;
      for (const [share, ms] of [
        [0.5, point.p50Ms],
        [0.95, point.p95Ms],
        [0.99, point.p99Ms],
      ] as const)
        expect(Math.abs(Math.exp(logPercentile(share)) / ms - 1)).toBeLessThan(0.015);
      expect(Math.abs(Math.exp(logPercentile(1)) / point.maxMs - 1)).toBeLessThan(0.02);
    }
  });

  test("a block that reaches beyond the end goes on at the beginning", () => {
    const [, places] = seconds.sums([38], 4).quantities;
    expect(places).toBe(38 + 39 + 0 + 1);
    const [ended] = seconds.sums([3, 3], 2).quantities;
    expect(ended).toBe(2 * (done[3]! + done[4]!));
  });

  test("without requests there is no percentile", () => {
    const idle = run.series.map((point) => ({ ...point, done: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0, maxMs: 0 }));
    expect(new Seconds(run, idle, []).sums([0], 40).logPercentile(0.5)).toBeNaN();
  });
});

describe("noise", () => {
  test("of a mean it is what theory says: the deviation over the root of the number", () => {
    const random = new Random(9);
    const values = run.series.map(() => 10 + random.normal());
    const of = (list: readonly number[]) => new Seconds(run, run.series, [list]);
    const mean = ({ quantities }: { readonly quantities: Float64Array }) =>
      quantities[0]! / (blockSize(40) * 13);
    const [found] = differences({ before: of(values), after: of(values), paired: false }, [mean], {
      random,
      times: 4_000,
    });
    const spread = Math.sqrt(found!.reduce((sum, each) => sum + each ** 2, 0) / found!.length);
    expect(spread / Math.sqrt(2 / 40)).toBeGreaterThan(0.7);
    expect(spread / Math.sqrt(2 / 40)).toBeLessThan(1.3);
  });

  test("drawn at the same moments, what both plans did is no noise", () => {
    const ramp = run.series.map((_, at) => at);
    const of = (list: readonly number[]) => new Seconds(run, run.series, [list]);
    const figure = ({ quantities }: { readonly quantities: Float64Array }) => quantities[0]!;
    const [paired] = differences({ before: of(ramp), after: of(ramp), paired: true }, [figure], {
      random: new Random(1),
      times: 50,
    });
    expect(Math.max(...paired!.map(Math.abs))).toBe(0);
    const [apart] = differences({ before: of(ramp), after: of(ramp), paired: false }, [figure], {
      random: new Random(1),
      times: 50,
    });
    expect(Math.max(...apart!.map(Math.abs))).toBeGreaterThan(50);
  });

  test("the same seed gives the same draws", () => {
    const draw = (seed: number) =>
      differences({ before: seconds, after: seconds, paired: false }, [(sums) => sums.logPercentile(0.9)], {
        random: new Random(seed),
        times: 20,
      });
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });

  test("a band is the quantile of the spread, or the outermost draws where these lie farther", () => {
    const random = new Random(3);
    const normal = Float64Array.from({ length: 20_000 }, () => random.normal());
    expect(band(normal, 3)).toBeCloseTo(3, 1);
    const jumps = Float64Array.from({ length: 1_000 }, (_, at) => (at < 20 ? 10 : 0));
    expect(band(jumps, 3)).toBe(10);
    expect(band(Float64Array.from([Number.NaN, Number.NaN, 1]), 3)).toBe(Number.POSITIVE_INFINITY);
  });

  test("Student's quantiles are those of the tables", () => {
    expect(studentQuantile(1.96, 10)).toBeCloseTo(2.228, 2);
    expect(studentQuantile(1.96, 30)).toBeCloseTo(2.042, 2);
    expect(studentQuantile(2.576, 20)).toBeCloseTo(2.845, 2);
  });
});

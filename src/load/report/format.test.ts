import { describe, expect, test } from "bun:test";
import { change, count, digitsFor, duration, fixed, share, short, size, span } from "./format.ts";

describe("numbers for people", () => {
  test("three digits, thousands apart", () => {
    expect([0, 0.04217, 1.234, 12.34, 99.96, 123.4, 1234.5, 1234567].map(short)).toEqual([
      "0",
      "0.042",
      "1.23",
      "12.3",
      "100",
      "123",
      "1,235",
      "1,234,567",
    ]);
    expect([fixed(-1234.56, 1), fixed(-0.04, 1), fixed(1e6, 2), count(999.6)]).toEqual([
      "−1,234.6",
      "0.0",
      "1,000,000.00",
      "1,000",
    ]);
  });

  test("durations carry into the next unit, never `1,000 µs` or `1,000 ms`", () => {
    expect(
      [0, 0.0123, 0.85, 0.9996, 1, 12.34, 999.4, 999.6, 1_020, 119_900, 119_960, 125_000].map(duration),
    ).toEqual([
      "0 ms",
      "12.3 µs",
      "850 µs",
      "1 ms",
      "1 ms",
      "12.3 ms",
      "999 ms",
      "1 s",
      "1.02 s",
      "120 s",
      "2 min",
      "2 min 5 s",
    ]);
    expect([0.5, 30, 90, 150, 3_600, 7_500].map(span)).toEqual([
      "0.5 s",
      "30 s",
      "90 s",
      "2 min 30 s",
      "1 h",
      "2 h 5 min",
    ]);
  });

  test("a share is 0 % only when it is nothing and 100 % only when it is all", () => {
    expect([0, 1e-9, 0.000123, 0.125, 0.99979, 0.9999999, 1].map(share)).toEqual([
      "0 %",
      "< 0.001 %",
      "0.012 %",
      "12.5 %",
      "99.979 %",
      "> 99.999 %",
      "100 %",
    ]);
  });

  test("changes", () => {
    expect([1, 1.125, 0.969, 2.4, 14, Number.POSITIVE_INFINITY, 0].map(change)).toEqual([
      "±0 %",
      "+12.5 %",
      "−3.1 %",
      "+140.0 %",
      "×14",
      "new",
      "−100.0 %",
    ]);
  });

  test("sizes, and the digits of a column", () => {
    expect([0, 812, 1_536, 1_023.6 * 1_024, 42 * 2 ** 20].map(size)).toEqual([
      "0 B",
      "812 B",
      "1.5 KiB",
      "1 MiB",
      "42 MiB",
    ]);
    expect([digitsFor([0, 0.05, 900]), digitsFor([12, 900]), digitsFor([1_200]), digitsFor([])]).toEqual([
      2, 1, 0, 0,
    ]);
  });
});

import { expect, test } from "bun:test";
import {
  parseCores,
  parseDuration,
  parseSize,
  showAmount,
  showDuration,
  showSize,
  writeDuration,
  writeSize,
} from "./units.ts";

test("durations are read with their unit, bare numbers as seconds", () => {
  const cases: [string, number | null][] = [
    ["500ms", 500],
    ["30s", 30_000],
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["2d", 172_800_000],
    ["1.5s", 1_500],
    ["30", 30_000],
    ["0.25", 250],
    ["0", 0],
    [" 7s ", 7_000],
    ["", null],
    ["-1s", null],
    ["5 minutes", null],
    ["s", null],
    ["1e3", null],
    ["9".repeat(30), null],
    // As Go writes them.
    [".5s", 500],
    ["1.s", 1_000],
    ["+5s", 5_000],
    ["+1h.5m", 3_630_000],
    ["500us", 1],
    ["1500\u00b5s", 2],
    ["1500\u03bcs", 2],
    ["2000000ns", 2],
    [".s", null],
    ["+", null],
    ["++1s", null],
    ["1s+1s", null],
    // 0 would mean that there is no limit.
    ["0.0001s", null],
    ["0.4ms", null],
    ["1ns", null],
    ["0ns", 0],
  ];
  for (const [text, ms] of cases) expect([text, parseDuration(text)]).toEqual([text, ms]);
});

test("sizes are read in powers of 1000 and, with an i, of 1024", () => {
  const cases: [string, number | null][] = [
    ["0", 0],
    ["512", 512],
    ["16KiB", 16_384],
    ["256Mi", 268_435_456],
    ["1GiB", 1_073_741_824],
    ["1GB", 1_000_000_000],
    ["1.5k", 1_500],
    ["64 kib", 65_536],
    ["100b", 100],
    ["", null],
    ["GiB", null],
    ["-1", null],
    ["1XB", null],
    ["9999999999TiB", null],
    // As Kubernetes writes them.
    ["1e9", 1e9],
    ["129e6", 129e6],
    ["1E3", 1_000],
    ["12e-1", 1],
    ["1E", 1e18],
    ["1Ei", 2 ** 60],
    ["1Pi", 2 ** 50],
    ["1P", 1e15],
    [".5Gi", 2 ** 29],
    ["+1Gi", 2 ** 30],
    ["1.Ki", 1_024],
    ["256m", null],
    ["256mb", 256e6],
    ["256mi", 2 ** 28],
    ["1e", null],
    ["1e3Ki", null],
    ["1e999", null],
    ["8Ei", null],
    // 0 would mean that there is no limit.
    ["0.1", null],
    ["1e-3", null],
    ["0Mi", 0],
  ];
  for (const [text, bytes] of cases) expect([text, parseSize(text)]).toEqual([text, bytes]);
});

test("cores are read to a thousandth", () => {
  const cases: [string, number | null][] = [
    ["2", 2],
    ["2.0000", 2],
    ["0.5", 0.5],
    [".5", 0.5],
    ["+.5", 0.5],
    ["500m", 0.5],
    ["1.5m", 0.002],
    ["250000u", 0.25],
    ["250000000n", 0.25],
    ["1e-1", 0.1],
    ["0.33333", 0.333],
    ["0", 0],
    ["1n", null],
    ["1k", null],
    ["", null],
    ["-1", null],
  ];
  for (const [text, amount] of cases) expect([text, parseCores(text)]).toEqual([text, amount]);
});

test("what is written is read back exactly", () => {
  for (const ms of [0, 1, 999, 1_000, 1_500, 30_000, 90_000, 300_000, 3_661_001, 86_400_000]) {
    expect(parseDuration(writeDuration(ms))).toBe(ms);
  }
  for (const bytes of [0, 1, 1_000, 1_024, 1_500, 16_384, 2 ** 30, 2 ** 30 + 1, 2 ** 60, 1e18]) {
    expect(parseSize(writeSize(bytes))).toBe(bytes);
  }
  expect(writeDuration(300_000)).toBe("5m");
  expect(writeDuration(75_000)).toBe("75s");
  expect(writeSize(2 ** 30)).toBe("1GiB");
});

test("durations are shown in about three digits", () => {
  expect(
    [
      0, 0.05, 0.9999, 12.34, 99.97, 850.4, 999.6, 4_500, 59_960, 200_000, 3_600_000, 7_500_000, 273_600_000,
    ].map(showDuration),
  ).toEqual([
    "0µs",
    "50µs",
    "1ms",
    "12.3ms",
    "100ms",
    "850ms",
    "1s",
    "4.5s",
    "1m",
    "3m20s",
    "1h",
    "2h5m",
    "3d4h",
  ]);
});

test("sizes are shown in about three digits", () => {
  expect([0, 812, 1_536, 102_400, 1_048_000, 32_715_571, 2 ** 40, 2 ** 51].map(showSize)).toEqual([
    "0B",
    "812B",
    "1.5KiB",
    "100KiB",
    "1023KiB",
    "31.2MiB",
    "1TiB",
    "2048TiB",
  ]);
});

test("an amount that is not nothing is not shown as nothing", () => {
  expect([0, 1e-9, 0.0099, 0.01, 0.014, 0.5, 3, 99.999].map(showAmount)).toEqual([
    "0",
    "<0.01",
    "<0.01",
    "0.01",
    "0.01",
    "0.5",
    "3",
    "100",
  ]);
});

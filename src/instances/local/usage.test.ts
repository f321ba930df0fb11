import { describe, expect, test } from "bun:test";
import { cpuTicks, measure, parsePs } from "./usage.ts";

describe("CPU time of /proc/PID/stat", () => {
  const tail = "S 1 2 3 4 5 6 7 8 9 10 120 34 0 0 20";
  test("is user and system time", () => expect(cpuTicks(`42 (python3) ${tail}`)).toBe(154));
  test("whatever the command is called", () => expect(cpuTicks(`42 (a) b) (c) ${tail}`)).toBe(154));
  test("is 0 when there is nothing to read", () => expect(cpuTicks("")).toBe(0));
});

describe("ps", () => {
  const rows: readonly (readonly [text: string, memoryBytes: number, cpuMs: number])[] = [
    ["  1024   0:01.50\n", 1_048_576, 1500],
    ["  2048 01:02:03\n", 2_097_152, 3_723_000],
    ["  2048 2-01:00:00\n", 2_097_152, 176_400_000],
    ["", 0, 0],
  ];
  for (const [text, memoryBytes, cpuMs] of rows) {
    test(JSON.stringify(text), () => expect(parsePs(text)).toEqual({ memoryBytes, cpuMs }));
  }
});

test("this process has memory and CPU time, one that is not there has none", async () => {
  const usage = await measure(process.pid);
  expect(usage.memoryBytes).toBeGreaterThan(1_000_000);
  expect(usage.cpuMs).toBeGreaterThan(0);
  expect(await measure(2 ** 22 + 1)).toEqual({ memoryBytes: 0, cpuMs: 0 });
});

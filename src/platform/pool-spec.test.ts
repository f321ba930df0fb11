import { describe, expect, test } from "bun:test";
import { fullAt, patienceMs } from "./pool-spec.ts";

describe("an instance is replaced at", () => {
  const rows: readonly (readonly [memory: number, maxInstanceMemory: number, at: number])[] = [
    [0, 0, 0],
    [1000, 0, 900],
    [0, 700, 700],
    [1000, 700, 700],
    [1000, 5000, 900],
  ];
  for (const [memory, maxInstanceMemory, at] of rows) {
    test(`${at} with memory ${memory} and a most of ${maxInstanceMemory}`, () => {
      expect(fullAt({ memory, maxInstanceMemory })).toBe(at);
    });
  }
});

describe("an instance that leaves waits for", () => {
  const rows: readonly (readonly [timeoutMs: number, drainTimeoutMs: number, ms: number])[] = [
    [300_000, 30_000, 310_000],
    [1_000, 30_000, 30_000],
    [0, 30_000, Number.POSITIVE_INFINITY],
  ];
  for (const [timeoutMs, drainTimeoutMs, ms] of rows) {
    test(`${ms} ms with a timeout of ${timeoutMs} and a drain time of ${drainTimeoutMs}`, () => {
      expect(patienceMs({ timeoutMs, timeoutGraceMs: 10_000, drainTimeoutMs })).toBe(ms);
    });
  }
});

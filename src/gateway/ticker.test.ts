import { expect, test } from "bun:test";
import { Ticker, tickInterval } from "./ticker.ts";

test("ticks its members while they are there", async () => {
  const ticker = new Ticker(5);
  const before = ticker.now;
  const ticks = await new Promise<number[]>((resolve) => {
    const seen: number[] = [];
    const member = {
      tick(now: number): void {
        seen.push(now);
        if (seen.length < 3) return;
        ticker.leave(member);
        resolve(seen);
      },
    };
    ticker.join(member);
  });
  expect(ticks.every((now, i) => now > (ticks[i - 1] ?? before))).toBe(true);
  expect(ticker.now).toBe(ticks[2]!);
});

test("the interval follows the shortest limit; 0 is no limit", () => {
  expect(tickInterval([10_000, 0, 60_000])).toBe(500);
  expect(tickInterval([10_000, 1000])).toBe(250);
  expect(tickInterval([0, 0])).toBe(500);
  expect(tickInterval([1])).toBe(10);
});

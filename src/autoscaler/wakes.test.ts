import { expect, test } from "bun:test";
import { WAKE_BOUNDS_S, Wakes } from "./wakes.ts";

test("counts from the first request that waited, once a wake", () => {
  const wakes = new Wakes();
  wakes.ready(5);
  expect(wakes.total).toBe(0);
  wakes.waited(100);
  wakes.waited(110);
  wakes.ready(120);
  wakes.ready(121);
  expect([wakes.total, wakes.sumS]).toEqual([1, 0.02]);
  expect(wakes.counts[WAKE_BOUNDS_S.indexOf(0.025)]).toBe(1);
  wakes.waited(0);
  wakes.ready(3_600_000);
  expect(wakes.counts.at(-1)).toBe(1);
});

import { expect, test } from "bun:test";
import { nextStep, type Tried } from "./find-max.ts";

/** Searches against a service that keeps its promise up to `capacity`. */
function search(capacity: number, first = 50): { found: number; steps: number } {
  const tried: Tried[] = [];
  for (;;) {
    const next = nextStep(first, tried);
    if ("found" in next) return { found: next.found, steps: tried.length };
    tried.push({ rate: next.try, ok: next.try <= capacity });
  }
}

test("finds any capacity within a twentieth, below it, in few steps", () => {
  for (const capacity of [1, 3, 17, 49, 50, 51, 99, 100, 1_000, 12_345, 80_000, 500_000]) {
    const { found, steps } = search(capacity);
    expect(found).toBeLessThanOrEqual(capacity);
    expect(Math.max(found * 1.05, found + 1)).toBeGreaterThanOrEqual(capacity * 0.999);
    expect(steps).toBeLessThanOrEqual(24);
  }
});

test("says when nothing keeps it", () => {
  expect(search(0).found).toBe(0);
});

test("ends though the service never breaks it", () => {
  expect(search(Number.POSITIVE_INFINITY).steps).toBe(24);
});

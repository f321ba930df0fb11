import { describe, expect, test } from "bun:test";
import { firstAvailable, leastInFlight, policyFor } from "./policy.ts";

const at = (...inFlight: number[]): { inFlight: number; slots: number }[] =>
  inFlight.map((n) => ({ inFlight: n, slots: 4 }));

describe("least in flight", () => {
  test("picks the one with the fewest requests", () => {
    expect(leastInFlight(at(3, 1, 2), 0)).toBe(1);
    expect(leastInFlight(at(3, 1, 2), 1)).toBe(1);
  });
  test("lets equals take turns", () => {
    expect([0, 1, 2, 3].map((turn) => leastInFlight(at(1, 1, 1), turn))).toEqual([0, 1, 2, 0]);
  });
  test("never picks a full one", () => {
    expect(leastInFlight(at(4, 4), 0)).toBe(-1);
    expect(
      leastInFlight(
        [
          { inFlight: 1, slots: 1 },
          { inFlight: 3, slots: 4 },
        ],
        0,
      ),
    ).toBe(1);
    expect(leastInFlight([], 0)).toBe(-1);
  });
});

describe("first available", () => {
  test("packs: the first with room, whatever the others do", () => {
    expect(firstAvailable(at(3, 0, 0), 7)).toBe(0);
    expect(firstAvailable(at(4, 2, 0), 7)).toBe(1);
    expect(firstAvailable(at(4, 4, 4), 7)).toBe(-1);
  });
});

test("up to three slots are packed", () => {
  expect([1, 3, 4, 80].map(policyFor)).toEqual([
    firstAvailable,
    firstAvailable,
    leastInFlight,
    leastInFlight,
  ]);
});

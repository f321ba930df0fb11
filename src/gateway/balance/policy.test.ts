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

describe("least in flight of many", () => {
  class Counted {
    static looks = 0;
    readonly slots = 80;
    taken = 0;
    get inFlight(): number {
      Counted.looks++;
      return this.taken;
    }
  }
  const many = (): Counted[] => Array.from({ length: 625 }, () => new Counted());
  const place = (all: Counted[], count: number, from = 0): number => {
    for (let turn = from; turn < from + count; turn++) {
      const found = leastInFlight(all, turn);
      if (found === -1) return turn - from;
      all[found]!.taken++;
    }
    return count;
  };

  test("looks at few, and still loads all alike", () => {
    const all = many();
    place(all, 625 * 40);
    Counted.looks = 0;
    place(all, 1000, 625 * 40);
    expect(Counted.looks).toBeLessThanOrEqual(16 * 1000);
    const taken = all.map((each) => each.taken);
    expect(Math.max(...taken) - Math.min(...taken)).toBeLessThanOrEqual(4);
  });
  test("fills every slot before it says that all are full", () => {
    const all = many();
    expect(place(all, 625 * 80 + 1)).toBe(625 * 80);
  });
  test("finds the only one with room, wherever it is", () => {
    const all = many();
    for (const each of all) each.taken = 80;
    for (const at of [0, 311, 624]) {
      all[at]!.taken = 79;
      for (let turn = 0; turn < 50; turn++) expect(leastInFlight(all, turn)).toBe(at);
      all[at]!.taken = 80;
    }
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

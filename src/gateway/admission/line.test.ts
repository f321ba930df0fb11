import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SlotTable } from "../table.ts";
import { Line, type Place, type Waiting } from "./line.ts";
import { DrainRate, retryAfterSeconds } from "./retry-after.ts";

const dir = mkdtempSync(join(tmpdir(), "line-"));
afterAll(() => rmSync(dir, { recursive: true }));

class Request implements Waiting {
  place: Place | null = null;
  readonly gaveUp = Promise.withResolvers<string>();
  constructor(readonly name: string) {}
  waitedTooLong(): void {
    this.gaveUp.resolve(this.name);
  }
}

let table: SlotTable;
let calls: number[];
let served: string[];
let files = 0;

beforeEach(() => {
  table = SlotTable.create(join(dir, `t${files++}`), { rows: 2, columns: 3 });
  calls = [];
  served = [];
});

function line(column: number, more: { depth?: number; waitMs?: number } = {}): Line {
  return new Line({
    table,
    column,
    depth: more.depth ?? 10,
    waitMs: more.waitMs ?? 0,
    call: (other) => void calls.push(other),
  });
}

/** Serves with `slots` slots free. */
function serve(from: Line, slots: number): void {
  from.serve<true>({
    free: () => slots > 0,
    take: () => (slots-- > 0 ? true : null),
    start: (owner) => void served.push((owner as Request).name),
  });
}

describe("the line", () => {
  test("serves first in, first out, as many as there are slots", () => {
    const own = line(0);
    for (const name of ["a", "b", "c"]) expect(own.enter(new Request(name), performance.now())).toBe(true);
    serve(own, 2);
    expect(served).toEqual(["a", "b"]);
    expect([own.length, table.waiting()]).toEqual([1, 1]);
    serve(own, 5);
    expect(served).toEqual(["a", "b", "c"]);
    expect(own.busy).toBe(false);
  });

  test("has one depth for all gateways", () => {
    const own = line(0, { depth: 2 });
    const other = line(1, { depth: 2 });
    expect(own.enter(new Request("a"), 1)).toBe(true);
    expect(other.enter(new Request("b"), 2)).toBe(true);
    expect(own.enter(new Request("c"), 3)).toBe(false);
    expect(own.busy).toBe(true);
  });

  test("calls the gateway whose first request is older, instead of serving its own", () => {
    const own = line(0);
    const other = line(1);
    other.enter(new Request("older"), 100);
    own.enter(new Request("younger"), 200);
    serve(own, 1);
    expect([served, calls]).toEqual([[], [1]]);
    serve(other, 2);
    // One slot for the older; then the oldest is the first gateway's.
    expect([served, calls]).toEqual([["older"], [1, 0]]);
    serve(own, 1);
    expect(served).toEqual(["older", "younger"]);
  });

  test("calls nobody when no slot is free", () => {
    line(1).enter(new Request("older"), 100);
    serve(line(0), 0);
    expect(calls).toEqual([]);
  });

  test("lets anybody leave from anywhere, and nobody twice", () => {
    const own = line(0);
    const requests = ["a", "b", "c", "d"].map((name) => new Request(name));
    for (const request of requests) own.enter(request, performance.now());
    own.leave(requests[1]!);
    own.leave(requests[1]!);
    own.leave(requests[3]!);
    own.leave(requests[0]!);
    expect([own.length, table.waiting()]).toEqual([1, 1]);
    serve(own, 5);
    expect(served).toEqual(["c"]);
  });

  test("takes back at its head, and with its age, whoever lost its slot", () => {
    const own = line(0, { depth: 1 });
    own.enter(new Request("waits"), 200);
    own.reenter(new Request("lost"), 50);
    line(1).enter(new Request("between"), 100);
    serve(own, 1);
    expect(served).toEqual(["lost"]);
  });

  test("gives up those who waited too long, in order, and only those", async () => {
    const own = line(0, { waitMs: 20 });
    const [a, b, c] = ["a", "b", "c"].map((name) => new Request(name)) as [Request, Request, Request];
    for (const request of [a, b, c]) own.enter(request, performance.now());
    own.leave(b);
    expect(await a.gaveUp.promise).toBe("a");
    expect(await c.gaveUp.promise).toBe("c");
    expect([own.length, table.waiting(), b.place]).toEqual([0, 0, null]);
  });

  test("starts nobody twice when starting frees a slot at once", () => {
    const own = line(0);
    for (const name of ["a", "b"]) own.enter(new Request(name), performance.now());
    const desk = {
      free: () => true,
      take: () => true as const,
      start: (owner: Waiting) => {
        served.push((owner as Request).name);
        own.serve(desk);
      },
    };
    own.serve(desk);
    expect(served).toEqual(["a", "b"]);
  });
});

describe("Retry-After", () => {
  test.each([
    [0, 0, 1],
    [10, undefined, 1],
    [10, 0, 120],
    [10, 100, 1],
    [1000, 100, 10],
    [1001, 100, 11],
    [1_000_000, 10, 120],
  ])("%d waiting, %d finished a second: %d s", (waiting, rate, seconds) => {
    expect(retryAfterSeconds(waiting as number, rate as number | undefined)).toBe(seconds);
  });

  test("the rate is measured over the last seconds, and forgets a quiet time", () => {
    const rate = new DrainRate();
    expect(rate.observe(0, 0)).toBeUndefined();
    expect(rate.observe(1, 10)).toBeUndefined();
    expect(rate.observe(100, 1_000)).toBe(100);
    expect(rate.observe(600, 6_000)).toBe(100);
    expect(rate.observe(2_600, 11_000)).toBe(400);
    expect(rate.observe(2_600, 60_000)).toBeUndefined();
    expect(rate.observe(2_650, 61_000)).toBe(50);
  });
});

import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SlotTable } from "../table.ts";
import { Bulkheads, type Limited, type LimitSettings } from "./bulkheads.ts";
import { type Dismissal, Line, type Place } from "./line.ts";

const dir = mkdtempSync(join(tmpdir(), "bulkheads-"));
afterAll(() => rmSync(dir, { recursive: true }));

const LIMITS: LimitSettings[] = [
  { path: "/report", methods: ["POST"], slots: 2 },
  { path: "/report/big", methods: [], slots: 1 },
  { path: "/report", methods: [], slots: 5 },
];
const COLUMNS = 3;

class Request implements Limited {
  place: Place | null = null;
  permit = false;
  why = "";
  constructor(
    readonly name: string,
    public limit = 0,
    readonly rank = 1,
  ) {}
  dismissed(why: Dismissal): void {
    this.why = why;
  }
  remaining(): number {
    return Number.POSITIVE_INFINITY;
  }
}

let table: SlotTable;
let files = 0;
/** Who got on after a wait, in order. */
let onward: string[];
let gateways: Bulkheads[];

beforeEach(() => {
  table = SlotTable.create(join(dir, `t${files++}`), { rows: 2, columns: COLUMNS, limits: LIMITS.length });
  onward = [];
  gateways = Array.from({ length: COLUMNS }, (_, column) => gateway(column));
});

function gateway(column: number, depth = 10, waitMs = 0): Bulkheads {
  const call = (other: number) => gateways[other]!.serve();
  const now = () => performance.now();
  const line = new Line({ table, column, depth, waitMs, call, now, serviceTime: null });
  return new Bulkheads({
    ...{ limits: LIMITS, cells: table.limits, column, depth, line, call, now },
    onward: (request) => {
      onward.push((request as Request).name);
      Line.leave(request);
    },
  });
}

/** Passes or waits. */
function come(at: number, name: string, limit = 0, rank = 1): Request {
  const request = new Request(name, limit, rank);
  if (!gateways[at]!.take(request) && !gateways[at]!.wait(request, performance.now())) request.why = "full";
  return request;
}

test("a request belongs to the longest path, then to the one that names its method", () => {
  const of = (method: string, target: string) => gateways[0]!.of(method, Buffer.from(target));
  expect(of("POST", "/report")).toBe(0);
  expect(of("POST", "/report/1?x=/big")).toBe(0);
  expect(of("GET", "/report")).toBe(2);
  expect(of("POST", "/report/big")).toBe(1);
  expect(of("GET", "/report/big/er")).toBe(1);
  expect(of("POST", "/reports")).toBe(-1);
  expect(of("POST", "/")).toBe(-1);
});

describe("a bulkhead", () => {
  test("holds over all gateways, and the oldest that waits goes on, wherever it waits", () => {
    const [a, b] = [come(0, "a"), come(1, "b")];
    const waiting = [come(2, "c"), come(0, "d"), come(1, "e")];
    expect([a.permit, b.permit, table.limits[0]!.taken()]).toEqual([true, true, 2]);
    expect(waiting.map(({ permit }) => permit)).toEqual([false, false, false]);
    expect([table.waitingAll(), table.waiting(), table.waitingOf(2)]).toEqual([3, 0, 1]);
    gateways[1]!.give(b);
    expect(onward).toEqual(["c"]);
    gateways[0]!.give(a);
    gateways[2]!.give(waiting[0]!);
    expect(onward).toEqual(["c", "d", "e"]);
    expect([table.limits[0]!.taken(), table.waitingAll()]).toEqual([2, 0]);
  });

  test("holds up nobody of another kind", () => {
    for (const name of ["a", "b", "c", "d"]) come(0, name);
    expect(come(0, "other", 2).permit).toBe(true);
    expect(come(1, "single", 1).permit).toBe(true);
  });

  test("lets the higher class go first", () => {
    const first = come(0, "a");
    come(0, "b");
    come(0, "bulk", 0, 2);
    come(1, "default", 0, 1);
    come(2, "critical", 0, 0);
    gateways[0]!.give(first);
    expect(onward).toEqual(["critical"]);
  });

  test("gives a permit once", () => {
    const first = come(0, "a");
    come(0, "b");
    gateways[0]!.give(first);
    gateways[0]!.give(first);
    expect(table.limits[0]!.taken()).toBe(1);
  });

  test("lets as many wait as the line holds, with those in the line", () => {
    gateways[0] = gateway(0, 2);
    for (const name of ["a", "b"]) come(0, name);
    table.enterLine(1, 10);
    expect(come(0, "c").why).toBe("");
    expect(come(0, "d").why).toBe("full");
    // And the line has no place for others either.
    expect(table.enterLine(1, 2)).toBe(false);
  });

  test("lets nobody wait longer than the line does, both waits together", async () => {
    gateways[0] = gateway(0, 10, 20);
    for (const name of ["a", "b"]) come(0, name);
    const late = come(0, "c");
    const until = performance.now() + 10_000;
    while (late.why === "" && performance.now() < until) await Bun.sleep(2);
    expect([late.why, late.place, table.waitingAll()]).toEqual(["waited", null, 0]);
  });
});

test("what waited for a permit goes on with what is left of its wait", () => {
  const call = () => {};
  const now = () => performance.now();
  const line = new Line({ table, column: 0, depth: 1, waitMs: 60_000, call, now, serviceTime: null });
  const bulkheads = new Bulkheads({
    ...{ limits: LIMITS, cells: table.limits, column: 0, depth: 1, line, call, now },
    onward: (request) => line.adopt(request, performance.now()),
  });
  const [a, b] = [new Request("a", 1), new Request("b", 1)];
  expect([bulkheads.take(a), bulkheads.take(b)]).toEqual([true, false]);
  bulkheads.wait(b, performance.now() - 50_000);
  const { dueAt } = b.place!;
  bulkheads.give(a);
  expect([b.permit, line.length, table.waiting(), table.waitingAll()]).toEqual([true, 1, 1, 1]);
  expect([b.place!.dueAt, b.place!.line]).toEqual([dueAt, line]);
  Line.leave(b);
  expect([line.length, table.waitingAll()]).toEqual([0, 0]);
});

describe("after a gateway's death", () => {
  test("those that waited are forgotten at once, its permits once it holds no slot", () => {
    const row = table.openRow(5)!;
    come(0, "a");
    come(1, "b");
    expect(table.take(row, 0)).toBe(true);
    come(0, "c");
    const survivor = come(1, "d");
    // The platform, on its exit.
    table.dropWaiting(0);
    table.reclaimLimits(0);
    expect([table.waitingAll(), table.limits[0]!.taken()]).toEqual([1, 2]);
    gateways[1]!.serve();
    expect(survivor.permit).toBe(false);
    // The instance says that nothing of it runs any more.
    table.reclaim(row, 0);
    table.reclaimLimits(0);
    expect(table.limits[0]!.taken()).toBe(1);
    gateways[1]!.serve();
    expect([survivor.permit, onward]).toEqual([true, ["d"]]);
  });

  test("they come back when its instance is gone instead", () => {
    const row = table.openRow(5)!;
    come(0, "a");
    table.take(row, 0);
    table.freeRow(row);
    table.reclaimLimits(0);
    expect(table.limits[0]!.taken()).toBe(0);
  });

  test("one that died in the middle of a change leaves the right count", () => {
    come(0, "a");
    come(1, "b");
    // Killed after it counted the permit for all, before it noted that it is its own.
    const memory = Bun.mmap(table.path, { shared: true });
    const cells = new Int32Array(memory.buffer, memory.byteOffset);
    const at = table.begunOffset(table.rows) / 4 - 4 - COLUMNS;
    expect(cells[at]).toBe(2);
    cells[at] = 3;
    cells[at + 2 + 4 * COLUMNS] = 1;
    table.reclaimLimits(0);
    expect([table.limits[0]!.taken(), cells[at + 2 + 4 * COLUMNS]]).toEqual([1, 0]);
  });
});

test("many processes never take more permits than there are", async () => {
  const program = `
    const { SlotTable } = await import(${JSON.stringify(join(import.meta.dir, "../table.ts"))});
    const limit = SlotTable.open(process.argv[1]).limits[0];
    const column = Number(process.argv[2]);
    let worst = 0;
    // Until it had its share: one that never comes between the others shows nothing.
    for (let had = 0; had < 20000; ) {
      if (!limit.take(column, 2)) continue;
      had++;
      worst = Math.max(worst, limit.taken());
      limit.give(column);
    }
    console.log(worst);
  `;
  const outputs = await Promise.all(
    [0, 1, 2].map(async (column) => {
      const child = Bun.spawn([process.execPath, "-e", program, table.path, String(column)]);
      const text = await new Response(child.stdout).text();
      await child.exited;
      return Number(text);
    }),
  );
  for (const worst of outputs) expect(worst).toBeWithin(1, 3);
  expect(table.limits[0]!.taken()).toBe(0);
});

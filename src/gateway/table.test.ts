import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SlotTable } from "./table.ts";

const dir = mkdtempSync(join(tmpdir(), "table-"));
afterAll(() => rmSync(dir, { recursive: true }));

let files = 0;
function create(size = { rows: 8, columns: 4 }): SlotTable {
  return SlotTable.create(join(dir, `t${files++}`), size);
}

describe("slots", () => {
  test("are given out up to the limit, over all columns, and come back", () => {
    const table = create();
    const row = table.openRow(3)!;
    expect([table.take(row, 0), table.take(row, 1), table.take(row, 0), table.take(row, 2)]).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(table.inFlight(row)).toBe(3);
    expect([table.held(row, 0), table.held(row, 1), table.held(row, 2)]).toEqual([2, 1, 0]);
    table.give(row, 1);
    expect(table.take(row, 2)).toBe(true);
    expect(table.inFlight(row)).toBe(3);
  });

  test("of a closed row are not given out; those held stay", () => {
    const table = create();
    const row = table.openRow(3)!;
    table.take(row, 0);
    table.closeRow(row);
    expect(table.take(row, 0)).toBe(false);
    expect(table.inFlight(row)).toBe(1);
    expect(table.isOpen(row)).toBe(false);
  });

  test("may all be on some of the rows for a while; those held elsewhere stay", () => {
    const table = create();
    const rows = [table.openRow(3)!, table.openRow(3)!, table.openRow(3)!];
    table.take(rows[2]!, 0);
    table.closeRow(rows[0]!);
    expect(table.openRows()).toEqual(rows.slice(1));
    table.setLimits(5, 1);
    expect(rows.map((row) => table.limit(row))).toEqual([3, 5, 0]);
    expect([table.take(rows[2]!, 0), table.inFlight(rows[2]!)]).toEqual([false, 1]);
    table.setLimits(4);
    expect(rows.map((row) => table.limit(row))).toEqual([3, 4, 4]);
  });

  test("another view of the file sees the same", () => {
    const table = create();
    const row = table.openRow(2)!;
    const other = SlotTable.open(table.path);
    expect(other.take(row, 1)).toBe(true);
    expect(table.inFlight(row)).toBe(1);
    expect(other.limit(row)).toBe(2);
  });

  test("never exceed the limit when processes compete for them", async () => {
    const table = create();
    const row = table.openRow(3)!;
    const program = `
      const { SlotTable } = await import(${JSON.stringify(join(import.meta.dir, "table.ts"))});
      const table = SlotTable.open(process.argv[1]);
      const column = Number(process.argv[2]);
      let worst = 0, got = 0;
      for (let i = 0; i < 200_000; i++) {
        if (!table.take(${row}, column)) continue;
        got++;
        worst = Math.max(worst, table.inFlight(${row}));
        table.give(${row}, column);
      }
      console.log(JSON.stringify({ worst, got }));`;
    const runs = [0, 1, 2, 3].map(async (column) => {
      const child = Bun.spawn([process.execPath, "-e", program, table.path, String(column)]);
      return JSON.parse(await new Response(child.stdout).text()) as { worst: number; got: number };
    });
    for (const { worst, got } of await Promise.all(runs)) {
      expect(worst).toBeLessThanOrEqual(3);
      expect(got).toBeGreaterThan(0);
    }
    expect(table.inFlight(row)).toBe(0);
  }, 60_000);
});

describe("rows", () => {
  test("are used in turn, so that a freed one rests", () => {
    const table = create({ rows: 3, columns: 1 });
    const first = table.openRow(1)!;
    table.freeRow(first);
    expect([table.openRow(1), table.openRow(1), table.openRow(1), table.openRow(1)]).toEqual([
      1,
      2,
      0,
      undefined,
    ]);
  });

  test("begin empty, whatever stood there", () => {
    const table = create({ rows: 1, columns: 2 });
    const row = table.openRow(1)!;
    table.take(row, 0);
    table.countServed(row, 1);
    table.freeRow(row);
    expect(table.openRow(5)).toBe(row);
    expect([table.inFlight(row), table.held(row, 0), table.served(row), table.limit(row)]).toEqual([
      0, 0, 0, 5,
    ]);
  });

  test("hold the begun marks where instances write them", () => {
    const table = create();
    table.openRow(1);
    const row = table.openRow(1)!;
    const memory = Bun.mmap(table.path, { shared: true });
    new DataView(memory.buffer, memory.byteOffset).setUint32(table.begunOffset(row) + 3 * 4, 77, true);
    expect([table.begun(row, 3), table.begun(row, 2)]).toEqual([77, 0]);
    table.clearBegun(row, 3);
    expect(table.begun(row, 3)).toBe(0);
  });
});

describe("the line's count", () => {
  test("is one limit for all gateways", () => {
    const table = create();
    expect([table.enterLine(0, 2), table.enterLine(1, 2), table.enterLine(2, 2)]).toEqual([
      true,
      true,
      false,
    ]);
    table.leaveLine(0);
    expect(table.enterLine(2, 2)).toBe(true);
    expect([table.waiting(), table.waitingOf(0), table.waitingOf(2)]).toEqual([2, 0, 1]);
  });

  test("names the gateway whose first request is the oldest", () => {
    const table = create();
    expect(table.oldest()).toBe(-1);
    for (const [column, since] of [
      [0, 3000],
      [2, 1000.5],
      [3, 2000],
    ] as const) {
      table.enterLine(column, 10);
      table.setSince(column, since);
    }
    expect(table.oldest()).toBe(2);
    table.leaveLine(2);
    expect(table.oldest()).toBe(3);
  });

  test("calls a gateway once until it answers", () => {
    const table = create();
    expect([table.ring(1), table.ring(1), table.ring(0)]).toEqual([true, false, true]);
    table.answer(1);
    expect(table.ring(1)).toBe(true);
  });
});

describe("after a gateway's death", () => {
  test("its slots come back and its waiting requests are forgotten", () => {
    const table = create();
    const row = table.openRow(4)!;
    table.take(row, 0);
    table.take(row, 1);
    table.take(row, 1);
    table.enterLine(1, 10);
    expect(table.holds(1)).toBe(true);
    table.dropWaiting(1);
    table.reclaim(row, 1);
    expect([table.inFlight(row), table.holds(1), table.waiting()]).toEqual([1, false, 0]);
  });

  test("a change it left half done is set right from what the living hold", () => {
    const table = create();
    const row = table.openRow(4)!;
    table.take(row, 0);
    table.take(row, 1);
    // Killed between the count and its own cell: the count says three, the cells say two; the intent names the row.
    const cells = new Int32Array(Bun.mmap(table.path, { shared: true }).buffer);
    const rowAt = 64 + 16 * table.columns + row * ((4 + 3 * table.columns + 1) & ~1);
    cells[rowAt + 2]!++;
    cells[64 + 16 * 1 + 2] = row + 1;
    expect(table.inFlight(row)).toBe(3);
    table.reclaim(row, 1);
    expect(table.inFlight(row)).toBe(1);
  });
});

test("a file that is no table is refused", async () => {
  const path = join(dir, "other");
  await Bun.write(path, new Uint8Array(4096));
  expect(() => SlotTable.open(path)).toThrow("is not a slot table");
});

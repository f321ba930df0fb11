import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "../base/clock.ts";
import type { MeterReader } from "../gateway/meter.ts";
import { SlotTable } from "../gateway/table.ts";
import type { Pool } from "../instances/index.ts";
import { ConcurrencyControl } from "./concurrency.ts";

/** Six instances, of which each has 14 of 20 slots in use, for as long as it gets requests. */
class Service {
  readonly folder = mkdtempSync(join(tmpdir(), "headrace-concurrency-"));
  readonly clock = new ManualClock();
  readonly table = SlotTable.create(join(this.folder, "slots"), { rows: 16, columns: 1 });
  readonly rows = Array.from({ length: 6 }, () => this.table.openRow(20)!);
  readonly told: number[] = [];
  ready = 6;
  finished = 0;
  readonly control: ConcurrencyControl;

  constructor(packable = true) {
    for (const row of this.rows) for (let n = 0; n < 14; n++) this.table.take(row, 0);
    const service = this;
    this.control = new ConcurrencyControl({
      ...{ clock: this.clock, table: this.table, packable },
      settings: { least: 1, most: 1_000, initial: 20 },
      meter: { demand: () => ({ finished: this.finished, missed: 0 }) } as MeterReader,
      pool: {
        get counts() {
          return { ready: service.ready, starting: 0 };
        },
        status: { interface: "asgi" },
      } as Pool,
      changed: (limit) => this.told.push(limit),
    });
  }

  /** Seconds in which each instance that gets requests does ten for each that it has in flight. */
  seconds(count: number): void {
    for (let tenth = 0; tenth < count * 10; tenth++) {
      const active = this.rows.filter((row) => this.table.limit(row) > 0);
      for (const row of active) {
        const held = Math.min(this.table.limit(row), Math.round(84 / active.length));
        while (this.table.inFlight(row) < held) this.table.take(row, 0);
        while (this.table.inFlight(row) > held) this.table.give(row, 0);
        for (let n = 0; n < held; n++) this.table.countServed(row, 0);
        this.finished += held;
      }
      this.clock.advance(100);
    }
  }

  get limits(): number[] {
    return this.rows.map((row) => this.table.limit(row));
  }
}

let service: Service;
beforeEach(() => {
  service = new Service();
});
afterEach(() => {
  service.control.stop();
  rmSync(service.folder, { recursive: true });
});

const all = (limit: number) => [limit, limit, limit, limit, limit, limit];
const TRIED = [24, 24, 24, 24, 24, 0];

test("the load is packed on fewer instances for a window, and what that says is told", () => {
  service.seconds(2);
  expect(service.limits).toEqual(TRIED);
  expect(service.control.report.limit).toBe(20);
  service.seconds(1);
  expect(service.limits).toEqual(all(20));
  service.seconds(1);
  expect(service.told).toEqual([22]);
  expect(service.limits).toEqual(all(22));
  expect(service.control.report.why).toStartWith("more slots do more: 17");
});

test("an instance that was left out has slots again at once when requests wait, one is lost, or it is stopped", () => {
  const waits = () => {
    service.table.enterLine(0, 10);
    service.clock.advance(200);
  };
  const lost = () => {
    service.ready = 5;
    service.clock.advance(50);
  };
  for (const event of [waits, lost, () => service.control.stop()]) {
    rmSync(service.folder, { recursive: true });
    service.control.stop();
    service = new Service();
    service.seconds(2);
    expect(service.limits).toEqual(TRIED);
    event();
    expect(service.limits).toEqual(all(20));
  }
});

test("where requests belong to an instance all get some", () => {
  rmSync(service.folder, { recursive: true });
  service.control.stop();
  service = new Service(false);
  for (let second = 0; second < 20; second++) {
    service.seconds(1);
    expect(service.limits).toEqual(all(20));
  }
});

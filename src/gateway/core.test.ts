/** Admission where instances come and go: who waits, who is told, and what is measured. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  acceptFor,
  FakeClient,
  FakeInstance,
  requestHead,
  testSettings,
} from "../../test/helpers/gateway.ts";
import { joinPairs } from "../protocol/fields.ts";
import { Seen } from "./client.ts";
import { Core } from "./core.ts";
import { createMeterFile, Meter, MeterReader } from "./meter.ts";
import type { AdmissionSettings } from "./settings.ts";
import { SlotTable } from "./table.ts";

let dir: string;
let table: SlotTable;
let meter: MeterReader;
let waits: number[];
let instances: FakeInstance[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "headrace-core-"));
  table = SlotTable.create(join(dir, "table"), { rows: 8, columns: 2 });
  createMeterFile(join(dir, "meter"), 2);
  meter = new MeterReader(join(dir, "meter"), 2);
  waits = [];
  instances = [];
});

afterEach(() => {
  for (const instance of instances) instance.close();
  rmSync(dir, { recursive: true });
});

function gateway(admission: Partial<AdmissionSettings> = {}) {
  const seen = waits;
  const core = new Core({
    settings: testSettings({ slots: 1, scaled: true, healthPaths: ["/healthz"], ...admission }),
    table,
    meter: new Meter(join(dir, "meter"), 0),
    column: 0,
    gateway: 1,
    ports: {
      waits: (since) => void seen.push(since),
      call: () => {},
      stuck: () => {},
      instanceLost: () => {},
      access: null,
    },
  });
  const accept = acceptFor(core);
  const send = (target = "/") => new FakeClient(accept, requestHead({ target: Buffer.from(target) }));
  return { core, send };
}

async function instance(core: Core): Promise<FakeInstance> {
  const row = table.openRow(1)!;
  const started = new FakeInstance(`i-${row}`, join(dir, `i-${row}.sock`), row);
  instances.push(started);
  await core.upstreams.publish([{ id: started.id, row, socket: started.path }]);
  return started;
}

test("without any instance a request waits, and the platform is told since when", async () => {
  const { core, send } = gateway();
  const before = Date.now();
  const client = send();
  expect(table.waiting()).toBe(1);
  expect(waits.length).toBe(1);
  expect(Math.abs(waits[0]! - before)).toBeLessThan(1_000);
  const started = await instance(core);
  const request = await started.request();
  expect(table.running()).toBe(1);
  started.respond(request, 200, new Uint8Array(0), "");
  expect((await client.done).status).toBe(200);
});

test("so does one that needs no slot; it is counted like any other then", async () => {
  const { core, send } = gateway();
  const client = send("/healthz");
  expect([table.waiting(), waits.length]).toEqual([1, 1]);
  const started = await instance(core);
  const request = await started.request();
  expect(table.inFlight(started.row)).toBe(1);
  started.respond(request, 200, new Uint8Array(0), "");
  expect((await client.done).status).toBe(200);
  await started.settled();
  expect(table.inFlight(started.row)).toBe(0);
});

test("where the number is fixed, nobody is told, and a health check does not wait", async () => {
  const { send } = gateway({ scaled: false });
  send();
  expect((await send("/healthz").done).status).toBe(503);
  expect(waits).toEqual([]);
});

test("refused requests are told of too: starts may have failed for a reason that is gone", async () => {
  const { core, send } = gateway({ lineDepth: 0 });
  expect((await send().done).status).toBe(429);
  expect(waits.length).toBe(1);
  core.failing = true;
  expect((await gatewayOf(core)().done).status).toBe(503);
  expect(meter.demand()).toMatchObject({ arrived: 2, refused: 2, finished: 0 });
});

const gatewayOf = (core: Core) => () => new FakeClient(acceptFor(core), requestHead({}));

test("the demand is what came, and how long slots were held", async () => {
  const { core, send } = gateway();
  const started = await instance(core);
  const clients = [send(), send(), send("/healthz")];
  const requests = [await started.request(), await started.request()];
  expect(meter.demand()).toEqual({ arrived: 3, refused: 0, finished: 0, slotMs: 0, missed: 0 });
  for (const request of requests) started.respond(request, 200, new Uint8Array(0), "");
  started.respond(await started.request(), 200, new Uint8Array(0), "");
  for (const client of clients) expect((await client.done).status).toBe(200);
  await started.settled();
  const { arrived, finished, slotMs } = meter.demand();
  // The health check held none.
  expect([arrived, finished]).toEqual([3, 2]);
  expect(slotMs).toBeGreaterThan(0);
});

describe("the class of a request", () => {
  /** What its app is told of the class of a request that comes with a word for it. */
  async function told(word: string, path: string, internal: boolean): Promise<string[]> {
    const priorities = { header: "", routes: [{ path: "/bulk", priority: "bulk" as const }] };
    const { core } = gateway({ priorities });
    const started = await instance(core);
    const fields = joinPairs([
      ["host", "x"],
      ["headrace-priority", word],
    ]);
    const head = { target: Buffer.from(path), fields, seen: Seen.HOST | Seen.PRIORITY };
    new FakeClient(acceptFor(core, [], internal), requestHead(head));
    const { pairs } = await started.request();
    return pairs.filter(([name]) => name === "headrace-priority").map(([, value]) => value);
  }

  test("is told to the app where it is not the usual one; a client's word for it is dropped", async () => {
    expect(await told("critical", "/bulk", false)).toEqual(["bulk"]);
    expect(await told("critical", "/", false)).toEqual([]);
  });

  test("that a service carries over is believed, before what the path says", async () => {
    expect(await told("critical", "/bulk", true)).toEqual(["critical"]);
    expect(await told("default", "/bulk", true)).toEqual([]);
    expect(await told("nonsense", "/bulk", true)).toEqual(["bulk"]);
  });
});

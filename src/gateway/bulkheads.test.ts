/** Bulkheads on the whole way of a request: however it ends, its permit comes back, once. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  acceptFor,
  FakeClient,
  FakeInstance,
  type GotRequest,
  requestHead,
  testSettings,
} from "../../test/helpers/gateway.ts";
import { Reset } from "../protocol/frame.ts";
import { Bulkheads } from "./admission/bulkheads.ts";
import { Core } from "./core.ts";
import { createMeterFile, Meter } from "./meter.ts";
import type { AdmissionSettings } from "./settings.ts";
import { SlotTable } from "./table.ts";

const REPORTS = { path: "/report", methods: [], slots: 1 };

let dir: string;
let table: SlotTable;
let instances: FakeInstance[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "headrace-bulkheads-"));
  table = SlotTable.create(join(dir, "table"), { rows: 8, columns: 1, limits: 1 });
  createMeterFile(join(dir, "meter"), 1);
  instances = [];
});

afterEach(() => {
  for (const instance of instances) instance.close();
  rmSync(dir, { recursive: true });
});

function gateway(admission: Partial<AdmissionSettings> = {}) {
  const core = new Core({
    settings: testSettings({ limits: [REPORTS], ...admission }),
    table,
    meter: new Meter(join(dir, "meter"), 0),
    column: 0,
    gateway: 1,
    ports: { waits: () => {}, call: () => {}, stuck: () => {}, instanceLost: () => {}, access: null },
  });
  const accept = acceptFor(core);
  const send = (target = "/report") => new FakeClient(accept, requestHead({ target: Buffer.from(target) }));
  return { core, send };
}

async function instance(core: Core, slots: number): Promise<FakeInstance> {
  const row = table.openRow(slots)!;
  const started = new FakeInstance(`i-${row}`, join(dir, `i-${row}.sock`), row);
  instances.push(started);
  await core.upstreams.publish(instances.map(({ id, row, path }) => ({ id, row, socket: path })));
  return started;
}

const permits = () => table.limits[0]!.taken();
const reason = (pairs: [string, string][]) => pairs.find(([name]) => name === "headrace-reason")?.[1];
const answer = (from: FakeInstance, request: GotRequest) =>
  from.respond(request, 200, new Uint8Array(0), request.fields[1]!);

test("others pass by those that wait for a permit", async () => {
  const { core, send } = gateway();
  const started = await instance(core, 4);
  const [first, second, other] = [send("/report/1"), send("/report/2"), send("/else")];
  const requests = [await started.request(), await started.request()];
  expect(requests.map(({ fields }) => fields[1])).toEqual(["/report/1", "/else"]);
  expect([permits(), table.waiting(), table.waitingAll()]).toEqual([1, 0, 1]);
  for (const request of requests) answer(started, request);
  answer(started, await started.request());
  for (const client of [first, second, other]) expect((await client.done).status).toBe(200);
  expect((await second.done).body).toBe("/report/2");
  await started.settled();
  expect([permits(), table.running(), table.waitingAll()]).toEqual([0, 0, 0]);
});

test("HEAD is of the kind of GET: the app does the same work", async () => {
  const bulkheads = new Bulkheads({
    limits: [
      { path: "/a", methods: ["GET"], slots: 1 },
      { path: "/b", methods: ["GET"], slots: 1 },
      { path: "/b", methods: ["HEAD"], slots: 1 },
    ],
    ...{
      cells: [],
      column: 0,
      depth: 1,
      line: null as never,
      call: () => {},
      now: () => 0,
      onward: () => {},
    },
  });
  const of = (method: string, target: string) => bulkheads.of(method, Buffer.from(target));
  expect([of("GET", "/a"), of("HEAD", "/a"), of("POST", "/a")]).toEqual([0, 0, -1]);
  expect([of("GET", "/b"), of("HEAD", "/b")]).toEqual([1, 2]);
});

test("a path is of its kind however it is written", async () => {
  const { core, send } = gateway();
  const started = await instance(core, 8);
  const targets = ["/report", "/%72eport", "/repor%74/1", "/report%2F1", "http://shop.test/report"];
  const sent = targets.map((target) => send(target));
  expect([permits(), table.waitingAll()]).toEqual([1, 4]);
  for (const { done } of sent) {
    answer(started, await started.request());
    expect((await done).status).toBe(200);
  }
  const others = ["/%2572eport", "/Report", "/reports"].map((target) => send(target));
  expect(permits()).toBe(0);
  for (const { done } of others) {
    answer(started, await started.request());
    await done;
  }
});

test("a client that leaves gives its permit up, at the bulkhead, in the line, or at work", async () => {
  const { core, send } = gateway();
  const inLine = send();
  const atLimit = send();
  expect([permits(), table.waiting(), table.waitingAll()]).toEqual([1, 1, 2]);
  atLimit.leave();
  expect([permits(), table.waitingAll()]).toEqual([1, 1]);
  inLine.leave();
  expect([permits(), table.waitingAll()]).toEqual([0, 0]);
  const started = await instance(core, 1);
  const working = send();
  const request = await started.request();
  const next = send();
  working.leave();
  // Its app runs on.
  expect(permits()).toBe(1);
  answer(started, request);
  answer(started, await started.request());
  expect((await next.done).status).toBe(200);
});

test("the same refusals as in the line, with reasons of their own", async () => {
  const { core, send } = gateway({ lineDepth: 1, lineWaitMs: 20 });
  const started = await instance(core, 2);
  send();
  const request = await started.request();
  const late = send();
  const full = await send().done;
  expect([full.status, reason(full.pairs)]).toEqual([429, "HR_LIMIT_FULL"]);
  expect(full.pairs.some(([name]) => name === "retry-after")).toBe(true);
  const waited = await late.done;
  expect([waited.status, reason(waited.pairs)]).toEqual([503, "HR_LIMIT_WAIT"]);
  expect([permits(), table.waitingAll()]).toEqual([1, 0]);
  answer(started, request);
  await started.settled();
  expect(permits()).toBe(0);
});

test("one over its time is answered, and its permit stays taken while the app runs", async () => {
  const { core, send } = gateway({ timeoutMs: 30 });
  const started = await instance(core, 2);
  const placed = send();
  const request = await started.request();
  const waiting = send();
  expect([(await placed.done).status, (await waiting.done).status]).toEqual([504, 504]);
  expect([permits(), table.waitingAll()]).toEqual([1, 0]);
  answer(started, request);
  await started.settled();
  expect(permits()).toBe(0);
});

test("one that its instance did not begin keeps its permit", async () => {
  const { core, send } = gateway();
  const drains = await instance(core, 2);
  const [first, second] = [send("/report/1"), send("/report/2")];
  const request = await drains.request();
  const other = await instance(core, 2);
  table.closeRow(drains.row);
  drains.reset(request.stream, Reset.REFUSED);
  const again = await other.request();
  expect([again.fields[1], permits()]).toEqual(["/report/1", 1]);
  answer(other, again);
  answer(other, await other.request());
  expect([(await first.done).status, (await second.done).status]).toEqual([200, 200]);
  await other.settled();
  expect([permits(), table.running(), table.waitingAll()]).toEqual([0, 0, 0]);
});

test("the permit of a lost connection comes back when the instance is out", async () => {
  const { core, send } = gateway();
  const dies = await instance(core, 2);
  const first = send();
  const request = await dies.request();
  dies.markBegun(table, request.stream);
  const second = send();
  dies.kill();
  expect((await first.done).status).toBe(502);
  expect([permits(), table.waitingAll()]).toEqual([1, 1]);
  instances = [];
  const other = await instance(core, 2);
  answer(other, await other.request());
  expect((await second.done).status).toBe(200);
  await other.settled();
  expect([permits(), table.waitingAll()]).toEqual([0, 0]);
});

/** Affinity on the whole way of a request: placing, waiting, and the cookie. */
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
import { joinPairs } from "../protocol/fields.ts";
import { Type } from "../protocol/frame.ts";
import type { AffinitySettings } from "./balance/affinity.ts";
import { Core } from "./core.ts";
import { createMeterFile, Meter } from "./meter.ts";
import { SlotTable } from "./table.ts";

let dir: string;
let table: SlotTable;
let instances: FakeInstance[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "headrace-affinity-"));
  table = SlotTable.create(join(dir, "table"), { rows: 8, columns: 1 });
  createMeterFile(join(dir, "meter"), 1);
  instances = [];
});

afterEach(() => {
  for (const instance of instances) instance.close();
  rmSync(dir, { recursive: true });
});

async function gateway(affinity: AffinitySettings, count: number, slots: number) {
  const core = new Core({
    settings: { ...testSettings(), affinity },
    table,
    meter: new Meter(join(dir, "meter"), 0),
    column: 0,
    gateway: 1,
    ports: { waits: () => {}, call: () => {}, stuck: () => {}, instanceLost: () => {}, access: null },
  });
  for (let i = 0; i < count; i++) {
    const row = table.openRow(slots)!;
    instances.push(new FakeInstance(`i-${i}`, join(dir, `i-${i}.sock`), row));
  }
  await publish(core);
  const accept = acceptFor(core);
  const send = (pairs: [string, string][], websocket = false) =>
    new FakeClient(accept, requestHead({ fields: joinPairs(pairs), websocket }));
  return { core, send };
}

const publish = (core: Core) =>
  core.upstreams.publish(instances.map(({ id, row, path }) => ({ id, row, socket: path })));

/** The next request, at whichever instance it comes. */
async function next(): Promise<{ at: FakeInstance; request: GotRequest }> {
  const [at] = instances.filter(({ row }) => table.inFlight(row) > 0);
  return { at: at!, request: await at!.request() };
}

const USERS: AffinitySettings = { kind: "key", from: { by: "header", name: "x-user" }, balanceFactor: 0 };

test("requests of a key go to one instance, others by turns", async () => {
  const { send } = await gateway(USERS, 3, 5);
  const homes = new Set<string>();
  for (let i = 0; i < 6; i++) {
    const client = send([["x-user", "u"]]);
    const { at, request } = await next();
    homes.add(at.id);
    at.respond(request, 200, new Uint8Array(0), "");
    await client.done;
    await at.settled();
  }
  expect(homes.size).toBe(1);
  for (let i = 0; i < 3; i++) send([]);
  await Promise.all(instances.map((instance) => instance.request()));
});

test("what waited goes to the instance of its key, if that has room, else to any: it holds nobody up", async () => {
  const { send } = await gateway(USERS, 2, 1);
  send([["x-user", "u"]]);
  const { at: home, request: first } = await next();
  send([]);
  const other = instances.find((instance) => instance !== home)!;
  const second = await other.request();
  send([["x-user", "u"]]);
  send([]);
  expect(table.waiting()).toBe(2);
  // The slot that becomes free is not that of its home.
  other.respond(second, 200, new Uint8Array(0), "");
  expect((await other.request()).pairs).toContainEqual(["x-user", "u"]);
  home.respond(first, 200, new Uint8Array(0), "");
  await home.request();
});

test("a key follows its instance when that is out", async () => {
  const { core, send } = await gateway(USERS, 3, 5);
  send([["x-user", "u"]]);
  const { at: home } = await next();
  instances = instances.filter((instance) => instance !== home);
  await publish(core);
  const moved = new Set<string>();
  for (let i = 0; i < 3; i++) {
    send([["x-user", "u"]]);
    moved.add((await next()).at.id);
  }
  expect(moved.size).toBe(1);
  home.close();
});

test("the cookie of a sticky client comes with its first response, a WebSocket's too", async () => {
  const { send } = await gateway({ kind: "sticky", cookie: "home", secret: "s" }, 2, 5);
  const client = send([]);
  const { at, request } = await next();
  at.respond(request, 200, joinPairs([["set-cookie", "app=1"]]), "");
  const { pairs } = await client.done;
  expect(pairs.slice(0, 1)).toEqual([["set-cookie", "app=1"]]);
  const token = /^home=(\w+);/.exec(pairs[1]![1])![1]!;
  await at.settled();
  const socket = send([["cookie", `home=${token}`]], true);
  const known = await next();
  expect(known.at).toBe(at);
  at.frame(Type.WS_ACCEPT, 0, known.request.stream, Buffer.from("\0x-a\x001"));
  expect((await socket.accepted).pairs).toEqual([["x-a", "1"]]);
  const fresh = send([], true);
  const [quiet] = instances.filter((instance) => instance !== at);
  const request2 = await quiet!.request();
  quiet!.frame(Type.WS_ACCEPT, 0, request2.stream);
  const [pair] = (await fresh.accepted).pairs;
  expect(pair![0]).toBe("set-cookie");
  expect(pair![1]).toMatch(/^home=[0-9a-f]{32}; Path=\/; HttpOnly; SameSite=Lax$/);
  expect(pair![1]).not.toContain(token);
});

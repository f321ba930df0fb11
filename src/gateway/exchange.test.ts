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
import type { AccessRecord } from "../model/access.ts";
import { joinPairs, splitPairs } from "../protocol/fields.ts";
import { Flag, Reset, Type } from "../protocol/frame.ts";
import type { RequestHead } from "./client.ts";
import { Core } from "./core.ts";
import { createMeterFile, Meter, MeterReader } from "./meter.ts";
import type { AdmissionSettings } from "./settings.ts";
import { SlotTable } from "./table.ts";

let dir: string;
let table: SlotTable;
let instances: FakeInstance[];
let records: AccessRecord[];
let stuck: string[];
let protocolErrors: string[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hr-"));
  table = SlotTable.create(join(dir, "slots"), { rows: 8, columns: 2 });
  createMeterFile(join(dir, "meter"), 2);
  instances = [];
  records = [];
  stuck = [];
  protocolErrors = [];
});

afterEach(() => {
  for (const instance of instances) instance.close();
  rmSync(dir, { recursive: true });
});

/** A gateway in front of `count` instances that the test plays. */
async function gateway(
  count: number,
  admission: Partial<AdmissionSettings> = {},
  trustedProxies: string[] = [],
): Promise<{ core: Core; send: (head?: Partial<RequestHead>) => FakeClient }> {
  const settings = testSettings({ slots: 2, ...admission }, trustedProxies);
  // This test's own: what an earlier test's gateway still says belongs to that one.
  const seen = { records, stuck, protocolErrors };
  const core = new Core({
    settings,
    table,
    meter: new Meter(join(dir, "meter"), 0),
    column: 0,
    gateway: 7,
    ports: {
      waits: () => {},
      call: () => {},
      stuck: (instance) => void seen.stuck.push(instance),
      instanceLost: (_instance, error) => void seen.protocolErrors.push(error),
      access: (record) => void seen.records.push(record),
    },
  });
  for (let i = 0; i < count; i++) {
    const row = table.openRow(settings.admission.slots)!;
    instances.push(new FakeInstance(`i-${i}`, join(dir, `i-${i}.sock`), row));
  }
  await core.upstreams.publish(instances.map(({ id, row, path }) => ({ id, row, socket: path })));
  const accept = acceptFor(core, trustedProxies);
  return { core, send: (head = {}) => new FakeClient(accept, requestHead(head)) };
}

const OK = joinPairs([["content-type", "text/plain"]]);

describe("a request", () => {
  test("reaches the instance as it came, and its response the client", async () => {
    const { send } = await gateway(1);
    const client = send({
      target: Buffer.from("/a%20b?c=d"),
      fields: joinPairs([
        ["host", "x"],
        ["a", "1"],
        ["a", "2"],
      ]),
    });
    const request = await instances[0]!.request();
    expect(request.flags).toBe(Flag.END);
    expect(request.fields.slice(0, 3)).toEqual(["GET", "/a%20b?c=d", "10.0.0.9 4711 127.0.0.1 8080"]);
    expect(request.pairs.slice(0, 3)).toEqual([
      ["host", "x"],
      ["a", "1"],
      ["a", "2"],
    ]);
    expect(request.pairs[3]).toEqual(["x-request-id", request.fields[3]!]);
    expect(table.inFlight(instances[0]!.row)).toBe(1);
    instances[0]!.respond(request, 200, OK, "hello");
    expect(await client.done).toEqual({ status: 200, pairs: splitPairs(OK), body: "hello", ended: true });
    await instances[0]!.settled();
    expect(table.inFlight(instances[0]!.row)).toBe(0);
    expect([records[0]!.status, records[0]!.instance, records[0]!.reason]).toEqual([200, "i-0", ""]);
  });

  test("keeps its slot until the app has returned, though its client is answered", async () => {
    const { send } = await gateway(1);
    const client = send();
    const request = await instances[0]!.request();
    instances[0]!.frame(Type.RESPONSE, Flag.END, request.stream, Buffer.concat([Buffer.from([0, 204])]));
    expect((await client.done).status).toBe(204);
    expect(table.inFlight(instances[0]!.row)).toBe(1);
    instances[0]!.frame(Type.DONE, 0, request.stream);
    await instances[0]!.settled();
    expect(table.inFlight(instances[0]!.row)).toBe(0);
  });

  test("whose client leaves is told to the app, and its slot comes back with DONE", async () => {
    const { send } = await gateway(1);
    const client = send();
    const request = await instances[0]!.request();
    client.leave();
    const reset = await instances[0]!.next(Type.RESET);
    expect([reset.stream, reset.payload.readUInt16BE(0)]).toEqual([request.stream, Reset.CLIENT_GONE]);
    expect(table.inFlight(instances[0]!.row)).toBe(1);
    instances[0]!.frame(Type.DONE, 0, request.stream);
    await instances[0]!.settled();
    expect(table.inFlight(instances[0]!.row)).toBe(0);
    expect([records[0]!.status, records[0]!.reason]).toEqual([0, "HR_CLIENT_GONE"]);
  });

  test("that the app broke off after it began is cut, before it began is a 502", async () => {
    const { send } = await gateway(1);
    const cut = send();
    const first = await instances[0]!.request();
    instances[0]!.frame(Type.RESPONSE, 0, first.stream, Buffer.from([0, 200]));
    instances[0]!.reset(first.stream, Reset.APP_ERROR);
    expect((await cut.done).ended).toBe(false);
    const failed = send();
    const second = await instances[0]!.request();
    instances[0]!.reset(second.stream, Reset.INCOMPLETE);
    expect((await failed.done).status).toBe(502);
    await instances[0]!.settled();
    expect(records.map((record) => record.reason)).toEqual(["HR_APP_INCOMPLETE", "HR_APP_INCOMPLETE"]);
  });
});

describe("a body", () => {
  test("goes on as the app takes it", async () => {
    const { core, send } = await gateway(1);
    const client = send({ method: "POST", bodyLength: -1 });
    const request = await instances[0]!.request();
    expect(request.flags).toBe(0);
    expect(client.granted).toBe(FakeInstance.WINDOW);
    client.exchange.body(Buffer.from("part"), false);
    client.exchange.body(Buffer.from("end"), true);
    expect((await instances[0]!.next(Type.DATA)).payload.toString()).toBe("part");
    const last = await instances[0]!.next(Type.DATA);
    expect([last.payload.toString(), last.flags]).toEqual(["end", Flag.END]);
    instances[0]!.credit(request.stream, 1000);
    instances[0]!.respond(request, 200, OK, "");
    await client.done;
    expect(client.granted).toBe(FakeInstance.WINDOW + 1000);
    expect(core.settings.window).toBeGreaterThan(0);
  });

  test("is not asked for before the app asks, when the client expects to be told", async () => {
    const { send } = await gateway(1);
    const client = send({ method: "POST", bodyLength: 10, expectContinue: true });
    const request = await instances[0]!.request();
    expect([request.flags, client.granted]).toEqual([Flag.EXPECT, 0]);
    instances[0]!.credit(request.stream, 10);
    await client.grantedSome;
    expect(client.granted).toBe(10);
  });

  test("of a response is let through as the client takes it", async () => {
    const { core, send } = await gateway(1);
    const client = send();
    client.stalled = true;
    const request = await instances[0]!.request();
    instances[0]!.frame(Type.RESPONSE, 0, request.stream, Buffer.from([0, 200]));
    instances[0]!.frame(Type.DATA, 0, request.stream, Buffer.alloc(core.settings.window));
    await client.received(core.settings.window);
    instances[0]!.ping();
    await instances[0]!.next(Type.PONG);
    expect(instances[0]!.pending(Type.CREDIT)).toBe(0);
    client.take();
    expect((await instances[0]!.next(Type.CREDIT)).payload.readUInt32BE(0)).toBe(core.settings.window);
  });

  test("beyond its credit closes the instance's connection, and only that", async () => {
    const { core, send } = await gateway(2);
    const client = send();
    client.stalled = true;
    const [guilty, innocent] = instances as [FakeInstance, FakeInstance];
    const stream = await guilty.request();
    guilty.frame(Type.RESPONSE, 0, stream.stream, Buffer.from([0, 200]));
    guilty.frame(Type.DATA, 0, stream.stream, Buffer.alloc(core.settings.window));
    guilty.frame(Type.DATA, 0, stream.stream, Buffer.alloc(1));
    expect((await client.done).ended).toBe(false);
    expect(protocolErrors[0]).toContain("more bytes than were granted");
    const other = send();
    innocent.respond(await innocent.request(), 200, OK, "fine");
    expect((await other.done).body).toBe("fine");
  });
});

describe("the line", () => {
  test("takes who finds no slot, and serves first come, first served", async () => {
    const { core, send } = await gateway(1);
    const clients = [send(), send(), send(), send()];
    const first = await instances[0]!.request();
    const second = await instances[0]!.request();
    expect([core.line.length, table.waiting(), table.inFlight(instances[0]!.row)]).toEqual([2, 2, 2]);
    instances[0]!.respond(second, 200, OK, "2");
    const third = await instances[0]!.request();
    instances[0]!.respond(first, 200, OK, "1");
    const fourth = await instances[0]!.request();
    instances[0]!.respond(third, 200, OK, "3");
    instances[0]!.respond(fourth, 200, OK, "4");
    expect((await Promise.all(clients.map((client) => client.done))).map(({ body }) => body)).toEqual([
      "1",
      "2",
      "3",
      "4",
    ]);
    expect(table.waiting()).toBe(0);
  });

  test("refuses beyond its depth, with a reason and when to come back", async () => {
    const { send } = await gateway(1, { lineDepth: 1 });
    const clients = [send(), send(), send(), send()];
    const { status, pairs, body } = await clients[3]!.done;
    expect(status).toBe(429);
    expect(Object.fromEntries(pairs)).toMatchObject({
      "headrace-reason": "HR_LINE_FULL",
      "retry-after": "1",
    });
    expect(JSON.parse(body).error.code).toBe("HR_LINE_FULL");
  });

  test("gives up on who waits too long", async () => {
    const { send } = await gateway(1, { lineWaitMs: 20 });
    const clients = [send(), send(), send()];
    expect((await clients[2]!.done).status).toBe(503);
    expect(table.waiting()).toBe(0);
  });

  test("forgets a client that leaves", async () => {
    const { core, send } = await gateway(1);
    const clients = [send(), send(), send(), send()];
    clients[2]!.leave();
    expect([core.line.length, table.waiting()]).toEqual([1, 1]);
    const first = await instances[0]!.request();
    await instances[0]!.request();
    instances[0]!.respond(first, 200, OK, "");
    instances[0]!.respond(await instances[0]!.request(), 200, OK, "fourth");
    expect((await clients[3]!.done).body).toBe("fourth");
  });

  test("is passed by on health paths", async () => {
    const { send } = await gateway(1, { healthPaths: ["/up"] });
    const clients = [send(), send(), send(), send({ target: Buffer.from("/up?x") })];
    const got = [await instances[0]!.request(), await instances[0]!.request(), await instances[0]!.request()];
    instances[0]!.respond(got[2]!, 200, OK, "up");
    expect((await clients[3]!.done).body).toBe("up");
    expect(table.inFlight(instances[0]!.row)).toBe(2);
  });

  test("is where requests wait while there is no instance, unless instances fail", async () => {
    const { core, send } = await gateway(0);
    const waits = send();
    core.failing = true;
    expect((await send().done).status).toBe(503);
    instances.push(new FakeInstance("late", join(dir, "late.sock"), table.openRow(2)!));
    const { id, row, path } = instances[0]!;
    await core.upstreams.publish([{ id, row, socket: path }]);
    instances[0]!.respond(await instances[0]!.request(), 200, OK, "woke");
    expect((await waits.done).body).toBe("woke");
  });
});

describe("a deadline", () => {
  test("answers 504, tells the app, and holds the slot until it has returned", async () => {
    const { send } = await gateway(1, { timeoutMs: 30, graceMs: 30 });
    const client = send();
    const request = await instances[0]!.request();
    expect(Number(request.fields[4])).toBeLessThanOrEqual(30);
    expect((await client.done).status).toBe(504);
    expect((await instances[0]!.next(Type.RESET)).payload.readUInt16BE(0)).toBe(Reset.DEADLINE);
    expect(table.inFlight(instances[0]!.row)).toBe(1);
    while (stuck.length === 0) await Bun.sleep(1);
    expect(stuck).toEqual(["i-0"]);
    instances[0]!.frame(Type.DONE, 0, request.stream);
    await instances[0]!.settled();
    expect(table.inFlight(instances[0]!.row)).toBe(0);
  });

  test("counts the wait in the line", async () => {
    const { send } = await gateway(1, { timeoutMs: 30 });
    const clients = [send(), send(), send()];
    expect((await clients[2]!.done).status).toBe(504);
    expect(table.waiting()).toBe(0);
  });

  test("is over once the response has begun", async () => {
    const { core, send } = await gateway(1, { timeoutMs: 30 });
    const client = send();
    const request = await instances[0]!.request();
    instances[0]!.frame(Type.RESPONSE, 0, request.stream, Buffer.from([0, 200]));
    await client.begun;
    // A later request's deadline passes; this one's is not looked at any more.
    expect((await send().done).status).toBe(504);
    instances[0]!.frame(Type.DATA, Flag.END | Flag.DONE, request.stream, Buffer.from("late"));
    expect((await client.done).body).toBe("late");
    expect(core.line.length).toBe(0);
  });
});

describe("an instance that dies", () => {
  test("loses what it had begun; the rest goes elsewhere, body and all", async () => {
    const { send } = await gateway(2, { slots: 4 });
    const clients = [send(), send({ method: "POST", bodyLength: 4 })];
    clients[1]!.exchange.body(Buffer.from("body"), true);
    // Equals take turns: one each. Two more make both have two.
    const more = [send(), send()];
    const [dying, living] = instances as [FakeInstance, FakeInstance];
    const doomed = [await dying.request(), await dying.request()];
    const safe = [await living.request(), await living.request()];
    dying.markBegun(table, doomed[0]!.stream);
    dying.kill();
    for (const request of safe) living.respond(request, 200, OK, "safe");
    const moved = await living.request();
    living.respond(moved, 200, OK, "moved");
    const results = await Promise.all([...clients, ...more].map((client) => client.done));
    expect(results.map(({ status }) => status).sort()).toEqual([200, 200, 200, 502]);
    expect(results.map(({ body }) => body).filter((body) => body === "moved")).toEqual(["moved"]);
  });

  test("with everything begun is a 502 for each, and its slots come back when it is out", async () => {
    const { core, send } = await gateway(1);
    const clients = [send(), send()];
    await instances[0]!.request();
    const second = await instances[0]!.request();
    instances[0]!.markBegun(table, second.stream);
    instances[0]!.kill();
    for (const client of clients) expect((await client.done).status).toBe(502);
    expect(table.inFlight(instances[0]!.row)).toBe(2);
    await core.upstreams.publish([]);
    expect(table.inFlight(instances[0]!.row)).toBe(0);
  });

  test("refuses while it drains, and the request goes elsewhere", async () => {
    const { send } = await gateway(2);
    const client = send();
    const [draining, other] = instances as [FakeInstance, FakeInstance];
    const request = await draining.request();
    draining.frame(Type.DRAIN, 0, 0);
    draining.reset(request.stream, Reset.REFUSED);
    other.respond(await other.request(), 200, OK, "elsewhere");
    expect((await client.done).body).toBe("elsewhere");
  });
});

describe("a WebSocket", () => {
  const websocket = { websocket: true, target: Buffer.from("/ws") };

  test("is accepted, carries messages both ways, and closes from either side", async () => {
    const { send } = await gateway(1);
    const client = send(websocket);
    const request = await instances[0]!.request();
    expect(request.flags).toBe(Flag.WEBSOCKET);
    instances[0]!.frame(Type.WS_ACCEPT, 0, request.stream, Buffer.from("chat\0x-a\x001"));
    expect(await client.accepted).toEqual({ subprotocol: "chat", pairs: [["x-a", "1"]] });
    client.exchange.message(true, Buffer.from("hi"), false);
    const message = await instances[0]!.next(Type.WS_MESSAGE);
    expect([message.payload.toString(), message.flags]).toEqual(["hi", Flag.TEXT]);
    instances[0]!.frame(Type.WS_MESSAGE, 0, request.stream, Buffer.from("yo"));
    await client.received(2);
    client.exchange.closed(1001, "bye");
    const close = await instances[0]!.next(Type.WS_CLOSE);
    expect([close.payload.readUInt16BE(0), close.payload.subarray(2).toString()]).toEqual([1001, "bye"]);
    instances[0]!.frame(Type.DONE, 0, request.stream);
    await instances[0]!.settled();
    expect([table.inFlight(instances[0]!.row), records[0]!.status]).toEqual([0, 101]);
  });

  test("closed before it is accepted is a 403", async () => {
    const { send } = await gateway(1);
    const client = send(websocket);
    const request = await instances[0]!.request();
    instances[0]!.frame(Type.WS_CLOSE, Flag.DONE, request.stream, Buffer.from([3, 232]));
    expect((await client.done).status).toBe(403);
  });

  test("is told 1012 on both sides when the gateway stops", async () => {
    const { core, send } = await gateway(1);
    const client = send(websocket);
    const request = await instances[0]!.request();
    instances[0]!.frame(Type.WS_ACCEPT, 0, request.stream);
    await client.accepted;
    for (const exchange of core.webSockets) exchange.goAway();
    expect(client.closeCode).toBe(1012);
    expect((await instances[0]!.next(Type.WS_CLOSE)).payload.readUInt16BE(0)).toBe(1012);
  });

  test("whose app raises is closed with 1011", async () => {
    const { send } = await gateway(1);
    const client = send(websocket);
    const request = await instances[0]!.request();
    instances[0]!.frame(Type.WS_ACCEPT, 0, request.stream);
    await client.accepted;
    instances[0]!.reset(request.stream, Reset.APP_ERROR);
    await client.closing;
    expect(client.closeCode).toBe(1011);
  });
});

describe("who asks", () => {
  const forged = joinPairs([
    ["host", "x"],
    ["x-forwarded-for", "1.2.3.4"],
    ["x-forwarded-proto", "https"],
  ]);

  test("is what a trusted proxy says", async () => {
    const { send } = await gateway(1, {}, ["10.0.0.0/8"]);
    send({ fields: forged, seen: 16 });
    const request = await instances[0]!.request();
    expect(request.fields[2]).toBe("1.2.3.4 0 127.0.0.1 8080");
    expect(request.flags & Flag.TLS).toBe(Flag.TLS);
    expect(request.pairs.map(([name]) => name)).toContain("x-forwarded-for");
  });

  test("is the peer otherwise, and the app does not see what it claims", async () => {
    const { send } = await gateway(1);
    send({ fields: forged, seen: 16 });
    const request = await instances[0]!.request();
    expect([request.fields[2], request.flags & Flag.TLS]).toEqual(["10.0.0.9 4711 127.0.0.1 8080", 0]);
    expect(request.pairs.map(([name]) => name)).toEqual(["host", "x-request-id"]);
  });

  test("keeps a sound request id, and loses a bad one", async () => {
    const { send } = await gateway(1);
    send({ fields: joinPairs([["x-request-id", "abc-1"]]), seen: 2 });
    expect((await instances[0]!.request()).fields[3]).toBe("abc-1");
    send({ fields: joinPairs([["x-request-id", "a b"]]), seen: 2 });
    const replaced = await instances[0]!.request();
    expect(replaced.fields[3]).toMatch(/^[0-9a-f]{12}-[0-9a-z]+$/);
    expect(replaced.pairs).toEqual([["x-request-id", replaced.fields[3]!]]);
  });
});

test("everything is counted once", async () => {
  const { send } = await gateway(1, { lineDepth: 0 });
  const clients = [send(), send(), send()];
  await clients[2]!.done;
  const first = await instances[0]!.request();
  instances[0]!.respond(first, 200, OK, "");
  await clients[0]!.done;
  clients[1]!.leave();
  const families = new Map(
    new MeterReader(join(dir, "meter"), 2).families().map((family) => [family.name, family]),
  );
  expect(families.get("headrace_requests_total")!.samples).toEqual([
    { labels: { code: "none" }, value: 1 },
    { labels: { code: "200" }, value: 1 },
    { labels: { code: "429" }, value: 1 },
  ]);
  expect(families.get("headrace_refusals_total")!.samples).toEqual([
    { labels: { reason: "HR_LINE_FULL" }, value: 1 },
    { labels: { reason: "HR_CLIENT_GONE" }, value: 1 },
  ]);
  expect(families.get("headrace_requests_in_gateway")!.samples[0]!.value).toBe(0);
  const counts = families.get("headrace_request_duration_seconds")!.samples[0]!.buckets!.counts;
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(3);
});

/** The stream of events over a real port. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { connect } from "node:net";
import { readEvents, type ServerEvent } from "../base/event-source.ts";
import { ReleaseStack } from "../base/release.ts";
import type { LogRecord } from "../model/log.ts";
import { EventFeed, FEED } from "./feed.ts";
import type { AdminPorts } from "./ports.ts";
import { type AdminServer, startAdmin } from "./server.ts";

let release: ReleaseStack;
let feed: EventFeed;
let logged: LogRecord[];

beforeEach(() => {
  release = new ReleaseStack();
  feed = new EventFeed({ ...FEED, run: "r" });
  logged = [];
});
afterEach(() => release.release());

function serve(heartbeatMs = 60_000): AdminServer {
  const server = startAdmin({
    host: "127.0.0.1",
    port: 0,
    portGiven: false,
    listen: [],
    socket: "",
    token: "",
    store: null,
    // The stream asks the platform for nothing.
    ports: {} as AdminPorts,
    feed,
    heartbeatMs,
    log: (record) => logged.push(record),
  });
  release.push(() => server.stop());
  return server;
}

function happen(message: string, service = "api", size = 0): void {
  const fields = { "service.name": service, ...(size === 0 ? {} : { filler: "x".repeat(size) }) };
  feed.add({ time: Date.now(), level: "info", event: "instance.ready", message, fields });
}

const open = (server: AdminServer, query = "", headers: Record<string, string> = {}) =>
  fetch(`${server.url}/v1/events${query}`, { headers });

async function take(response: Response, count: number): Promise<ServerEvent[]> {
  const events: ServerEvent[] = [];
  for await (const event of readEvents(response.body!)) {
    events.push(event);
    if (events.length === count) break;
  }
  return events;
}

const messages = (events: readonly ServerEvent[]) =>
  events.map(({ data }) => (JSON.parse(data) as { message: string }).message);

test("events come as they happen, to all who listen", async () => {
  const server = serve();
  happen("before");
  const [one, two] = [await open(server), await open(server, "?last=1")];
  expect(one.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  happen("first");
  happen("second");
  expect(messages(await take(one, 2))).toEqual(["first", "second"]);
  expect(messages(await take(two, 3))).toEqual(["before", "first", "second"]);
});

test("follow=false ends with what is held", async () => {
  const server = serve();
  for (const name of ["a", "b", "c"]) happen(name);
  expect(messages(await take(await open(server, "?follow=false"), 9))).toEqual(["a", "b", "c"]);
  expect(messages(await take(await open(server, "?follow=false&last=2"), 9))).toEqual(["b", "c"]);
});

test("a service's own events", async () => {
  const server = serve();
  happen("a", "api");
  happen("b", "jobs");
  const response = await open(server, "?service=jobs&last=5");
  happen("c", "api");
  happen("d", "jobs");
  expect(messages(await take(response, 2))).toEqual(["b", "d"]);
});

test("a reader that comes back gets what it has missed, and is told what is gone", async () => {
  const server = serve();
  for (let n = 1; n <= 1_010; n++) happen(`number ${n}`);
  const back = await take(await open(server, "?follow=false", { "last-event-id": "r-1008" }), 9);
  expect(back.map(({ id }) => id)).toEqual(["r-1009", "r-1010"]);
  const late = await take(await open(server, "?follow=false", { "last-event-id": "r-4" }), 2);
  expect(late.map(({ id, event }) => [id, event])).toEqual([
    ["", "admin.events_lost"],
    ["r-11", "instance.ready"],
  ]);
  expect(messages(late)[0]).toBe("6 events are no longer held.");
});

test("comments come while nothing happens", async () => {
  const response = await open(serve(5));
  const reader = response.body!.getReader();
  let text = "";
  while (text.split("\n\n").length < 4) text += new TextDecoder().decode((await reader.read()).value);
  expect(text.replaceAll(":\n\n", "")).toBe("");
  await reader.cancel();
});

test("a reader that takes nothing is cut off, and nobody else", async () => {
  const server = serve();
  const good = await open(server);
  const reader = readEvents(good.body!);
  const slow = connect(Number(new URL(server.url).port), "127.0.0.1");
  const gone = new Promise<void>((resolve) => {
    slow.once("close", () => resolve());
    slow.once("error", () => resolve());
  });
  const begun = new Promise<void>((resolve) => slow.once("data", () => resolve()));
  slow.write("GET /v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n");
  await begun;
  slow.pause();
  const dropped = () => logged.some(({ event }) => event === "admin.reader_dropped");
  for (let n = 0; n < 2_000 && !dropped(); n++) {
    happen(`number ${n}`, "api", 64 * 1024);
    expect((await reader.next()).value!.id).toBe(`r-${n + 1}`);
  }
  expect(dropped()).toBe(true);
  slow.resume();
  await gone;
  happen("after");
  expect(messages([(await reader.next()).value!])).toEqual(["after"]);
});

test("the end of the server is the end of the streams", async () => {
  const server = serve();
  const response = await open(server);
  happen("last");
  await server.stop();
  expect(messages(await take(response, 9))).toEqual(["last"]);
});

test("HEAD opens no stream", async () => {
  const server = serve();
  const response = await fetch(`${server.url}/v1/events`, { method: "HEAD" });
  expect([response.status, await response.text()]).toEqual([200, ""]);
  // It would not, if a stream were open.
  await server.stop();
});

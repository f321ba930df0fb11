import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LogRecord } from "../model/log.ts";
import { LogStore } from "./log-store.ts";

let folder: string;
let stores: LogStore[];
let failures: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "headrace-store-"));
  stores = [];
  failures = [];
});
afterEach(() => {
  for (const store of stores) store.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(bytes = 1024 * 1024, where = folder): LogStore {
  const store = new LogStore({ folder: where, bytes, lingerMs: 5, failed: (why) => failures.push(why) });
  stores.push(store);
  return store;
}

function line(message: string, service = "api", more: Partial<LogRecord> = {}): LogRecord {
  const fields = { ...(service === "" ? {} : { "service.name": service }), ...more.fields };
  return { time: Date.now(), level: "info", event: "app.output", message, ...more, fields };
}

const messages = (lines: readonly { message: string }[]) => lines.map(({ message }) => message);
const ALL = { tail: 10_000 };

test("keeps the lines of each service, and those of none, in order", async () => {
  const store = open();
  for (const [message, service] of [
    ["a", "api"],
    ["b", "jobs"],
    ["c", ""],
    ["d", "api"],
  ] as const)
    store.add(line(message, service));
  expect(messages(await store.read(ALL))).toEqual(["a", "b", "c", "d"]);
  expect(messages(await store.read({ ...ALL, service: "api" }))).toEqual(["a", "d"]);
  expect(messages(await store.read({ tail: 2 }))).toEqual(["c", "d"]);
  expect(messages(await store.read({ tail: 1, service: "jobs" }))).toEqual(["b"]);
  expect(await store.read({ tail: 0 })).toEqual([]);
  expect([store.has("api"), store.has("nobody")]).toEqual([true, false]);
});

test("finds by instance, by time and by id", async () => {
  const store = open();
  store.add(line("old", "api", { time: 1_000, fields: { "service.instance.id": "i-1" } }));
  store.add(line("mid", "api", { time: 2_000, fields: { instance: "i-2" } }));
  store.add(line("new", "api", { time: 3_000, fields: { "service.instance.id": "i-1" } }));
  const lines = await store.read(ALL);
  expect(messages(await store.read({ ...ALL, instance: "i-1" }))).toEqual(["old", "new"]);
  expect(messages(await store.read({ ...ALL, instance: "i-2" }))).toEqual(["mid"]);
  expect(messages(await store.read({ ...ALL, since: 2_000 }))).toEqual(["mid", "new"]);
  expect(messages(await store.read({ ...ALL, after: Number(lines[1]!.id) }))).toEqual(["new"]);
});

test("is read by the next run, and the ids go on", async () => {
  const before = open();
  before.add(line("one"));
  before.close();
  const after = open();
  expect(after.has("api")).toBe(true);
  after.add(line("two"));
  const lines = await after.read(ALL);
  expect(messages(lines)).toEqual(["one", "two"]);
  expect(Number(lines[1]!.id)).toBeGreaterThan(Number(lines[0]!.id));
});

test("writes without being asked, soon", async () => {
  const store = open();
  store.add(line("a"));
  const deadline = Date.now() + 10_000;
  const written = () => readdirSync(folder).includes("api.log");
  while (!written() && Date.now() < deadline) await Bun.sleep(1);
  expect(written()).toBe(true);
});

describe("the bound", () => {
  test("holds on disk, whatever comes, and the newest lines are there", async () => {
    const store = open(256 * 1024);
    const count = 20_000;
    for (let n = 0; n < count; n++) store.add(line(`number ${n} ${"x".repeat(80)}`));
    store.flush();
    const sizes = readdirSync(folder).map((name) => [name, statSync(join(folder, name)).size] as const);
    expect(sizes.map(([name]) => name).sort()).toEqual(["api.log", "api.log.1"]);
    for (const [name, size] of sizes) expect([name, size <= 128 * 1024]).toEqual([name, true]);
    const lines = await store.read(ALL);
    expect(lines.at(-1)!.message).toStartWith(`number ${count - 1} `);
    // Without a gap, over both files.
    const first = Number(lines[0]!.message.split(" ")[1]);
    expect(messages(lines).map((message) => Number(message.split(" ")[1]))).toEqual(
      Array.from({ length: count - first }, (_, index) => first + index),
    );
    expect(lines.length).toBeGreaterThan(300);
  });

  test("holds over restarts", async () => {
    for (let run = 0; run < 8; run++) {
      const store = open(256 * 1024);
      for (let n = 0; n < 300; n++) store.add(line(`run ${run} ${"x".repeat(200)}`));
      store.close();
    }
    const total = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    expect(total).toBeLessThanOrEqual(256 * 1024);
  });
});

describe("what is not as it should be", () => {
  test("a line that was cut is left out", async () => {
    const store = open();
    store.add(line("one"));
    store.close();
    appendFileSync(join(folder, "api.log"), '{"id":"1","time":17');
    const next = open();
    expect(messages(await next.read(ALL))).toEqual(["one"]);
    next.add(line("two"));
    expect(messages(await next.read(ALL))).toEqual(["one", "two"]);
  });

  test("a disk that takes nothing is said once, and nothing else breaks", async () => {
    const store = open();
    rmSync(folder, { recursive: true });
    store.add(line("a"));
    store.flush();
    store.add(line("b"));
    store.flush();
    expect(failures.length).toBe(1);
    expect(failures[0]).toContain("api.log");
    expect(await store.read(ALL)).toEqual([]);
  });

  test("a folder that cannot be made is an error", () => {
    writeFileSync(join(folder, "file"), "");
    expect(() => open(1, join(folder, "file", "logs"))).toThrow();
  });
});

test("tells those who listen at once", () => {
  const store = open();
  const heard: string[] = [];
  const stop = store.listen(({ message }) => heard.push(message));
  store.add(line("a"));
  stop();
  store.add(line("b"));
  expect(heard).toEqual(["a"]);
});

/**
 * Streams are bounded by windows, not by memory: a large upload into a slow app and a large download to a slow client leave every
 * process near its idle size. HEADRACE_TEST_STREAM_MIB=1024 runs the full size; the default proves the same in less time.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { ask, RawClient } from "./client.ts";
import { APPS, Headrace, PATIENCE_MS, residentBytes } from "./harness.ts";

const MIB = 1 << 20;
const SIZE = Number(process.env["HEADRACE_TEST_STREAM_MIB"] ?? 192) * MIB;
const BOUND = 64 * MIB;

setDefaultTimeout(PATIENCE_MS * 20);

let headrace: Headrace;

beforeAll(async () => {
  headrace = await Headrace.start(join(APPS, "raw_asgi.py"), {
    args: ["--gateways", "1", "--max-body", "0", "--access-log", "off"],
  });
  for (let n = 0; n < 200; n += 1) await ask(headrace.port, "GET", "/hello");
});
afterAll(() => headrace.stop());

/** Watches every process of the run; gives back by how much each has grown at most. */
function watch(): { grown(): Record<string, number> } {
  const idle = new Map(
    headrace.processes().map(({ pid, command }) => [pid, { command, idle: residentBytes(pid), peak: 0 }]),
  );
  const look = () => {
    for (const [pid, seen] of idle) seen.peak = Math.max(seen.peak, residentBytes(pid));
  };
  const timer = setInterval(look, 20);
  return {
    grown() {
      look();
      clearInterval(timer);
      return Object.fromEntries(
        [...idle].map(([pid, { command, idle: before, peak }]) => [`${pid} ${command}`, peak - before]),
      );
    },
  };
}

function expectBounded(grown: Record<string, number>): void {
  expect(Object.keys(grown).length).toBeGreaterThanOrEqual(3);
  expect(Object.entries(grown).filter(([, bytes]) => bytes > BOUND)).toEqual([]);
}

test("an upload into a slow app", async () => {
  const watched = watch();
  using client = await RawClient.open(headrace.port);
  const piece = new Uint8Array(MIB);
  const answer = client.request("PUT", "/upload?pause_ms=1", [`content-length: ${SIZE}`]).answer();
  for (let sent = 0; sent < SIZE; sent += piece.length) {
    if (!client.socket.write(piece)) await new Promise((resolve) => client.socket.once("drain", resolve));
  }
  expect(JSON.parse((await answer).body.toString()).size).toBe(SIZE);
  expectBounded(watched.grown());
});

test("a download to a slow client", async () => {
  const watched = watch();
  using client = await RawClient.open(headrace.port);
  client.request("GET", `/download?size=${SIZE}`);
  await client.head();
  let got = 0;
  while (got < SIZE) {
    // Reading stops for a moment after every MiB, so that the server is always ahead of the client.
    client.socket.pause();
    await Bun.sleep(2);
    client.socket.resume();
    got += (await client.bytes(Math.min(MIB, SIZE - got))).length;
  }
  expect(got).toBe(SIZE);
  expectBounded(watched.grown());
});

test("a download that nobody reads, then leaves", async () => {
  const watched = watch();
  const stuck = await Promise.all(Array.from({ length: 8 }, () => RawClient.open(headrace.port)));
  for (const client of stuck) {
    client.socket.pause();
    client.request("GET", `/download?size=${SIZE}`);
  }
  for (let n = 0; n < 100; n += 1) await ask(headrace.port, "GET", "/hello");
  for (const client of stuck) client.close();
  expect((await ask(headrace.port, "GET", "/hello")).status).toBe(200);
  expectBounded(watched.grown());
});

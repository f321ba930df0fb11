/**
 * Streams are bounded by windows, not by memory: a 1 GiB upload into a slow app and a 1 GiB download to a slow client leave every
 * process near its idle size. HEADRACE_TEST_STREAM_MIB sets another size.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { selfSigned } from "./certificate.ts";
import { ask, RawClient } from "./client.ts";
import { APPS, eventually, Headrace, PATIENCE_MS, residentBytes, scratchFolder } from "./harness.ts";

const MIB = 1 << 20;
const SIZE = Number(process.env["HEADRACE_TEST_STREAM_MIB"] ?? 1024) * MIB;
const BOUND = 64 * MIB;

setDefaultTimeout(PATIENCE_MS * 20);

/** Watches every process of a run; gives back by how much each has grown at most. */
function watch(headrace: Headrace): { grown(): Record<string, number> } {
  const seen = headrace
    .processes()
    .map(({ pid, command }) => ({ pid, command, idle: residentBytes(pid), peak: 0 }));
  const look = () => {
    for (const each of seen) each.peak = Math.max(each.peak, residentBytes(each.pid));
  };
  const timer = setInterval(look, 20);
  return {
    grown() {
      look();
      clearInterval(timer);
      return Object.fromEntries(
        seen.map(({ pid, command, idle, peak }) => [`${pid} ${command}`, peak - idle]),
      );
    },
  };
}

function expectBounded(grown: Record<string, number>): void {
  expect(Object.keys(grown).length).toBeGreaterThanOrEqual(3);
  expect(Object.entries(grown).filter(([, bytes]) => bytes > BOUND)).toEqual([]);
}

describe.each(["http", "https"] as const)("over %s", (scheme) => {
  const folder = scratchFolder();
  let headrace: Headrace;
  const open = () => (scheme === "https" ? RawClient.openTls(headrace.port) : RawClient.open(headrace.port));

  beforeAll(async () => {
    const pair = selfSigned();
    const [cert, key] = [join(folder.path, "cert.pem"), join(folder.path, "key.pem")];
    writeFileSync(cert, pair.cert);
    writeFileSync(key, pair.key);
    const args = ["--gateways", "1", "--max-body", "0", "--access-log", "off", "--send-timeout", "0"];
    if (scheme === "https") args.push("--tls-cert", cert, "--tls-key", key);
    headrace = await Headrace.start(join(APPS, "raw_asgi.py"), { args, scheme });
    using client = await open();
    for (let n = 0; n < 200; n += 1) await client.request("GET", "/hello").answer();
  });
  afterAll(async () => {
    await headrace.stop();
    folder[Symbol.dispose]();
  });

  test("an upload into a slow app", async () => {
    const watched = watch(headrace);
    using client = await open();
    const piece = new Uint8Array(MIB);
    const answer = client.request("PUT", "/upload?pause_ms=1", [`content-length: ${SIZE}`]).answer();
    for (let sent = 0; sent < SIZE; sent += piece.length) {
      if (!client.socket.write(piece)) await new Promise((resolve) => client.socket.once("drain", resolve));
    }
    expect(JSON.parse((await answer).body.toString()).size).toBe(SIZE);
    expectBounded(watched.grown());
  });

  test("a download to a slow client", async () => {
    const watched = watch(headrace);
    using client = await open();
    client.request("GET", `/download?size=${SIZE}`);
    await client.head();
    let got = 0;
    while (got < SIZE) {
      // The client stops reading after every MiB, so that the server is always ahead of it.
      client.socket.pause();
      await Bun.sleep(2);
      client.socket.resume();
      got += (await client.bytes(Math.min(MIB, SIZE - got))).length;
    }
    expect(got).toBe(SIZE);
    expectBounded(watched.grown());
  });

  test("downloads that nobody reads, then leaves", async () => {
    const watched = watch(headrace);
    const stuck = await Promise.all(Array.from({ length: 4 }, open));
    for (const client of stuck) {
      client.request("GET", `/download?size=${SIZE}`);
      client.socket.pause();
    }
    const inFlight = async () => (await headrace.status()).instances[0]?.inFlight;
    await eventually("the downloads", async () => ((await inFlight()) === 4 ? true : undefined));
    using other = await open();
    for (let n = 0; n < 2000; n += 1) await other.request("GET", "/hello").answer();
    expect(await inFlight()).toBe(4);
    for (const client of stuck) client.close();
    await eventually("the apps to hear of it", async () => ((await inFlight()) === 0 ? true : undefined));
    expectBounded(watched.grown());
  });
});

test("small requests over many connections leave nothing behind", async () => {
  await using headrace = await Headrace.start(join(APPS, "raw_asgi.py"), {
    args: ["--gateways", "1", "--access-log", "off"],
  });
  const round = () => Promise.all(Array.from({ length: 500 }, () => ask(headrace.port, "GET", "/hello")));
  for (let n = 0; n < 4; n += 1) await round();
  const watched = watch(headrace);
  for (let n = 0; n < 8; n += 1) await round();
  expectBounded(watched.grown());
});

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { agreeOnDeflate, type DeflateParams, MessageDeflater, MessageInflater } from "./deflate.ts";
import { parseExtensions } from "./handshake.ts";
import { EchoServer } from "./testing/echo.ts";
import { closing, masked, RawClient } from "./testing/raw-client.ts";

// A loaded machine is slow, not broken.
setDefaultTimeout(60_000);

const SYNC = { finishFlush: constants.Z_SYNC_FLUSH };
const TAIL = Buffer.from([0, 0, 255, 255]);

function agree(value: string): string | null {
  return agreeOnDeflate(parseExtensions(value) ?? [])?.header ?? null;
}

function pack(bytes: Uint8Array): Buffer {
  return deflateRawSync(bytes, SYNC).subarray(0, -4);
}

function unpack(bytes: Uint8Array): Buffer {
  return inflateRawSync(Buffer.concat([bytes, TAIL]), SYNC);
}

/** Runs a part through and returns how it ended. */
function inflate(inflater: MessageInflater, chunk: Uint8Array, last: boolean, out: Uint8Array[]): string {
  inflater.push(chunk, last);
  for (let found = inflater.pull(); ; found = inflater.pull()) {
    if (typeof found === "string") return found;
    if (found === null) break;
    expect(found.length).toBeLessThanOrEqual(64 * 1024);
    out.push(found);
  }
  if (last) inflater.endMessage();
  return "done";
}

const PARAMS: DeflateParams = { serverWindowBits: 15, clientWindowBits: 15, clientNoContextTakeover: true };

describe("negotiation", () => {
  const base = "permessage-deflate; server_no_context_takeover";
  for (const [offer, answer] of [
    ["permessage-deflate", `${base}; client_no_context_takeover`],
    ["permessage-deflate; client_max_window_bits", `${base}; client_max_window_bits=12`],
    ["permessage-deflate; client_max_window_bits=10", `${base}; client_max_window_bits=10`],
    ['permessage-deflate; client_max_window_bits="9"', `${base}; client_max_window_bits=9`],
    ["permessage-deflate; client_max_window_bits=8", `${base}; client_max_window_bits=8`],
    [
      "permessage-deflate; server_max_window_bits=9; client_no_context_takeover; client_max_window_bits",
      `${base}; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=12`,
    ],
    ["permessage-deflate; server_max_window_bits=8", null],
    [
      "permessage-deflate; server_max_window_bits=8, permessage-deflate",
      `${base}; client_no_context_takeover`,
    ],
    ["permessage-deflate; server_max_window_bits", null],
    ["permessage-deflate; server_max_window_bits=16", null],
    ["permessage-deflate; client_max_window_bits=7", null],
    ["permessage-deflate; client_max_window_bits=09", null],
    ["permessage-deflate; server_no_context_takeover=1", null],
    ["permessage-deflate; server_no_context_takeover; server_no_context_takeover", null],
    ["permessage-deflate; unknown", null],
    ["x-webkit-deflate-frame", null],
    ["foo; bar=1, permessage-deflate; client_no_context_takeover", `${base}; client_no_context_takeover`],
  ] as const) {
    test(offer, () => expect(agree(offer)).toBe(answer));
  }

  test("a broken header is told from an unknown extension", () => {
    expect(parseExtensions("permessage-deflate; a=b c")).toBeNull();
    expect(parseExtensions("permessage deflate")).toBeNull();
    expect(parseExtensions("a; b=, c")).toBeNull();
    expect(parseExtensions("a, , b")).toHaveLength(2);
  });
});

describe("messages", () => {
  test("what is compressed in parts comes out whole", () => {
    const deflater = new MessageDeflater(PARAMS);
    for (let round = 0; round < 3; round++) {
      const parts = ["", "hello ", "hello ", "", "hello"].map((part) => Buffer.from(part));
      const packed = parts.map((part, at) => deflater.run(part, at === parts.length - 1));
      expect(unpack(Buffer.concat(packed)).toString()).toBe("hello hello hello");
    }
    expect(unpack(deflater.run(Buffer.from("abc".repeat(99)), true)).toString()).toBe("abc".repeat(99));
    expect(unpack(deflater.run(Buffer.alloc(0), true)).length).toBe(0);
    const large = Buffer.from(Array.from({ length: 200_000 }, (_, n) => (n * 2654435761) >>> 24));
    expect(unpack(deflater.run(large, true)).equals(large)).toBe(true);
  });

  test("the window keeps to what was agreed", () => {
    const deflater = new MessageDeflater({ ...PARAMS, serverWindowBits: 9 });
    const far = Buffer.concat([
      Buffer.from("needle in a haystack"),
      Buffer.from(Array.from({ length: 600 }, (_, n) => n * 7)),
      Buffer.from("needle in a haystack"),
    ]);
    const packed = deflater.run(far, true);
    const small = inflateRawSync(Buffer.concat([packed, TAIL]), { ...SYNC, windowBits: 9 });
    expect(small.equals(far)).toBe(true);
  });

  test("the client's context is taken over when that was agreed, and only then", () => {
    const first = Buffer.from("a sentence that comes again");
    const both = deflateRawSync(first, SYNC);
    const again = deflateRawSync(first, { ...SYNC, dictionary: first }).subarray(0, -4);
    expect(again.length).toBeLessThan(12);
    const keeps = new MessageInflater({ ...PARAMS, clientNoContextTakeover: false }, 1000);
    const out: Uint8Array[] = [];
    expect(inflate(keeps, both.subarray(0, -4), true, out)).toBe("done");
    expect(inflate(keeps, again, true, out)).toBe("done");
    expect(Buffer.concat(out).toString()).toBe(first.toString().repeat(2));
    const forgets = new MessageInflater(PARAMS, 1000);
    expect(inflate(forgets, both.subarray(0, -4), true, [])).toBe("done");
    expect(inflate(forgets, again, true, [])).toBe("invalid");
  });

  test("a final block and what follows it (RFC 7692 §7.2.3.4)", () => {
    const out: Uint8Array[] = [];
    const inflater = new MessageInflater(PARAMS, 1000);
    expect(inflate(inflater, Buffer.from("f348cdc9c9070000", "hex"), true, out)).toBe("done");
    expect(Buffer.concat(out).toString()).toBe("Hello");
  });

  test("a bomb stops at the limit", () => {
    const bomb = pack(Buffer.alloc(200 * 1024 * 1024));
    const pieces: Uint8Array[] = [];
    expect(inflate(new MessageInflater(PARAMS, 1_000_000), bomb, true, pieces)).toBe("too-big");
    expect(pieces.reduce((sum, piece) => sum + piece.length, 0)).toBeLessThanOrEqual(1_000_000);
    const exact = new MessageInflater(PARAMS, 1000);
    expect(inflate(exact, pack(Buffer.alloc(1000)), true, [])).toBe("done");
    expect(inflate(exact, pack(Buffer.alloc(1001)), true, [])).toBe("too-big");
  });
});

describe("over a connection", () => {
  test("echoes compressed messages of many sizes, fragmented or not", async () => {
    const server = new EchoServer();
    for (const offer of [
      "permessage-deflate",
      "permessage-deflate; client_no_context_takeover; client_max_window_bits",
      "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9",
    ]) {
      const client = await RawClient.open(server.port, offer);
      expect(client.head).toContain("permessage-deflate");
      let expected = Buffer.alloc(0);
      for (const size of [0, 1, 16, 64, 255, 256, 1024, 8192, 70_000, 300_000]) {
        const bytes = Buffer.from(JSON.stringify({ size }).repeat(Math.ceil(size / 10))).subarray(0, size);
        const packed = deflateRawSync(bytes, { ...SYNC, windowBits: 9 }).subarray(0, -4);
        const half = packed.length >> 1;
        client.send(masked(0xc1, packed));
        client.send(masked(0x41, packed.subarray(0, half)));
        client.send(masked(0x89, "between"));
        client.send(masked(0x80, packed.subarray(half)));
        expected = Buffer.concat([expected, bytes, bytes]);
      }
      client.send(masked(0x88, closing(1000)));
      expect(await client.closeCode()).toBe(1000);
      expect(client.frames.filter((frame) => frame.opcode === 10)).toHaveLength(10);
      expect(received(client).equals(expected)).toBe(true);
    }
    expect(server.records.map((record) => record.messages)).toEqual([20, 20, 20]);
    server.stop();
  });

  test("large messages go out compressed, tiny ones and what does not compress as they are", async () => {
    const server = new EchoServer();
    const client = await RawClient.open(server.port, "permessage-deflate");
    const noise = crypto.getRandomValues(new Uint8Array(5000));
    client.send(Buffer.concat([masked(0x82, Buffer.alloc(5000)), masked(0x82, "tiny"), masked(0x82, noise)]));
    await client.until(() => client.frames.length === 3);
    expect(client.frames.map((frame) => frame.rsv1)).toEqual([true, false, false]);
    expect(client.frames[0]!.payload.length).toBeLessThan(100);
    client.cut();
    server.stop();
  });

  test("a message that was compressed a thousandfold is made only as fast as it is taken", async () => {
    let taken = 0;
    const server = new EchoServer({
      settings: { maxMessage: 0 },
      window: 100_000,
      onMessage: (_s, _t, chunk) => (taken += chunk.length),
    });
    const client = await RawClient.open(server.port, "permessage-deflate");
    const size = 300 * 1024 * 1024;
    const message = masked(0xc2, pack(Buffer.alloc(size)));
    // What packing took is let go first: this is about what comes after.
    Bun.gc(true);
    const before = process.memoryUsage.rss();
    client.send(message);
    const clock = await RawClient.open(server.port);
    let turn = 0;
    for (; turn < 50 || taken < 100_000; turn++) {
      clock.send(masked(0x89, "turn"));
      await clock.frame(turn);
    }
    expect(taken).toBe(100_000);
    const { session } = server.records[0]!;
    for (; taken < size; turn++) {
      session.grant(10_000_000);
      clock.send(masked(0x89, "turn"));
      await clock.frame(turn);
    }
    expect(taken).toBe(size);
    client.cut();
    server.stop();
    // Generous: the test's own buffers and the collector's delay are in it, the whole message is not.
    expect(process.memoryUsage.rss() - before).toBeLessThan(size);
  });

  for (const [name, first, payload, code] of [
    ["a bomb", 0xc2, pack(Buffer.alloc(64 * 1024 * 1024)), 1009],
    ["broken data", 0xc2, Buffer.from("ffffff", "hex"), 1007],
    ["text that is not UTF-8", 0xc1, pack(Buffer.from("c328", "hex")), 1007],
  ] as const) {
    test(`${name} closes with ${code}`, async () => {
      const server = new EchoServer({ settings: { maxMessage: 1 << 20 } });
      const client = await RawClient.open(server.port, "permessage-deflate");
      client.send(masked(first, payload));
      expect(await client.closeCode()).toBe(code);
      expect((await server.closed(0)).closedCode).toBe(code);
      server.stop();
    });
  }

  test("is not agreed on when it is switched off", async () => {
    const server = new EchoServer({ settings: { deflate: false } });
    const client = await RawClient.open(server.port, "permessage-deflate");
    expect(client.head.toLowerCase()).not.toContain("extensions");
    client.send(masked(0xc1, pack(Buffer.from("x"))));
    expect(await client.closeCode()).toBe(1002);
    server.stop();
  });
});

/** All data of the server's messages, decompressed. */
function received(client: RawClient): Buffer {
  const out: Buffer[] = [];
  let parts: Buffer[] = [];
  let compressed = false;
  for (const frame of client.frames) {
    if (frame.opcode >= 8) continue;
    if (frame.opcode !== 0) compressed = frame.rsv1;
    parts.push(frame.payload);
    if (!frame.fin) continue;
    const whole = Buffer.concat(parts);
    out.push(compressed ? unpack(whole) : whole);
    parts = [];
  }
  return Buffer.concat(out);
}

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { EchoServer } from "./testing/echo.ts";
import { closing, masked, RawClient } from "./testing/raw-client.ts";

// A loaded machine is slow, not broken.
setDefaultTimeout(60_000);

/**
 * The cases of the Autobahn test suite (fuzzing client, sections 1 to 7), written anew as a table: what the client
 * sends, what comes back, and the close code. Every case runs three times: frame by
 * frame, in one piece, and in pieces that fall where they may.
 */

const TEXT = 0x81;
const BINARY = 0x82;
const CLOSE = 0x88;
const PING = 0x89;
const PONG = 0x8a;
const bye = masked(CLOSE, closing(1000));

interface Case {
  readonly id: string;
  readonly send: readonly Uint8Array[];
  /** Frames expected before the close: opcode and payload of whole messages. */
  readonly echo: ReadonlyArray<readonly [opcode: number, payload: Uint8Array | string]>;
  readonly close: number;
}

const cases: Case[] = [];
function add(id: string, send: Uint8Array[], echo: Case["echo"], close = 1000): void {
  cases.push({ id, send, echo, close });
}

// 1: framing of text and binary messages of many sizes.
for (const size of [0, 1, 125, 126, 127, 128, 65535, 65536]) {
  const text = "*".repeat(size);
  const bytes = Buffer.alloc(size, 0xfe);
  add(`1.1 text of ${size}`, [masked(TEXT, text), bye], [[1, text]]);
  add(`1.2 binary of ${size}`, [masked(BINARY, bytes), bye], [[2, bytes]]);
}
add("1.x mask of zeros", [masked(TEXT, "plain", [0, 0, 0, 0]), bye], [[1, "plain"]]);

// 2: pings and pongs.
add("2.1 ping without payload", [masked(PING, ""), bye], [[10, ""]]);
add("2.2 ping with text", [masked(PING, "Hello, world!"), bye], [[10, "Hello, world!"]]);
add(
  "2.3 ping with binary",
  [masked(PING, Buffer.from([0, 255, 254, 253])), bye],
  [[10, Buffer.from([0, 255, 254, 253])]],
);
add("2.4 ping of 125", [masked(PING, Buffer.alloc(125, 0xfe)), bye], [[10, Buffer.alloc(125, 0xfe)]]);
add("2.5 ping of 126", [masked(PING, Buffer.alloc(126, 0xfe)), bye], [], 1002);
add("2.7 pong not asked for", [masked(PONG, ""), bye], []);
add("2.8 pong with payload", [masked(PONG, "unsolicited"), bye], []);
add("2.9 pong, then ping", [masked(PONG, "x"), masked(PING, "y"), bye], [[10, "y"]]);
add(
  "2.10 ten pings",
  [...Array.from({ length: 10 }, (_, n) => masked(PING, `ping ${n}`)), bye],
  Array.from({ length: 10 }, (_, n) => [10, `ping ${n}`] as const),
);

// 3: reserved bits.
for (const bits of [0x40, 0x20, 0x30, 0x10, 0x50, 0x60, 0x70]) {
  add(
    `3 text, reserved bits ${bits}`,
    [masked(TEXT, "first"), masked(TEXT | bits, "second"), bye],
    [[1, "first"]],
    1002,
  );
}
add("3.6 binary with reserved bits", [masked(BINARY | 0x60, Buffer.alloc(8))], [], 1002);
add("3.7 close with reserved bits", [masked(CLOSE | 0x70, closing(1000))], [], 1002);
add("3.8 ping with RSV1", [masked(PING | 0x40, "")], [], 1002);

// 4: reserved opcodes.
for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
  add(
    `4 opcode ${opcode}`,
    [masked(TEXT, "first"), masked(0x80 | opcode, "second"), bye],
    [[1, "first"]],
    1002,
  );
}

// 5: fragmentation.
add("5.1 fragmented ping", [masked(0x09, "fragment"), masked(0x80, "ed")], [], 1002);
add("5.2 fragmented pong", [masked(0x0a, "fragment"), masked(0x80, "ed")], [], 1002);
add("5.3 text in two", [masked(0x01, "one "), masked(0x80, "two"), bye], [[1, "one two"]]);
add(
  "5.6 ping between fragments",
  [masked(0x01, "one "), masked(PING, "p"), masked(0x80, "two"), bye],
  [
    [10, "p"],
    [1, "one two"],
  ],
);
add("5.9 continuation first", [masked(0x80, "nothing"), masked(TEXT, "hi"), bye], [], 1002);
add("5.12 unfinished continuation first", [masked(0x00, "nothing"), masked(TEXT, "hi"), bye], [], 1002);
add(
  "5.15 continuation after the end",
  [masked(0x01, "a"), masked(0x80, "b"), masked(0x00, "c"), bye],
  [[1, "ab"]],
  1002,
);
add("5.18 text inside text", [masked(0x01, "a"), masked(TEXT, "b"), bye], [], 1002);
add(
  "5.19 fragments and pings",
  [
    masked(0x01, "a"),
    masked(0x00, "b"),
    masked(PING, "1"),
    masked(0x00, "c"),
    masked(PING, "2"),
    masked(0x80, "d"),
    bye,
  ],
  [
    [10, "1"],
    [10, "2"],
    [1, "abcd"],
  ],
);
add("5.x empty fragments", [masked(0x01, ""), masked(0x00, ""), masked(0x80, ""), bye], [[1, ""]]);
add("5.x empty middle", [masked(0x02, "a"), masked(0x00, ""), masked(0x80, "b"), bye], [[2, "ab"]]);

// 6: UTF-8.
const kosme = "Hello-µ@ßöäüàá-UTF-8!!κόσμε";
add("6.1 empty text", [masked(TEXT, ""), bye], [[1, ""]]);
add("6.2 valid, in one", [masked(TEXT, kosme), bye], [[1, kosme]]);
add(
  "6.2.3 valid, one byte a fragment",
  [
    ...[...Buffer.from(kosme)].map((byte, at) => masked(at === 0 ? 0x01 : 0x00, Buffer.from([byte]))),
    masked(0x80, ""),
    bye,
  ],
  [[1, kosme]],
);
for (const hex of [
  "cebae1bdb9cf83cebcceb5eda080656469746564",
  "cebae1bdb9cf83cebcceb5f4908080656469746564",
  "80",
  "bf",
  "8080",
  "c0af",
  "e080af",
  "f08080af",
  "c1bf",
  "e09fbf",
  "f08fbfbf",
  "eda080",
  "edafbf",
  "edb080",
  "edbfbf",
  "eda080edb080",
  "f4908080",
  "f7bfbfbf",
  "f888808080",
  "fe",
  "ff",
  "c3",
  "e282",
  "f09f98",
  "c328",
  "e28228",
  "f09f2828",
]) {
  const bytes = Buffer.from(hex, "hex");
  add(`6.3 invalid ${hex}`, [masked(TEXT, bytes), bye], [], 1007);
  add(`6.4 invalid ${hex} after a fragment`, [masked(0x01, "ok"), masked(0x80, bytes), bye], [], 1007);
}
for (const hex of [
  "cebae1bdb9cf83cebcceb5",
  "00",
  "7f",
  "c280",
  "dfbf",
  "e0a080",
  "efbfbf",
  "ed9fbf",
  "ee8080",
  "efbfbd",
  "f0908080",
  "f48fbfbf",
  "f09fbfbe",
  "efbfbe",
]) {
  const bytes = Buffer.from(hex, "hex");
  add(`6.5 valid ${hex}`, [masked(TEXT, bytes), bye], [[1, bytes]]);
  if (bytes.length > 1) {
    add(
      `6.6 valid ${hex} cut`,
      [masked(0x01, bytes.subarray(0, 1)), masked(0x80, bytes.subarray(1)), bye],
      [[1, bytes]],
    );
  }
}

// 7: closing.
add("7.1.1 message, then close", [masked(TEXT, "Hello"), bye], [[1, "Hello"]]);
add("7.1.2 two closes", [bye, bye], []);
add("7.1.3 ping after close", [bye, masked(PING, "late")], []);
add("7.1.4 text after close", [bye, masked(TEXT, "late")], []);
add("7.1.5 close inside a fragmented message", [masked(0x01, "a"), bye, masked(0x80, "b")], []);
add("7.3.1 empty close", [masked(CLOSE, "")], [], 1005);
add("7.3.2 close of one byte", [masked(CLOSE, "x")], [], 1002);
add("7.3.4 close with reason", [masked(CLOSE, closing(1000, "done"))], []);
add("7.3.5 longest reason", [masked(CLOSE, closing(1000, "*".repeat(123)))], []);
add("7.3.6 reason too long", [masked(CLOSE, closing(1000, "*".repeat(124)))], [], 1002);
add("7.5.1 reason not UTF-8", [masked(CLOSE, closing(1000, Buffer.from("cebaeda080", "hex")))], [], 1007);
for (const code of [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
]) {
  add(`7.7 valid code ${code}`, [masked(CLOSE, closing(code))], [], code);
}
for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]) {
  add(`7.9 invalid code ${code}`, [masked(CLOSE, closing(code))], [], 1002);
}

// Beyond Autobahn: what the framing forbids.
add("unmasked frame", [Buffer.from([0x81, 0x01, 0x61])], [], 1002);
add("16-bit length for 125", [Buffer.from([0x82, 0xfe, 0, 125])], [], 1002);
add("64-bit length for 65535", [Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff])], [], 1002);
add("64-bit length with its top bit", [Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1])], [], 1002);
add("length over the limit", [Buffer.from([0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0])], [], 1009);

/** Joins data frames to messages. */
function messages(client: RawClient): Array<[number, Buffer]> {
  const out: Array<[number, Buffer]> = [];
  let open: [number, Buffer] | null = null;
  for (const frame of client.frames) {
    if (frame.opcode === 8) continue;
    if (frame.opcode > 8) {
      out.push([frame.opcode, frame.payload]);
      continue;
    }
    open = open === null ? [frame.opcode, frame.payload] : [open[0], Buffer.concat([open[1], frame.payload])];
    if (frame.fin) {
      out.push(open);
      open = null;
    }
  }
  return out;
}

async function run(server: EchoServer, one: Case, pieces: readonly Uint8Array[]): Promise<void> {
  const index = server.records.length;
  const client = await RawClient.open(server.port);
  for (const piece of pieces) client.send(piece);
  expect(await client.closeCode()).toBe(one.close);
  expect(messages(client)).toEqual(
    one.echo.map(([opcode, payload]) => [opcode, Buffer.from(payload as Uint8Array)]),
  );
  const record = await server.closed(index);
  expect(record.closedCode).toBe(one.close);
  expect(record.overdrawn).toBe(0);
}

describe("cases 1 to 7", () => {
  let server: EchoServer;
  beforeAll(() => {
    server = new EchoServer();
  });
  afterAll(() => server.stop());

  for (const one of cases) {
    test(one.id, async () => {
      const whole = Buffer.concat(one.send);
      await run(server, one, one.send);
      await run(server, one, [whole]);
      const step = whole.length > 400 ? Math.ceil(whole.length / 50) : 1;
      const pieces = Array.from({ length: Math.ceil(whole.length / step) }, (_, n) =>
        whole.subarray(n * step, (n + 1) * step),
      );
      await run(server, one, pieces);
    });
  }
});

import { describe, expect, test } from "bun:test";
import { Flag, HEADER_SIZE, MAX_PAYLOAD, ProtocolError, Type, writeHeader } from "./frame.ts";
import { FrameReader } from "./reader.ts";

interface Frame {
  type: number;
  flags: number;
  stream: number;
  payload: string;
}

function encode({ type, flags, stream, payload }: Frame): Uint8Array {
  const out = Buffer.alloc(HEADER_SIZE + payload.length);
  writeHeader(out, 0, payload.length, stream, type, flags);
  out.write(payload, HEADER_SIZE, "latin1");
  return out;
}

function readAll(reader: FrameReader, chunk: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  reader.push(chunk);
  while (reader.next()) {
    const payload = Buffer.from(reader.chunk.subarray(reader.start, reader.end)).toString("latin1");
    frames.push({ type: reader.type, flags: reader.flags, stream: reader.stream, payload });
  }
  return frames;
}

const FRAMES: Frame[] = [
  { type: Type.RESPONSE, flags: Flag.TRAILERS, stream: 1, payload: "\0\xc8content-type\0text/plain" },
  { type: Type.DATA, flags: 0, stream: 1, payload: "x".repeat(300) },
  { type: Type.DATA, flags: Flag.END | Flag.DONE, stream: 2147483647, payload: "" },
  { type: Type.PING, flags: 0, stream: 0, payload: "12345678" },
  { type: Type.WS_MESSAGE, flags: Flag.TEXT, stream: 7, payload: "hello" },
];

describe("frames", () => {
  const wire = Buffer.concat(FRAMES.map(encode));

  test("come out as they were sent", () => {
    expect(readAll(new FrameReader(), wire)).toEqual(FRAMES);
  });

  test("come out the same however the bytes are cut in two", () => {
    for (let cut = 0; cut <= wire.length; cut++) {
      const reader = new FrameReader();
      const frames = [...readAll(reader, wire.subarray(0, cut)), ...readAll(reader, wire.subarray(cut))];
      expect(frames).toEqual(FRAMES);
    }
  });

  test("come out the same byte by byte, and in threes", () => {
    for (const size of [1, 3, 17]) {
      const reader = new FrameReader();
      const frames: Frame[] = [];
      for (let at = 0; at < wire.length; at += size)
        frames.push(...readAll(reader, wire.subarray(at, at + size)));
      expect(frames).toEqual(FRAMES);
    }
  });

  test("of the largest size pass", () => {
    const frame = { type: Type.DATA, flags: 0, stream: 3, payload: "y".repeat(MAX_PAYLOAD) };
    const bytes = encode(frame);
    const reader = new FrameReader();
    const got: Frame[] = [];
    for (let at = 0; at < bytes.length; at += 65_536)
      got.push(...readAll(reader, bytes.subarray(at, at + 65_536)));
    expect(got).toEqual([frame]);
  });
});

describe("invalid frames are refused with their reason and place", () => {
  const header = (length: number, stream: number, type: number, flags: number): Uint8Array => {
    const out = new Uint8Array(HEADER_SIZE);
    writeHeader(out, 0, length, stream, type, flags);
    return out;
  };
  test.each([
    ["unknown type", header(0, 1, 0x7f, 0), "unknown type 0x7f at byte 18"],
    ["a gateway's type", header(10, 1, Type.REQUEST, 0), "unknown type 0x02 at byte 18"],
    ["unknown flag", header(0, 1, Type.DATA, 0x10), "type 0x04 with flags 0x10 at byte 18"],
    ["stream 0 for data", header(0, 0, Type.DATA, 0), "type 0x04 on stream 0 at byte 18"],
    ["a stream for PING", header(8, 5, Type.PING, 0), "type 0x20 on stream 5 at byte 18"],
    ["stream too large", header(0, 0x80000000, Type.DATA, 0), "type 0x04 on stream 2147483648 at byte 18"],
    ["payload too long", header(MAX_PAYLOAD + 1, 1, Type.DATA, 0), "type 0x04 with 1048577 bytes"],
    ["payload too short", header(1, 1, Type.RESPONSE, 0), "type 0x03 with 1 bytes"],
    ["DONE with payload", header(1, 1, Type.DONE, 0), "type 0x0a with 1 bytes"],
    ["all ones", new Uint8Array(HEADER_SIZE).fill(255), "unknown type 0xff"],
  ])("%s", (_name, bytes, message) => {
    const reader = new FrameReader();
    readAll(reader, encode(FRAMES[3]!));
    expect(() => readAll(reader, bytes)).toThrow(ProtocolError);
    const again = new FrameReader();
    readAll(again, encode(FRAMES[3]!));
    expect(() => readAll(again, bytes)).toThrow(message);
  });
});

test("damaged streams end in frames or a ProtocolError, nothing else", () => {
  // A small linear congruential generator: the same damage on every run.
  let seed = 20_261;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return seed % below;
  };
  const wire = Buffer.concat(FRAMES.map(encode));
  let refused = 0;
  for (let round = 0; round < 30_000; round++) {
    const damaged = Buffer.from(wire);
    for (let hits = 1 + random(4); hits > 0; hits--) damaged[random(damaged.length)] = random(256);
    const reader = new FrameReader();
    try {
      for (let at = 0; at < damaged.length; ) {
        const end = at + 1 + random(120);
        for (const frame of readAll(reader, damaged.subarray(at, end)))
          expect(frame.payload.length).toBeLessThanOrEqual(MAX_PAYLOAD);
        at = end;
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(1_000);
});

import { describe, expect, test } from "bun:test";
import { closePayload, isSendableCode, parseClose } from "./close.ts";
import { CloseCode, Found, FrameDecoder, Opcode } from "./frame.ts";
import { firstByte, frame } from "./frame-writer.ts";
import { unmask } from "./mask.ts";
import { masked } from "./testing/raw-client.ts";
import { Utf8Validator } from "./utf8.ts";

/** Everything a decoder finds in `pieces`, as text, with pieces of messages joined. */
function decode(pieces: readonly Uint8Array[], limit: number, maxMessage = 1 << 20): string {
  const decoder = new FrameDecoder(maxMessage, true);
  let out = "";
  let message = "";
  for (const piece of pieces) {
    decoder.push(Uint8Array.from(piece));
    while (true) {
      const found = decoder.next(limit);
      if (found === Found.NOTHING) break;
      if (found === Found.FAILED) return `${out}failed ${decoder.code}`;
      if (found === Found.CONTROL)
        out += `control ${decoder.opcode} ${Buffer.from(decoder.payload).toString("hex")}\n`;
      if (found === Found.DATA) {
        if (!decoder.compressed) expect(decoder.payload.length).toBeLessThanOrEqual(limit);
        message += Buffer.from(decoder.payload).toString("hex");
        if (decoder.end) {
          out += `${decoder.text ? "text" : "binary"} ${decoder.compressed} ${message}\n`;
          message = "";
        }
      }
    }
  }
  return `${out}rest ${message}`;
}

/** A small generator of random numbers, so that a failure can be repeated. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * below);
  };
}

function randomFrames(pick: (below: number) => number, sizes: readonly number[]): Buffer {
  const frames: Buffer[] = [];
  let open = false;
  for (let n = pick(8) + 1; n > 0; n--) {
    if (pick(4) === 0) {
      frames.push(masked([0x88, 0x89, 0x8a][pick(3)]!, Buffer.alloc(pick(126), pick(256))));
      continue;
    }
    const last = pick(2) === 0;
    const opcode = open ? 0 : 1 + pick(2);
    const rsv1 = !open && pick(6) === 0 ? 0x40 : 0;
    const size = sizes[pick(sizes.length)]!;
    frames.push(
      masked((last ? 0x80 : 0) | rsv1 | opcode, Buffer.alloc(size, pick(256)), [pick(256), pick(256), 1, 2]),
    );
    open = !last;
  }
  return Buffer.concat(frames);
}

describe("FrameDecoder", () => {
  test("finds the same however the bytes are cut and whatever the limit is", () => {
    const pick = random(1);
    for (let round = 0; round < 150; round++) {
      const bytes = randomFrames(pick, [0, 1, 5, 125, 126, 300, 65535, 65536]);
      const whole = decode([bytes], Number.MAX_SAFE_INTEGER);
      const pieces: Uint8Array[] = [];
      const widest = bytes.length > 2000 ? 5000 : 7;
      for (let at = 0; at < bytes.length; ) {
        const size = 1 + pick(widest);
        pieces.push(bytes.subarray(at, at + size));
        at += size;
      }
      expect(decode(pieces, 1 + pick(1000))).toBe(whole);
    }
  });

  test("never throws on damaged frames, and stays failed", () => {
    const pick = random(2);
    let failed = 0;
    for (let round = 0; round < 20_000; round++) {
      const bytes =
        round % 2 === 0
          ? Buffer.from(randomFrames(pick, [0, 1, 5, 125, 126, 300]).subarray(0, 400))
          : Buffer.alloc(pick(60));
      for (let n = pick(6); n >= 0; n--)
        if (bytes.length > 0) bytes[pick(Math.min(bytes.length, 24))] = pick(256);
      const decoder = new FrameDecoder(100_000, pick(2) === 0);
      decoder.push(bytes);
      let found = decoder.next(64);
      let guard = 0;
      for (; found === Found.DATA || found === Found.CONTROL; guard++) found = decoder.next(64);
      expect(guard).toBeLessThan(1000);
      if (found === Found.FAILED) {
        failed++;
        expect([CloseCode.PROTOCOL_ERROR, CloseCode.TOO_BIG]).toContain(decoder.code as 1002);
        decoder.push(masked(0x81, "fine"));
        expect(decoder.next(64)).toBe(Found.FAILED);
      }
    }
    expect(failed).toBeGreaterThan(1000);
  });

  test("fails on a length over the limit before the mask or any payload has come", () => {
    const decoder = new FrameDecoder(1000, false);
    decoder.push(Uint8Array.of(0x82, 0xfe, 0x03, 0xe9));
    expect(decoder.next(64)).toBe(Found.FAILED);
    expect(decoder.code).toBe(CloseCode.TOO_BIG);
  });

  test("counts the fragments of a message together", () => {
    expect(decode([masked(0x02, Buffer.alloc(600)), masked(0x80, Buffer.alloc(401))], 1e9, 1000)).toStartWith(
      "failed 1009",
    );
    const two = [
      masked(0x02, Buffer.alloc(600)),
      masked(0x80, Buffer.alloc(400)),
      masked(0x82, Buffer.alloc(1000)),
    ];
    expect(decode(two, 1e9, 1000)).toEndWith("rest ");
  });

  test("is blocked without a limit to give, except by what has no bytes", () => {
    const decoder = new FrameDecoder(0, false);
    decoder.push(Buffer.concat([masked(0x82, ""), masked(0x89, "p"), masked(0x82, "abc")]));
    expect(decoder.next(0)).toBe(Found.DATA);
    expect(decoder.next(0)).toBe(Found.CONTROL);
    expect(decoder.next(0)).toBe(Found.BLOCKED);
    expect(decoder.next(2)).toBe(Found.DATA);
    expect([...decoder.payload]).toEqual([...Buffer.from("ab")]);
    expect(decoder.next(0)).toBe(Found.BLOCKED);
    expect(decoder.held).toBe(1);
  });
});

test("unmask agrees with the byte-wise definition at every alignment and phase", () => {
  const mask = Uint8Array.of(9, 0x12, 0xa5, 0x5a, 0xff);
  for (let offset = 0; offset < 8; offset++) {
    for (let phase = 0; phase < 4; phase++) {
      for (const length of [0, 1, 63, 64, 65, 130, 131]) {
        const bytes = new Uint8Array(offset + length).map((_, at) => at * 7);
        const expected = bytes.map((byte, at) =>
          at < offset ? byte : byte ^ mask[1 + ((phase + at - offset) & 3)]!,
        );
        unmask(bytes.subarray(offset), mask, 1, phase);
        expect(bytes).toEqual(expected);
      }
    }
  }
});

test("frame writes the shortest head", () => {
  const first = firstByte(Opcode.BINARY, true, false);
  for (const [length, head] of [
    [125, "827d"],
    [126, "827e007e"],
    [65535, "827effff"],
    [65536, "827f0000000000010000"],
  ] as const) {
    const bytes = Buffer.from(frame(first, new Uint8Array(length)));
    expect(bytes.subarray(0, head.length / 2).toString("hex")).toBe(head);
    expect(bytes.length).toBe(head.length / 2 + length);
  }
});

describe("close payloads", () => {
  test("round trip", () => {
    expect(parseClose(closePayload(4001, "späte Zeit"))).toEqual({
      code: 4001,
      reason: "späte Zeit",
      bad: false,
    });
    expect(parseClose(closePayload(1005, ""))).toEqual({ code: 1005, reason: "", bad: false });
  });

  test("a long reason is cut between characters", () => {
    const payload = closePayload(1000, "é".repeat(100));
    expect(payload.length).toBe(2 + 122);
    expect(parseClose(payload).reason).toBe("é".repeat(61));
  });

  test("a code that must not be sent becomes 1011", () => {
    for (const code of [1006, 1015, 0, 70000]) {
      expect(isSendableCode(code)).toBe(false);
      expect(parseClose(closePayload(code, "")).code).toBe(1011);
    }
  });
});

test("the UTF-8 validator agrees with a strict decoder, byte for byte", () => {
  const pick = random(3);
  const strict = new TextDecoder("utf-8", { fatal: true });
  const seeds = ["aé€😀", "\u{10ffff}\u{d7ff}\u{e000}", "\u0000\u007f\u0080\u07ff\u0800\uffff\u{10000}"];
  for (let round = 0; round < 5000; round++) {
    const bytes = Buffer.from(seeds[pick(3)]!.repeat(1 + pick(3)));
    for (let n = pick(3); n > 0; n--) bytes[pick(bytes.length)] = pick(256);
    let valid = true;
    try {
      strict.decode(bytes);
    } catch {
      valid = false;
    }
    const validator = new Utf8Validator();
    let ok = true;
    for (let at = 0; ok && at < bytes.length; ) {
      const size = 1 + pick(6);
      ok = validator.push(bytes.subarray(at, at + size));
      at += size;
    }
    expect(ok && validator.complete).toBe(valid);
  }
});

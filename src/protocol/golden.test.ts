/** The byte vectors that python/tests reads too: what a worker may send, and what a gateway has to refuse. */

import { describe, expect, test } from "bun:test";
import { latin1, splitPairs } from "./fields.ts";
import { Flag, ProtocolError, Type } from "./frame.ts";
import golden from "./golden/frames.json" with { type: "json" };
import { decodeHello, encodeHello } from "./hello.ts";
import { acceptance, creditAmount, leadingNumber, pairsFrom, payloadFrom } from "./payload.ts";
import { FrameReader } from "./reader.ts";

interface Vector {
  readonly name: string;
  readonly direction: string;
  readonly hex: string;
  readonly frame?: Record<string, unknown>;
  readonly error?: string;
}

const vectors = golden.vectors as Vector[];
const toGateway = vectors.filter(({ direction }) => direction === "to-gateway");

/** What each kind of error is called in the refusal. */
const WORDS: Readonly<Record<string, RegExp>> = {
  type: /unknown type/,
  flags: /with flags/,
  stream: /on stream/,
  length: /bytes of payload/,
  magic: /magic/,
  version: /version/,
  amount: /CREDIT of/,
  fields: /odd number/,
};

const TYPE_NAMES = new Map<number, string>(Object.entries(Type).map(([name, type]) => [type, name]));

function decode(hex: string): Record<string, unknown> {
  const reader = new FrameReader();
  reader.push(Buffer.from(hex.replaceAll(" ", ""), "hex"));
  expect(reader.next()).toBe(true);
  const type = TYPE_NAMES.get(reader.type)!;
  return { type, flags: flagNames(type, reader.flags), stream: reader.stream, ...payload(reader) };
}

function flagNames(type: string, flags: number): string[] {
  const own: Partial<Record<string, (keyof typeof Flag)[]>> = { WS_MESSAGE: ["TEXT", "MORE"] };
  const names = own[type] ?? ["END", "TRAILERS", "DONE"];
  return names.filter((name) => (flags & Flag[name]) !== 0);
}

function payload(reader: FrameReader): Record<string, unknown> {
  const hex = Buffer.from(payloadFrom(reader, 0)).toString("hex");
  const reason = () => Buffer.from(payloadFrom(reader, 2)).toString();
  switch (reader.type) {
    case Type.HELLO:
      return decodeHello(payloadFrom(reader, 0));
    case Type.RESPONSE:
    case Type.INFORM:
      return { status: leadingNumber(reader), headers: splitPairs(pairsFrom(reader, 2)) };
    case Type.TRAILERS:
      return { headers: splitPairs(pairsFrom(reader, 0)) };
    case Type.DATA:
    case Type.WS_MESSAGE:
      return { payload: hex };
    case Type.RESET:
    case Type.WS_CLOSE:
      return { code: leadingNumber(reader), reason: reason() };
    case Type.CREDIT:
      return { amount: creditAmount(reader) };
    case Type.FILE:
      return { path: hex };
    case Type.WS_ACCEPT: {
      const { subprotocol, pairs } = acceptance(reader);
      return { subprotocol: latin1(subprotocol), headers: splitPairs(pairs) };
    }
    case Type.PING:
    case Type.PONG:
      return { opaque: hex };
    default:
      return {};
  }
}

describe("a gateway understands", () => {
  for (const { name, hex, frame } of toGateway) {
    if (frame !== undefined) test(name, () => expect(decode(hex)).toEqual(frame));
  }
});

describe("a gateway refuses", () => {
  for (const { name, hex, error } of toGateway) {
    if (error === undefined) continue;
    test(name, () => {
      expect(() => decode(hex)).toThrow(ProtocolError);
      expect(() => decode(hex)).toThrow(WORDS[error]!);
    });
  }
});

test("a gateway's HELLO is the golden one", () => {
  const { hex, frame } = vectors.find(({ name }) => name === "hello of a gateway")!;
  const { column, gateway, window } = frame as { column: number; gateway: number; window: number };
  expect(Buffer.from(encodeHello({ column, gateway, window })).toString("hex")).toBe(hex.replaceAll(" ", ""));
});

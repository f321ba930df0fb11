/** Payloads of the frames that a worker sends (docs/spec/worker-protocol.md §3), read where the reader stands. */

import { ProtocolError } from "./frame.ts";
import type { FrameReader } from "./reader.ts";

const MAX_CREDIT = 0x7fffffff;

/** The u16 that RESPONSE, INFORM, RESET and WS_CLOSE begin with. */
export function leadingNumber(reader: FrameReader): number {
  return (reader.chunk[reader.start]! << 8) | reader.chunk[reader.start + 1]!;
}

/** The payload from byte `from` on, a view. */
export function payloadFrom(reader: FrameReader, from: number): Uint8Array {
  return reader.chunk.subarray(reader.start + from, reader.end);
}

/** CREDIT: 1 to 2^31-1 bytes. */
export function creditAmount(reader: FrameReader): number {
  const { chunk, start } = reader;
  const amount =
    ((chunk[start]! << 24) | (chunk[start + 1]! << 16) | (chunk[start + 2]! << 8) | chunk[start + 3]!) >>> 0;
  if (amount === 0 || amount > MAX_CREDIT) throw new ProtocolError(`a CREDIT of ${amount} bytes`);
  return amount;
}

/** Header pairs from byte `from` of the payload on: an even number of fields, or nothing. */
export function pairsFrom(reader: FrameReader, from: number): Uint8Array {
  const pairs = payloadFrom(reader, from);
  if (pairs.length > 0 && countNul(pairs) % 2 === 0)
    throw new ProtocolError("an odd number of header fields");
  return pairs;
}

/** WS_ACCEPT: the subprotocol, empty for none, then header pairs. */
export function acceptance(reader: FrameReader): { subprotocol: Uint8Array; pairs: Uint8Array } {
  const payload = payloadFrom(reader, 0);
  const nul = payload.indexOf(0);
  if (nul === -1) return { subprotocol: payload, pairs: payload.subarray(payload.length) };
  return { subprotocol: payload.subarray(0, nul), pairs: pairsFrom(reader, nul + 1) };
}

function countNul(bytes: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] === 0) count++;
  return count;
}

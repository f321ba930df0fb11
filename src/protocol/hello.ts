/** HELLO, the first frame of a data connection in either direction (docs/spec/worker-protocol.md §2). */

import { HEADER_SIZE, ProtocolError, Type, VERSION, writeHeader } from "./frame.ts";

const MAGIC = [0x48, 0x52, 0x57, 0x50];
const SIZE = 16;

/** Encodes the gateway's HELLO. `window`: credit in bytes that the worker has on each new stream. */
export function encodeHello(hello: { column: number; gateway: number; window: number }): Uint8Array {
  const out = new Uint8Array(HEADER_SIZE + SIZE);
  writeHeader(out, 0, SIZE, 0, Type.HELLO, 0);
  out.set(MAGIC, HEADER_SIZE);
  const view = new DataView(out.buffer, HEADER_SIZE);
  view.setUint16(4, VERSION);
  view.setUint16(6, hello.column);
  view.setUint32(8, hello.gateway);
  view.setUint32(12, hello.window);
  return out;
}

/** Decodes a HELLO payload. Throws ProtocolError for another magic or version. */
export function decodeHello(payload: Uint8Array): { column: number; gateway: number; window: number } {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  if (MAGIC.some((byte, i) => payload[i] !== byte)) throw new ProtocolError("HELLO without the magic HRWP");
  const version = view.getUint16(4);
  if (version !== VERSION) throw new ProtocolError(`HELLO of version ${version}, not ${VERSION}`);
  return { column: view.getUint16(6), gateway: view.getUint32(8), window: view.getUint32(12) };
}

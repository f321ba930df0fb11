/**
 * The worker protocol's constants and frame header. The specification is docs/spec/worker-protocol.md;
 * python/headrace/worker/frames.py mirrors this folder, and golden/ holds the byte vectors that both are tested with.
 */

export const VERSION = 1;
export const HEADER_SIZE = 10;
export const MAX_PAYLOAD = 1 << 20;
export const MAX_STREAM = 0x7fffffff;

/** Frame types (§3). */
export const Type = {
  HELLO: 0x01,
  REQUEST: 0x02,
  RESPONSE: 0x03,
  DATA: 0x04,
  TRAILERS: 0x05,
  RESET: 0x06,
  CREDIT: 0x07,
  INFORM: 0x08,
  FILE: 0x09,
  DONE: 0x0a,
  WS_ACCEPT: 0x10,
  WS_MESSAGE: 0x11,
  WS_CLOSE: 0x12,
  PING: 0x20,
  PONG: 0x21,
  DRAIN: 0x22,
} as const;

/** Frame flags (§3). TEXT and WEBSOCKET, MORE and EXPECT share bits: they belong to different types. */
export const Flag = {
  END: 0x01,
  WEBSOCKET: 0x02,
  EXPECT: 0x04,
  TLS: 0x08,
  HTTP10: 0x10,
  HTTP2: 0x20,
  TEXT: 0x02,
  MORE: 0x04,
  TRAILERS: 0x40,
  DONE: 0x80,
} as const;

/** RESET codes (§4). */
export const Reset = {
  CLIENT_GONE: 1,
  DEADLINE: 2,
  SHUTDOWN: 3,
  REFUSED: 16,
  APP_ERROR: 17,
  INCOMPLETE: 18,
} as const;

/** A frame that the specification does not allow. The connection that carried it must be closed. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** Writes a frame header at `at`; the payload of `length` bytes follows it. */
export function writeHeader(
  out: Uint8Array,
  at: number,
  length: number,
  stream: number,
  type: number,
  flags: number,
): void {
  out[at] = length >>> 24;
  out[at + 1] = length >>> 16;
  out[at + 2] = length >>> 8;
  out[at + 3] = length;
  out[at + 4] = stream >>> 24;
  out[at + 5] = stream >>> 16;
  out[at + 6] = stream >>> 8;
  out[at + 7] = stream;
  out[at + 8] = type;
  out[at + 9] = flags;
}

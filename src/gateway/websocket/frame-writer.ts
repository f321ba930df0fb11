import { CONTROL_LIMIT } from "./frame.ts";

/** Frames as a server writes them: never masked. */

/** First byte of a frame's head. */
export function firstByte(opcode: number, fin: boolean, rsv1: boolean): number {
  return (fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | opcode;
}

/** The head of a frame. */
export function frameHead(first: number, length: number): Uint8Array {
  const head = new Uint8Array(headSize(length));
  writeHead(head, first, length);
  return head;
}

/** A whole frame. */
export function frame(first: number, payload: Uint8Array): Uint8Array {
  const size = headSize(payload.length);
  const out = new Uint8Array(size + payload.length);
  writeHead(out, first, payload.length);
  out.set(payload, size);
  return out;
}

/** A whole control frame. */
export function controlFrame(opcode: number, payload: Uint8Array): Uint8Array {
  return frame(firstByte(opcode, true, false), payload);
}

function headSize(length: number): number {
  return length <= CONTROL_LIMIT ? 2 : length <= 0xffff ? 4 : 10;
}

function writeHead(out: Uint8Array, first: number, length: number): void {
  out[0] = first;
  if (length <= CONTROL_LIMIT) {
    out[1] = length;
  } else if (length <= 0xffff) {
    out[1] = 126;
    out[2] = length >>> 8;
    out[3] = length;
  } else {
    out[1] = 127;
    let rest = length;
    for (let at = 9; at >= 2; at--) {
      out[at] = rest % 256;
      rest = Math.floor(rest / 256);
    }
  }
}

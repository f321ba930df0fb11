/** Cuts the bytes that a worker sends into frames (docs/spec/worker-protocol.md §1). */

import { Flag, HEADER_SIZE, MAX_PAYLOAD, MAX_STREAM, ProtocolError, Type } from "./frame.ts";

interface Shape {
  /** Flags that may be set. */
  readonly flags: number;
  /** Whether it belongs to the connection (stream 0). */
  readonly connection: boolean;
  readonly least: number;
  readonly most: number;
}

/** What a worker may send. A gateway never decodes its own kinds. */
const SHAPES: readonly (Shape | undefined)[] = (() => {
  const shapes: Shape[] = [];
  const add = (type: number, flags: number, connection: boolean, least: number, most = MAX_PAYLOAD): void => {
    shapes[type] = { flags, connection, least, most };
  };
  add(Type.HELLO, 0, true, 16);
  add(Type.RESPONSE, Flag.END | Flag.DONE | Flag.TRAILERS, false, 2);
  add(Type.DATA, Flag.END | Flag.DONE, false, 0);
  add(Type.TRAILERS, Flag.DONE, false, 0);
  add(Type.RESET, Flag.DONE, false, 2, 1026);
  add(Type.CREDIT, 0, false, 4, 4);
  add(Type.INFORM, 0, false, 2);
  add(Type.FILE, Flag.DONE, false, 1);
  add(Type.DONE, 0, false, 0, 0);
  add(Type.WS_ACCEPT, 0, false, 0);
  add(Type.WS_MESSAGE, Flag.TEXT | Flag.MORE, false, 0);
  add(Type.WS_CLOSE, Flag.DONE, false, 2, 125);
  add(Type.PING, 0, true, 8, 8);
  add(Type.PONG, 0, true, 8, 8);
  add(Type.DRAIN, 0, true, 0, 0);
  return shapes;
})();

const EMPTY = new Uint8Array(0);

/**
 * A pull parser: `push` a chunk, then call `next` until it answers false, reading the fields after each true.
 * The payload is `chunk[start..end)`, a view into memory that the reader no longer touches.
 */
export class FrameReader {
  type = 0;
  flags = 0;
  stream = 0;
  chunk: Uint8Array = EMPTY;
  start = 0;
  end = 0;

  /** Where the next header begins in `chunk`. */
  #at = 0;
  /** Chunks of a frame that has come in part, and how many bytes it takes to go on with it. */
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #needed = 0;
  /** Bytes of the connection before `chunk[0]`, for messages. */
  #offset = 0;

  /** Takes the next bytes of the connection. All earlier ones must have been read by `next`. */
  push(chunk: Uint8Array): void {
    this.#at = 0;
    if (this.#pendingBytes === 0) {
      this.chunk = chunk;
      return;
    }
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    if (this.#pendingBytes < this.#needed) {
      this.chunk = EMPTY;
      return;
    }
    this.chunk = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  /** Moves to the next whole frame. Throws ProtocolError at an invalid one. */
  next(): boolean {
    const chunk = this.chunk;
    const at = this.#at;
    const left = chunk.length - at;
    if (left < HEADER_SIZE) return this.#keep(left, HEADER_SIZE);
    const length =
      ((chunk[at]! << 24) | (chunk[at + 1]! << 16) | (chunk[at + 2]! << 8) | chunk[at + 3]!) >>> 0;
    const stream =
      ((chunk[at + 4]! << 24) | (chunk[at + 5]! << 16) | (chunk[at + 6]! << 8) | chunk[at + 7]!) >>> 0;
    const type = chunk[at + 8]!;
    const flags = chunk[at + 9]!;
    const shape = SHAPES[type];
    if (
      shape === undefined ||
      (flags & ~shape.flags) !== 0 ||
      (stream === 0) !== shape.connection ||
      stream > MAX_STREAM ||
      length < shape.least ||
      length > shape.most
    ) {
      throw new ProtocolError(this.#why(shape, type, flags, stream, length));
    }
    if (left < HEADER_SIZE + length) return this.#keep(left, HEADER_SIZE + length);
    this.type = type;
    this.flags = flags;
    this.stream = stream;
    this.start = at + HEADER_SIZE;
    this.end = this.start + length;
    this.#at = this.end;
    return true;
  }

  /** Puts the rest of the chunk aside until `needed` bytes of its frame are there. */
  #keep(left: number, needed: number): false {
    if (this.#pendingBytes > 0) return false;
    if (left > 0) {
      this.#pending.push(this.chunk.subarray(this.#at));
      this.#pendingBytes = left;
      this.#needed = needed;
    }
    this.#offset += this.#at;
    this.chunk = EMPTY;
    this.#at = 0;
    return false;
  }

  #why(shape: Shape | undefined, type: number, flags: number, stream: number, length: number): string {
    const at = `at byte ${this.#offset + this.#at}`;
    const kind = `frame of type 0x${type.toString(16).padStart(2, "0")}`;
    if (shape === undefined) return `frame of unknown type 0x${type.toString(16).padStart(2, "0")} ${at}`;
    if ((flags & ~shape.flags) !== 0)
      return `${kind} with flags 0x${flags.toString(16).padStart(2, "0")} ${at}`;
    if ((stream === 0) !== shape.connection || stream > MAX_STREAM)
      return `${kind} on stream ${stream} ${at}`;
    return `${kind} with ${length} bytes of payload ${at}`;
  }
}

import { unmask } from "./mask.ts";

/**
 * The WebSocket framing layer (RFC 6455 §5), pure: bytes in, pieces of frames out. frame-writer.ts is the other way round.
 *
 * The decoder holds no payload of its own. It hands out views of the chunks it was given, unmasked in place, and
 * checks every rule that a header can break before it looks at the first payload byte.
 *
 * ```
 *  head byte 0 ─▶ head byte 1 ─▶ length and mask ─▶ payload ─▶ head byte 0
 *      └──────────────┴───────────────┴──▶ failed (stays)
 * ```
 */

export const Opcode = {
  CONTINUATION: 0x0,
  TEXT: 0x1,
  BINARY: 0x2,
  CLOSE: 0x8,
  PING: 0x9,
  PONG: 0xa,
} as const;

/** Close codes that this gateway sends or reports by itself (RFC 6455 §7.4.1). */
export const CloseCode = {
  NORMAL: 1000,
  PROTOCOL_ERROR: 1002,
  NO_STATUS: 1005,
  ABNORMAL: 1006,
  INVALID_DATA: 1007,
  TOO_BIG: 1009,
  INTERNAL_ERROR: 1011,
} as const;

/** What {@link FrameDecoder.next} found. */
export const Found = {
  /** Nothing more in the bytes given so far. */
  NOTHING: 0,
  /** A piece of a data message: `text`, `compressed`, `payload`, `end`. */
  DATA: 1,
  /** A whole control frame: `opcode`, `payload`. */
  CONTROL: 2,
  /** Payload is there, but the limit was 0. */
  BLOCKED: 3,
  /** The peer broke a rule: `code`, `reason`. Every later call says the same. */
  FAILED: 4,
} as const;
export type Found = (typeof Found)[keyof typeof Found];

const EMPTY = new Uint8Array(0);
/** Longest payload of a control frame, and of a frame whose length stands in its second byte. */
export const CONTROL_LIMIT = 125;

/** Incremental decoder of the frames that a client sends. */
export class FrameDecoder {
  /** Opcode of the control frame found last. */
  opcode = 0;
  /** Bytes of the piece found last. The receiver may keep them. */
  payload: Uint8Array = EMPTY;
  /** Whether the message is text, for DATA. */
  text = false;
  /** Whether the message came with RSV1 set, for DATA. */
  compressed = false;
  /** Whether the piece is the last of its message, for DATA. */
  end = false;
  code = 0;
  reason = "";

  readonly #limit: number;
  readonly #deflate: boolean;
  #input: Uint8Array = EMPTY;
  #position = 0;
  readonly #head = new Uint8Array(14);
  #headLength = 0;
  #headNeeded = 2;
  #inPayload = false;
  #frameOpcode = 0;
  #fin = false;
  #remaining = 0;
  #phase = 0;
  #inMessage = false;
  #messageBytes = 0;
  #control: Uint8Array = EMPTY;
  #controlLength = 0;

  /**
   * @param maxMessage bytes of one message as they are on the wire; 0 for no limit
   * @param deflate whether permessage-deflate was negotiated, so that RSV1 has a meaning
   */
  constructor(maxMessage: number, deflate: boolean) {
    this.#limit = maxMessage === 0 ? Number.MAX_SAFE_INTEGER : maxMessage;
    this.#deflate = deflate;
  }

  /** Bytes given but not yet found. */
  get held(): number {
    return this.#input.length - this.#position;
  }

  /** Gives more bytes. The decoder unmasks them in place. */
  push(chunk: Uint8Array): void {
    if (this.code !== 0) return;
    const held = this.held;
    if (held === 0) {
      this.#input = chunk;
    } else {
      const joined = new Uint8Array(held + chunk.length);
      joined.set(this.#input.subarray(this.#position), 0);
      joined.set(chunk, held);
      this.#input = joined;
    }
    this.#position = 0;
  }

  /** Finds the next piece. A piece of an uncompressed message is at most `limit` bytes long. */
  next(limit: number): Found {
    if (this.code !== 0) return Found.FAILED;
    while (true) {
      if (!this.#inPayload) {
        if (!this.#readHead()) return this.code !== 0 ? Found.FAILED : this.#nothing();
      }
      if (this.#frameOpcode >= Opcode.CLOSE) {
        return this.#readControl() ? Found.CONTROL : this.#nothing();
      }
      const found = this.#readData(limit);
      if (found !== Found.NOTHING) return found;
      // An empty piece in the middle of a message tells nobody anything.
      if (this.#inPayload) return this.#nothing();
    }
  }

  /** Lets go of the consumed chunk, so that an idle connection keeps no memory. */
  #nothing(): Found {
    if (this.held === 0) {
      this.#input = EMPTY;
      this.#position = 0;
    }
    return Found.NOTHING;
  }

  #readData(limit: number): Found {
    const available = this.held;
    let size = Math.min(this.#remaining, available);
    if (size > 0) {
      if (limit <= 0) return Found.BLOCKED;
      if (!this.compressed && size > limit) size = limit;
      this.payload = this.#take(size);
    } else {
      this.payload = EMPTY;
    }
    const frameEnds = this.#remaining === 0;
    if (frameEnds) this.#endFrame();
    this.end = frameEnds && this.#fin;
    if (this.end) {
      this.#inMessage = false;
      this.#messageBytes = 0;
    }
    return size > 0 || this.end ? Found.DATA : Found.NOTHING;
  }

  #readControl(): boolean {
    const size = Math.min(this.#remaining, this.held);
    if (size > 0) {
      const piece = this.#take(size);
      this.#control.set(piece, this.#controlLength);
      this.#controlLength += size;
    }
    if (this.#remaining > 0) return false;
    this.opcode = this.#frameOpcode;
    this.payload = this.#control;
    this.#endFrame();
    return true;
  }

  #endFrame(): void {
    this.#inPayload = false;
    this.#headLength = 0;
    this.#headNeeded = 2;
  }

  #take(size: number): Uint8Array {
    const piece = this.#input.subarray(this.#position, this.#position + size);
    unmask(piece, this.#head, this.#headNeeded - 4, this.#phase);
    this.#phase = (this.#phase + size) & 3;
    this.#position += size;
    this.#remaining -= size;
    return piece;
  }

  /** Returns whether the head is complete and right. */
  #readHead(): boolean {
    const input = this.#input;
    const head = this.#head;
    while (this.#headLength < this.#headNeeded) {
      if (this.#position === input.length) return false;
      head[this.#headLength++] = input[this.#position++]!;
      if (this.#headLength === 1) {
        if (!this.#firstByte(head[0]!)) return false;
      } else if (this.#headLength === 2) {
        if (!this.#secondByte(head[1]!)) return false;
      } else if (this.#headLength === this.#headNeeded - 4) {
        // The length is checked before the mask has come: a frame that is too long fails as soon as it says so.
        if (!this.#longLength()) return false;
      }
    }
    this.#inPayload = true;
    this.#phase = 0;
    if (this.#frameOpcode >= Opcode.CLOSE) {
      this.#control = this.#remaining === 0 ? EMPTY : new Uint8Array(this.#remaining);
      this.#controlLength = 0;
    }
    return true;
  }

  #firstByte(byte: number): boolean {
    const opcode = byte & 0x0f;
    const rsv1 = (byte & 0x40) !== 0;
    this.#frameOpcode = opcode;
    this.#fin = (byte & 0x80) !== 0;
    if ((byte & 0x30) !== 0) return this.#fail(CloseCode.PROTOCOL_ERROR, "reserved bits are set");
    if (opcode >= Opcode.CLOSE) {
      if (opcode > Opcode.PONG) return this.#fail(CloseCode.PROTOCOL_ERROR, "reserved opcode");
      if (!this.#fin) return this.#fail(CloseCode.PROTOCOL_ERROR, "fragmented control frame");
      if (rsv1) return this.#fail(CloseCode.PROTOCOL_ERROR, "reserved bits are set");
      return true;
    }
    if (opcode > Opcode.BINARY) return this.#fail(CloseCode.PROTOCOL_ERROR, "reserved opcode");
    if (opcode === Opcode.CONTINUATION) {
      if (!this.#inMessage) return this.#fail(CloseCode.PROTOCOL_ERROR, "continuation without a message");
      if (rsv1) return this.#fail(CloseCode.PROTOCOL_ERROR, "reserved bits are set");
      return true;
    }
    if (this.#inMessage) return this.#fail(CloseCode.PROTOCOL_ERROR, "expected a continuation frame");
    if (rsv1 && !this.#deflate) return this.#fail(CloseCode.PROTOCOL_ERROR, "reserved bits are set");
    this.text = opcode === Opcode.TEXT;
    this.compressed = rsv1;
    this.#inMessage = true;
    return true;
  }

  #secondByte(byte: number): boolean {
    if ((byte & 0x80) === 0) return this.#fail(CloseCode.PROTOCOL_ERROR, "frame without a mask");
    const length = byte & 0x7f;
    if (length > CONTROL_LIMIT) {
      if (this.#frameOpcode >= Opcode.CLOSE) {
        return this.#fail(CloseCode.PROTOCOL_ERROR, "control frame is too long");
      }
      this.#headNeeded = length === 126 ? 8 : 14;
      return true;
    }
    this.#headNeeded = 6;
    return this.#setLength(length);
  }

  #longLength(): boolean {
    const head = this.#head;
    if (this.#headNeeded === 8) {
      const length = head[2]! * 256 + head[3]!;
      if (length <= CONTROL_LIMIT) return this.#fail(CloseCode.PROTOCOL_ERROR, "length is not minimal");
      return this.#setLength(length);
    }
    if (this.#headNeeded === 6) return true;
    if (head[2]! >= 0x80) return this.#fail(CloseCode.PROTOCOL_ERROR, "length has its top bit set");
    let length = 0;
    for (let at = 2; at < 10; at++) length = length * 256 + head[at]!;
    if (length <= 0xffff) return this.#fail(CloseCode.PROTOCOL_ERROR, "length is not minimal");
    return this.#setLength(length);
  }

  #setLength(length: number): boolean {
    this.#remaining = length;
    if (this.#frameOpcode >= Opcode.CLOSE) return true;
    // Compressed bytes that do not compress are a little longer than what they stand for.
    const limit = this.compressed ? this.#limit + Math.floor(this.#limit / 256) + 64 : this.#limit;
    if (this.#messageBytes + length > limit) return this.#fail(CloseCode.TOO_BIG, "message is too big");
    this.#messageBytes += length;
    return true;
  }

  #fail(code: number, reason: string): false {
    this.code = code;
    this.reason = reason;
    this.#input = EMPTY;
    this.#position = 0;
    return false;
  }
}

import { type DeflateParams, MessageInflater } from "./deflate.ts";
import { CloseCode } from "./frame.ts";
import { Utf8Validator } from "./utf8.ts";

const EMPTY = new Uint8Array(0);
/** Pieces passed on are at most this long: well within one frame of the worker protocol. */
const PIECE_LIMIT = 256 * 1024;

/**
 * What has been received and checked but not passed on yet: the pieces of one part of one message. The session takes
 * everything out before it puts in the next part, so this never holds more than one chunk of the socket, or what
 * one chunk decompresses to (bounded by the message limit).
 */
export class Inbox {
  /** Whether the message in here is text. */
  text = false;
  /** Whether more of the message follows the piece taken last. */
  more = false;

  readonly #inflater: MessageInflater | null;
  readonly #utf8 = new Utf8Validator();
  #pieces: Uint8Array[] = [];
  #next = 0;
  #offset = 0;
  #end = false;
  #empty = true;

  constructor(maxMessage: number, deflate: DeflateParams | null) {
    this.#inflater = deflate === null ? null : new MessageInflater(deflate, maxMessage);
  }

  get empty(): boolean {
    return this.#empty;
  }

  /** Adds a part of a message. Returns 0, or the close code of what is wrong with it. */
  put(text: boolean, compressed: boolean, payload: Uint8Array, end: boolean): number {
    this.text = text;
    const pieces: Uint8Array[] = [];
    if (compressed) {
      const result = this.#inflater?.run(payload, end, pieces) ?? "invalid";
      if (result === "too-big") return CloseCode.TOO_BIG;
      if (result === "invalid") return CloseCode.INVALID_DATA;
    } else if (payload.length > 0) {
      pieces.push(payload);
    }
    if (text && !this.#checkText(pieces, end)) return CloseCode.INVALID_DATA;
    if (pieces.length === 0 && !end) return 0;
    this.#pieces = pieces;
    this.#next = 0;
    this.#offset = 0;
    this.#end = end;
    this.#empty = false;
    return 0;
  }

  /** Takes the next piece out, at most `limit` bytes (1 or more), and sets {@link more}. */
  take(limit: number): Uint8Array {
    const whole = this.#pieces[this.#next] ?? EMPTY;
    const size = Math.min(limit, PIECE_LIMIT, whole.length - this.#offset);
    const piece = size === whole.length ? whole : whole.subarray(this.#offset, this.#offset + size);
    this.#offset += size;
    if (this.#offset === whole.length) {
      this.#next++;
      this.#offset = 0;
    }
    this.#empty = this.#next >= this.#pieces.length;
    if (this.#empty) this.#pieces = [];
    this.more = !(this.#empty && this.#end);
    return piece;
  }

  /** Drops what was not taken. */
  clear(): void {
    this.#pieces = [];
    this.#empty = true;
  }

  close(): void {
    this.clear();
    this.#inflater?.close();
  }

  #checkText(pieces: Uint8Array[], end: boolean): boolean {
    for (const piece of pieces) {
      if (!this.#utf8.push(piece)) return false;
    }
    if (!end) return true;
    const complete = this.#utf8.complete;
    this.#utf8.reset();
    return complete;
  }
}

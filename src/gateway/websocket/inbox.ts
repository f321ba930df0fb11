import { type DeflateParams, MessageInflater } from "./deflate.ts";
import { CloseCode } from "./frame.ts";
import { Utf8Validator } from "./utf8.ts";

const EMPTY = new Uint8Array(0);
/** Pieces passed on are at most this long: well within one frame of the worker protocol. */
const PIECE_LIMIT = 256 * 1024;

/**
 * What has been received and checked but not passed on yet: one part of one message. The session takes everything out before it
 * puts in the next part. Compressed bytes are decompressed as they are taken out, so this holds one chunk of the socket and at
 * most two pieces of 64 KiB, whatever the chunk stands for.
 */
export class Inbox {
  /** Whether the message in here is text. */
  text = false;
  /** Whether more of the message follows the piece taken last. */
  more = false;
  /** Close code of what is wrong with the message, 0 for nothing. Set by `put` and by `take`, which then has no next piece. */
  problem = 0;

  readonly #inflater: MessageInflater | null;
  readonly #utf8 = new Utf8Validator();
  /** What is taken next; an empty piece only to say that the message ends. */
  #piece: Uint8Array | null = null;
  #offset = 0;
  #end = false;
  #inflating = false;

  constructor(maxMessage: number, deflate: DeflateParams | null) {
    this.#inflater = deflate === null ? null : new MessageInflater(deflate, maxMessage);
  }

  /** Bytes of the piece that is next, 0 for the empty end of a message, -1 for none. */
  get waiting(): number {
    return this.#piece === null ? -1 : this.#piece.length - this.#offset;
  }

  /** Adds a part of a message. Look at {@link problem} afterwards. */
  put(text: boolean, compressed: boolean, payload: Uint8Array, end: boolean): void {
    this.text = text;
    this.#end = end;
    this.#offset = 0;
    let piece: Uint8Array | null;
    if (compressed) {
      this.#inflater?.push(payload, end);
      this.#inflating = true;
      piece = this.#inflate();
    } else {
      piece = payload.length === 0 ? null : payload;
      this.#check(payload);
      if (end) this.#endMessage();
    }
    this.#piece = this.problem !== 0 ? null : (piece ?? (end ? EMPTY : null));
  }

  /** Takes the next piece out, at most `limit` bytes, and sets {@link more}. Look at {@link problem} afterwards. */
  take(limit: number): Uint8Array {
    const piece = this.#piece ?? EMPTY;
    const size = Math.min(limit, PIECE_LIMIT, piece.length - this.#offset);
    const out = size === piece.length ? piece : piece.subarray(this.#offset, this.#offset + size);
    this.#offset += size;
    if (this.#offset < piece.length) {
      this.more = true;
      return out;
    }
    this.#offset = 0;
    this.#piece = this.#inflate();
    this.more = this.#piece !== null || !this.#end || this.problem !== 0;
    return out;
  }

  /** Drops what was not taken. No more may be put in. */
  close(): void {
    this.#piece = null;
    this.#inflating = false;
    this.#inflater?.close();
  }

  /** The next piece of compressed input, checked; null when there is none. */
  #inflate(): Uint8Array | null {
    if (!this.#inflating) return null;
    const found = this.#inflater?.pull() ?? null;
    if (found === null) {
      this.#inflating = false;
      if (!this.#end) return null;
      this.#inflater?.endMessage();
      this.#endMessage();
      return null;
    }
    if (typeof found === "string")
      this.#fail(found === "too-big" ? CloseCode.TOO_BIG : CloseCode.INVALID_DATA);
    else this.#check(found);
    return this.problem === 0 && typeof found !== "string" ? found : null;
  }

  #check(piece: Uint8Array): void {
    if (this.text && !this.#utf8.push(piece)) this.#fail(CloseCode.INVALID_DATA);
  }

  #endMessage(): void {
    if (!this.text || this.problem !== 0) return;
    if (!this.#utf8.complete) this.#fail(CloseCode.INVALID_DATA);
    this.#utf8.reset();
  }

  #fail(code: number): void {
    this.problem = code;
    this.#inflating = false;
  }
}

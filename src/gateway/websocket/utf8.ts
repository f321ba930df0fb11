import { isUtf8 } from "node:buffer";

/**
 * Incremental UTF-8 validation (RFC 3629): fails at the first byte that no valid text can have there, also when a
 * character is split over chunks. Whole characters inside a chunk are checked by the runtime, the few bytes around
 * its borders one by one.
 *
 * ```
 *  between characters ──lead byte──▶ inside one (needs 1..3 more, the next one within low..high) ──▶ between
 * ```
 */
export class Utf8Validator {
  #needed = 0;
  #low = 0x80;
  #high = 0xbf;

  /** Whether the text so far ends between two characters. */
  get complete(): boolean {
    return this.#needed === 0;
  }

  /** Forgets the text so far. */
  reset(): void {
    this.#needed = 0;
    this.#low = 0x80;
    this.#high = 0xbf;
  }

  /** Returns false once the text cannot be the beginning of valid UTF-8. */
  push(chunk: Uint8Array): boolean {
    let start = 0;
    while (this.#needed > 0 && start < chunk.length) {
      if (!this.#step(chunk[start++]!)) return false;
    }
    const end = incompleteTail(chunk, start);
    if (end > start && !isUtf8(start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end))) {
      return false;
    }
    for (let at = end; at < chunk.length; at++) {
      if (!this.#step(chunk[at]!)) return false;
    }
    return true;
  }

  #step(byte: number): boolean {
    if (this.#needed > 0) {
      if (byte < this.#low || byte > this.#high) return false;
      this.#low = 0x80;
      this.#high = 0xbf;
      this.#needed--;
      return true;
    }
    if (byte < 0x80) return true;
    if (byte < 0xc2 || byte > 0xf4) return false;
    if (byte < 0xe0) {
      this.#needed = 1;
    } else if (byte < 0xf0) {
      this.#needed = 2;
      if (byte === 0xe0) this.#low = 0xa0;
      if (byte === 0xed) this.#high = 0x9f;
    } else {
      this.#needed = 3;
      if (byte === 0xf0) this.#low = 0x90;
      if (byte === 0xf4) this.#high = 0x8f;
    }
    return true;
  }
}

/** Where the last character begins if it is cut off by the chunk's end, else the chunk's end. Not before `start`. */
function incompleteTail(chunk: Uint8Array, start: number): number {
  const length = chunk.length;
  for (let back = 1; back <= 3 && length - back >= start; back++) {
    const byte = chunk[length - back]!;
    if (byte < 0x80) return length;
    if (byte >= 0xc0) {
      const size = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
      return size > back ? length - back : length;
    }
  }
  return length;
}

import { LF } from "./tables.ts";

/** Below this, a head that comes in pieces is parsed after each piece, so that an error in it is answered at once. */
const SMALL = 1024;
/** Above it, after so many more bytes. */
const STEP = 256;
const FIRST_SIZE = 1024;

/**
 * Keeps the pieces of a head that did not come at once, and says when parsing again is worth it: parsing starts over each time, and a
 * client that sends single bytes must not cost quadratic work.
 */
export class HeadBuffer {
  /** Whether the head should be parsed now. */
  due = false;
  private bytes = new Uint8Array(FIRST_SIZE);
  private length = 0;
  private next = 0;

  /** Adds a piece. */
  append(piece: Uint8Array): void {
    const length = this.length + piece.length;
    if (length > this.bytes.length) {
      const grown = new Uint8Array(Math.max(length, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    this.bytes.set(piece, this.length);
    const from = this.length;
    this.length = length;
    this.due = length <= SMALL || length >= this.next || this.hasEmptyLine(from);
    if (this.due) this.next = length + STEP;
  }

  /** Everything so far. The buffer does not touch these bytes again unless {@link append} is called. */
  get content(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** Looks for LF LF and LF CR LF that end in what was added at `from`. */
  private hasEmptyLine(from: number): boolean {
    const bytes = this.content;
    let at = bytes.indexOf(LF, from);
    while (at >= 0) {
      if (bytes[at - 1] === LF || bytes[at - 2] === LF) return true;
      at = bytes.indexOf(LF, at + 1);
    }
    return false;
  }
}

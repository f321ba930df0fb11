import { maxLineBytes } from "../settings.ts";

const LF = 10;
const CR = 13;
const ID_START = 0x1e;
const ID_END = 0x1f;
/** A request-id mark longer than this is taken for text of the app's own. */
const MAX_ID = 256;

const decoder = new TextDecoder();

/** Splits bytes at line feeds. A line of more than `maxLineBytes` leaves in parts, so that memory is bounded. */
export class LineSplitter {
  readonly #line: (line: Uint8Array) => void;
  readonly #max: number;
  #rest: Uint8Array[] = [];
  #length = 0;

  constructor(line: (line: Uint8Array) => void, max = maxLineBytes) {
    this.#line = line;
    this.#max = max;
  }

  push(chunk: Uint8Array): void {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(LF, from);
      if (end < 0) break;
      this.#take(chunk.subarray(from, end));
      this.#flush(true);
      from = end + 1;
    }
    // The chunk may lie in a buffer that is used again: what is kept for later is copied (a Buffer's own slice would not).
    if (from < chunk.length) this.#take(new Uint8Array(chunk.subarray(from)));
  }

  /** The stream has ended: what is left is a line. */
  end(): void {
    if (this.#length > 0) this.#flush(true);
  }

  #take(part: Uint8Array): void {
    while (this.#length + part.length > this.#max) {
      const room = this.#max - this.#length;
      this.#rest.push(part.subarray(0, room));
      this.#length = this.#max;
      this.#flush(false);
      part = part.subarray(room);
    }
    if (part.length === 0) return;
    this.#rest.push(part);
    this.#length += part.length;
  }

  #flush(complete: boolean): void {
    let line = this.#rest.length === 1 ? this.#rest[0]! : Buffer.concat(this.#rest);
    this.#rest = [];
    this.#length = 0;
    if (complete && line.length > 0 && line[line.length - 1] === CR) line = line.subarray(0, -1);
    this.#line(line);
  }
}

/** One line as text, its request-id mark (`0x1E id 0x1F`) taken off. Bytes that are no UTF-8 become U+FFFD. */
export function readMark(line: Uint8Array): { readonly requestId: string; readonly line: string } {
  if (line[0] === ID_START) {
    const end = line.indexOf(ID_END);
    if (end > 0 && end <= MAX_ID) {
      return {
        requestId: decoder.decode(line.subarray(1, end)),
        line: decoder.decode(line.subarray(end + 1)),
      };
    }
  }
  return { requestId: "", line: decoder.decode(line) };
}

/** The last lines of a stream. */
export class Tail {
  readonly #limit: number;
  #lines: string[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(line: string): void {
    this.#lines.push(line);
    // Cut in halves rather than line by line: a talkative app costs one copy per `limit` lines.
    if (this.#lines.length >= this.#limit * 2) this.#lines = this.#lines.slice(-this.#limit);
  }

  get lines(): readonly string[] {
    return this.#lines.slice(-this.#limit);
  }
}

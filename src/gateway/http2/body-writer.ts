import type { ServerHttp2Stream } from "node:http2";
import type { Ticker } from "../ticker.ts";

/** A chunk goes to the runtime in pieces, so that what is reported as sent follows the client more closely than a whole window. */
const PIECE = 64 * 1024;

/** Writes the body of one response, and knows how much of it the client's socket has not taken. */
export class BodyWriter {
  /** Bytes given to the runtime and not taken by the socket. */
  unsent = 0;
  #left = -1;
  #progressAt = 0;
  readonly #stream: ServerHttp2Stream;
  readonly #ticker: Ticker;
  readonly #passed: (bytes: number) => void;

  /** @param passed called with bytes that the runtime has passed on; {@link taken} is due once the socket has them */
  constructor(stream: ServerHttp2Stream, ticker: Ticker, passed: (bytes: number) => void) {
    this.#stream = stream;
    this.#ticker = ticker;
    this.#passed = passed;
  }

  /** Tells what content-length says. */
  expect(length: number): void {
    this.#left = length;
  }

  /** Whether the content-length allows this chunk here. */
  allows(chunk: Uint8Array, end: boolean): boolean {
    if (this.#left < 0) return true;
    this.#left -= chunk.length;
    return end ? this.#left === 0 : this.#left >= 0;
  }

  write(chunk: Uint8Array, end: boolean): void {
    const { length } = chunk;
    let at = 0;
    for (; length - at > PIECE; at += PIECE) this.#piece(chunk.subarray(at, at + PIECE));
    const last = at === 0 ? chunk : chunk.subarray(at);
    if (!end) {
      if (last.length > 0) this.#piece(last);
    } else if (last.length === 0) {
      this.#stream.end();
    } else {
      this.given(last.length);
      this.#stream.end(last, () => this.#passed(last.length));
    }
  }

  /** Bytes were given to the runtime. */
  given(bytes: number): void {
    if (this.unsent === 0) this.#progressAt = this.#ticker.now;
    this.unsent += bytes;
  }

  /** The socket has taken bytes. */
  taken(bytes: number): void {
    this.unsent -= bytes;
    this.#progressAt = this.#ticker.now;
  }

  /** Milliseconds without the client taking a byte; 0 when there is none to take. */
  stalledFor(now: number): number {
    return this.unsent > 0 ? now - this.#progressAt : 0;
  }

  #piece(piece: Uint8Array): void {
    this.given(piece.length);
    this.#stream.write(piece, () => this.#passed(piece.length));
  }
}

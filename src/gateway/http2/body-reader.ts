import { constants, type ServerHttp2Stream } from "node:http2";
import type { HttpLimits } from "../settings.ts";
import type { Ticker } from "../ticker.ts";

/** Who gets the body. */
export interface BodyTaker {
  /** At most as many bytes as were granted; `end` comes once, unless the body is cut off. */
  chunk(chunk: Uint8Array, end: boolean): void;
  /** The body is longer than it may be. Nothing of it comes any more. */
  tooLarge(): void;
}

type State = "untouched" | "reading" | "discarding" | "done";

const EDGES: Readonly<Record<State, readonly State[]>> = {
  untouched: ["reading", "discarding", "done"],
  reading: ["discarding", "done"],
  discarding: ["done"],
  done: [],
};

const EMPTY = new Uint8Array(0);

/**
 * The body of one request, read only as far as the pipeline has granted: what is not read keeps the client's flow-control
 * window shut.
 *
 * ```
 *  untouched ──first grant──▶ reading ──its end, too large──▶ done
 *      └── response is over, or failed ──▶ discarding ──its end, too much of it──▶ done
 * ```
 */
export class BodyReader {
  #state: State = "untouched";
  #credit = 0;
  #received = 0;
  #discarded = 0;
  #held: Uint8Array = EMPTY;
  #ended = false;
  #listening = false;
  #progressAt = 0;

  readonly #stream: ServerHttp2Stream;
  readonly #length: number;
  readonly #limits: HttpLimits;
  readonly #ticker: Ticker;
  readonly #taker: BodyTaker;

  /** @param options.length bytes of the body, 0 for none, -1 when only its end will tell */
  constructor(options: {
    readonly stream: ServerHttp2Stream;
    readonly length: number;
    readonly limits: HttpLimits;
    readonly ticker: Ticker;
    readonly taker: BodyTaker;
  }) {
    this.#stream = options.stream;
    this.#length = options.length;
    this.#limits = options.limits;
    this.#ticker = options.ticker;
    this.#taker = options.taker;
    if (this.#length !== 0) return;
    // The runtime closes a stream when its end has been read, also if nothing comes before it.
    this.#enter("done");
    this.#stream.resume();
  }

  /** Whether the client has sent its whole request. */
  get complete(): boolean {
    return this.#ended || this.#length === 0;
  }

  /** Lets `bytes` more come. */
  grant(bytes: number): void {
    if (this.#state === "untouched") this.#enter("reading");
    if (this.#state !== "reading") return;
    if (this.#credit === 0) this.#progressAt = this.#ticker.now;
    this.#credit += bytes;
    this.#deliver();
    this.#flow();
  }

  /** Nobody wants the rest: reads it up to a limit, so that the client is not cut off while it reads the response. */
  discard(): void {
    if (this.#state === "done" || this.#state === "discarding") return;
    this.#enter("discarding");
    this.#held = EMPTY;
    this.#progressAt = this.#ticker.now;
    if (this.#ended) this.#enter("done");
    else this.#flow();
  }

  /** Milliseconds without progress of a body that is asked for; 0 when it is not. */
  stalledFor(now: number): number {
    const asked = this.#state === "discarding" || (this.#state === "reading" && this.#credit > 0);
    return asked ? now - this.#progressAt : 0;
  }

  /** Tells the client to stop: the response is complete, the rest of the request is not needed (RFC 9113 §8.1). */
  stop(): void {
    if (this.#state !== "done") this.#enter("done");
    this.#held = EMPTY;
    if (!this.#stream.closed) this.#stream.close(constants.NGHTTP2_NO_ERROR);
  }

  #flow(): void {
    if (!this.#listening) {
      this.#listening = true;
      this.#stream.on("data", (chunk: Uint8Array) => this.#onData(chunk));
      this.#stream.on("end", () => this.#onEnd());
    } else if (this.#state === "discarding" || (this.#credit > 0 && this.#held.length === 0)) {
      this.#stream.resume();
    }
  }

  #onData(chunk: Uint8Array): void {
    this.#progressAt = this.#ticker.now;
    if (this.#state === "discarding") {
      this.#discarded += chunk.length;
      if (this.#discarded > this.#limits.discardBytes) this.stop();
      return;
    }
    if (this.#state !== "reading") return;
    this.#received += chunk.length;
    const { bodyBytes } = this.#limits;
    if (bodyBytes > 0 && this.#received > bodyBytes) {
      this.#taker.tooLarge();
      return;
    }
    this.#held = chunk;
    this.#deliver();
    // Also `#onEnd` waits for its turn behind what is held.
    if (this.#credit === 0 || this.#held.length > 0) this.#stream.pause();
  }

  #onEnd(): void {
    // A stream that was reset ends as well, but its body is not complete.
    if (this.#stream.aborted || this.#stream.rstCode !== 0 || this.#stream.destroyed) return;
    this.#ended = true;
    if (this.#state === "discarding") this.#enter("done");
    else if (this.#state === "reading" && this.#held.length === 0) this.#last(EMPTY);
  }

  #deliver(): void {
    // Taking a chunk may grant more.
    while (this.#held.length > 0 && this.#credit > 0 && this.#state === "reading") {
      const held = this.#held;
      const size = Math.min(held.length, this.#credit);
      const piece = size === held.length ? held : held.subarray(0, size);
      this.#held = size === held.length ? EMPTY : held.subarray(size);
      this.#credit -= size;
      const through = this.#held.length === 0 && (this.#ended || this.#received === this.#length);
      if (through) this.#last(piece);
      else this.#taker.chunk(piece, false);
    }
  }

  #last(piece: Uint8Array): void {
    this.#ended = true;
    this.#enter("done");
    this.#taker.chunk(piece, true);
    this.#stream.resume();
  }

  #enter(next: State): void {
    if (!EDGES[this.#state].includes(next))
      throw new Error(`request body: no edge from ${this.#state} to ${next}`);
    this.#state = next;
  }
}

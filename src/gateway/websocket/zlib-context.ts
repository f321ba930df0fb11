import { constants, createDeflateRaw, createInflateRaw } from "node:zlib";

/**
 * Raw deflate streams that are driven synchronously and keep their context from call to call. The public streaming
 * interface hands every write to a thread and answers later, which costs more than the compression of a chat message and
 * would need a queue per connection to keep messages in order; the public one-shot functions build a context
 * per call (7 times the cost). So this uses the handle under the public object, which Node.js and Bun share; where
 * its shape is not the known one {@link zlibContextsWork} says no and the extension is not negotiated.
 */

interface ZlibHandle {
  onerror: (message: string, errno: number, code: string) => void;
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputLength: number,
    output: Uint8Array,
    outputAt: number,
    outputLength: number,
  ): void;
  reset(): void;
}

interface ZlibStream {
  readonly _handle: ZlibHandle;
  /** Output bytes still free, input bytes not consumed: after the latest write. */
  readonly _writeState: Uint32Array;
  close(): void;
}

/** Most output of one step. */
const PIECE_SIZE = 64 * 1024;
const EMPTY = new Uint8Array(0);
let scratch: Uint8Array | undefined;

/** One compression or decompression context. */
export class ZlibContext {
  readonly #stream: ZlibStream;
  /** Whether another {@link step} is due for the input given. */
  more = false;
  #input: Uint8Array = EMPTY;
  #at = 0;
  #ended = false;
  #invalid = false;

  private constructor(stream: ZlibStream) {
    this.#stream = stream;
    stream._handle.onerror = () => {
      this.#invalid = true;
    };
  }

  static deflate(windowBits: number): ZlibContext {
    return new ZlibContext(createDeflateRaw({ windowBits }) as unknown as ZlibStream);
  }

  static inflate(windowBits: number): ZlibContext {
    return new ZlibContext(createInflateRaw({ windowBits }) as unknown as ZlibStream);
  }

  /**
   * Runs the rest of {@link give}'s input through, at most {@link PIECE_SIZE} bytes of output at a time, flushed to a byte border.
   *
   * @returns the output, which belongs to the caller; empty when there is none yet; null when the input is broken
   */
  step(): Uint8Array | null {
    scratch ??= new Uint8Array(PIECE_SIZE);
    const { _handle: handle, _writeState: state } = this.#stream;
    const left = this.#input.length - this.#at;
    handle.writeSync(constants.Z_SYNC_FLUSH, this.#input, this.#at, left, scratch, 0, PIECE_SIZE);
    if (this.#invalid) return null;
    const room = state[0]!;
    const consumed = left - state[1]!;
    this.#at += consumed;
    // A full output may mean that there is more without any more input.
    this.more = room === 0 || consumed < left;
    if (room > 0 && this.more) {
      // A final block has ended the stream before the input: what follows is a new one (RFC 7692 §7.2.3.4).
      if (this.#ended && consumed === 0) return null;
      this.#ended = true;
      handle.reset();
    }
    if (!this.more) this.#input = EMPTY;
    return room === PIECE_SIZE ? EMPTY : scratch.slice(0, PIECE_SIZE - room);
  }

  /** Gives input. All that was given before must have been run through. */
  give(input: Uint8Array): void {
    this.#input = input;
    this.#at = 0;
    this.#ended = false;
    this.more = true;
  }

  /** Forgets the window, so that the context can serve another message. */
  reset(): void {
    this.#invalid = false;
    this.#input = EMPTY;
    this.more = false;
    this.#stream._handle.reset();
  }

  close(): void {
    this.#stream.close();
  }
}

let works: boolean | undefined;

/** Whether the runtime's zlib streams can be driven as this file does; found out at the first call. */
export function zlibContextsWork(): boolean {
  works ??= probe();
  return works;
}

function probe(): boolean {
  try {
    const text = new TextEncoder().encode("headrace headrace headrace");
    const deflate = ZlibContext.deflate(15);
    const inflate = ZlibContext.inflate(15);
    let out = 0;
    for (let round = 0; round < 2; round++) {
      deflate.give(text);
      inflate.give(deflate.step()!);
      out += inflate.step()!.length;
      deflate.reset();
      inflate.reset();
    }
    deflate.close();
    inflate.close();
    return out === 2 * text.length;
  } catch {
    return false;
  }
}

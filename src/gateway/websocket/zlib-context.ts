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

/** Called with every piece of output; the piece belongs to the callee. Returning false stops the run. */
export type Output = (piece: Uint8Array) => boolean;

/** How a run ended. */
export type RunResult = "done" | "stopped" | "invalid";

const SCRATCH_SIZE = 64 * 1024;
let scratch: Uint8Array | undefined;

/** One compression or decompression context. */
export class ZlibContext {
  readonly #stream: ZlibStream;
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

  /** Runs `input` through, flushed to a byte border. */
  run(input: Uint8Array, output: Output): RunResult {
    scratch ??= new Uint8Array(SCRATCH_SIZE);
    const { _handle: handle, _writeState: state } = this.#stream;
    let at = 0;
    let ended = false;
    while (true) {
      handle.writeSync(constants.Z_SYNC_FLUSH, input, at, input.length - at, scratch, 0, SCRATCH_SIZE);
      if (this.#invalid) return "invalid";
      const produced = SCRATCH_SIZE - state[0]!;
      const consumed = input.length - at - state[1]!;
      at += consumed;
      if (produced > 0 && !output(scratch.slice(0, produced))) return "stopped";
      if (state[0] === 0) continue;
      if (at === input.length) return "done";
      // A final block has ended the stream before the input: what follows is a new one (RFC 7692 §7.2.3.4).
      if (ended && consumed === 0) return "invalid";
      ended = true;
      handle.reset();
    }
  }

  /** Forgets the window, so that the context can serve another message. */
  reset(): void {
    this.#invalid = false;
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
    const packed: Uint8Array[] = [];
    const deflate = ZlibContext.deflate(15);
    const inflate = ZlibContext.inflate(15);
    let out = 0;
    for (let round = 0; round < 2; round++) {
      deflate.run(text, (piece) => packed.push(piece) > 0);
      inflate.run(packed.pop()!, (piece) => {
        out += piece.length;
        return true;
      });
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

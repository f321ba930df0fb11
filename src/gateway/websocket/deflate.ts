import { ZlibContext, zlibContextsWork } from "./zlib-context.ts";

/**
 * permessage-deflate (RFC 7692). What it may cost is bounded by what is in progress, not by how many clients are
 * connected: our direction never takes its context over from message to message, so contexts are held only while a
 * message is being written and shared otherwise. The client's direction takes its context over when the client lets
 * us bound the window (`client_max_window_bits`, as browsers do): about 12 KiB for a client that really compresses.
 */

/** What was agreed on. */
export interface DeflateParams {
  /** Window of what we send, 9 .. 15. */
  readonly serverWindowBits: number;
  /** Window of what the client sends, 9 .. 15. */
  readonly clientWindowBits: number;
  /** Whether the client starts every message with an empty window. */
  readonly clientNoContextTakeover: boolean;
}

/** One element of Sec-WebSocket-Extensions: a name and its parameters in order. */
export interface ExtensionOffer {
  readonly name: string;
  readonly params: ReadonlyArray<readonly [name: string, value: string | null]>;
}

/** The agreed parameters and the header value that says so. */
export interface DeflateAgreement {
  readonly params: DeflateParams;
  readonly header: string;
}

const EXTENSION = "permessage-deflate";
const CLIENT_WINDOW_BITS = 12;

/** Takes the first offer that can be kept, in the client's order of preference; null when there is none. */
export function agreeOnDeflate(offers: readonly ExtensionOffer[]): DeflateAgreement | null {
  if (!zlibContextsWork()) return null;
  for (const offer of offers) {
    const agreement = offer.name === EXTENSION ? acceptOffer(offer) : null;
    if (agreement !== null) return agreement;
  }
  return null;
}

function acceptOffer(offer: ExtensionOffer): DeflateAgreement | null {
  let serverWindowBits = 0;
  let clientWindowBits = 0;
  let clientNoContextTakeover = false;
  const seen = new Set<string>();
  for (const [name, value] of offer.params) {
    if (seen.has(name)) return null;
    seen.add(name);
    if (name === "server_no_context_takeover" || name === "client_no_context_takeover") {
      if (value !== null) return null;
      if (name === "client_no_context_takeover") clientNoContextTakeover = true;
    } else if (name === "server_max_window_bits") {
      // zlib cannot write raw streams with a window of 256 bytes, so an offer that asks for it cannot be kept.
      if (value === null || !isWindowBits(value) || value === "8") return null;
      serverWindowBits = Number(value);
    } else if (name === "client_max_window_bits") {
      if (value !== null && !isWindowBits(value)) return null;
      clientWindowBits = value === null ? 15 : Number(value);
    } else {
      return null;
    }
  }
  return answer(serverWindowBits, clientWindowBits, clientNoContextTakeover);
}

/** Bits are 0 where the offer had none. */
function answer(serverBits: number, clientBits: number, noTakeover: boolean): DeflateAgreement {
  let header = `${EXTENSION}; server_no_context_takeover`;
  // A client whose window we cannot bound starts every message afresh: any server may ask for it (§7.1.1.2).
  const clientNoContextTakeover = noTakeover || clientBits === 0;
  if (clientNoContextTakeover) header += "; client_no_context_takeover";
  if (serverBits !== 0) header += `; server_max_window_bits=${serverBits}`;
  let clientWindowBits = 15;
  if (clientBits !== 0) {
    const agreed = Math.min(clientBits, CLIENT_WINDOW_BITS);
    header += `; client_max_window_bits=${agreed}`;
    clientWindowBits = Math.max(9, agreed);
  }
  return {
    params: {
      serverWindowBits: serverBits === 0 ? 15 : serverBits,
      clientWindowBits,
      clientNoContextTakeover,
    },
    header,
  };
}

function isWindowBits(value: string): boolean {
  return /^(?:[89]|1[0-5])$/.test(value);
}

const TAIL = Uint8Array.of(0x00, 0x00, 0xff, 0xff);
const EMPTY = new Uint8Array(0);
/** An empty stored block without its tail: how an empty message is written (§7.2.3.6). */
const EMPTY_MESSAGE = Uint8Array.of(0x00);
const FREE_LIMIT = 8;

/** Contexts that are between two messages, by window. */
class FreeList {
  readonly #make: (windowBits: number) => ZlibContext;
  readonly #free = new Map<number, ZlibContext[]>();

  constructor(make: (windowBits: number) => ZlibContext) {
    this.#make = make;
  }

  take(windowBits: number): ZlibContext {
    return this.#free.get(windowBits)?.pop() ?? this.#make(windowBits);
  }

  give(windowBits: number, context: ZlibContext): void {
    let list = this.#free.get(windowBits);
    if (list === undefined) {
      list = [];
      this.#free.set(windowBits, list);
    }
    if (list.length >= FREE_LIMIT) {
      context.close();
      return;
    }
    context.reset();
    list.push(context);
  }
}

const deflaters = new FreeList(ZlibContext.deflate);
const inflaters = new FreeList(ZlibContext.inflate);

/** Compresses the messages of one connection. */
export class MessageDeflater {
  readonly #windowBits: number;
  #context: ZlibContext | null = null;

  constructor(params: DeflateParams) {
    this.#windowBits = params.serverWindowBits;
  }

  /** Compresses a part of a message; the last part ends it. */
  run(chunk: Uint8Array, last: boolean): Uint8Array {
    if (chunk.length === 0 && last && this.#context === null) return EMPTY_MESSAGE;
    this.#context ??= deflaters.take(this.#windowBits);
    const pieces: Uint8Array[] = [];
    // Flushing twice without input in between writes nothing, so a last empty part goes out as its own empty block.
    this.#context.give(chunk);
    while (this.#context.more) {
      const piece = this.#context.step();
      if (piece === null) break;
      pieces.push(piece);
    }
    if (!last) return join(pieces);
    deflaters.give(this.#windowBits, this.#context);
    this.#context = null;
    const packed = join(pieces);
    return packed.length < TAIL.length ? EMPTY_MESSAGE : packed.subarray(0, packed.length - TAIL.length);
  }

  close(): void {
    this.#context?.close();
    this.#context = null;
  }
}

/** What {@link MessageInflater.pull} found: output, nothing more for now, or why the message ends here. */
export type Inflated = Uint8Array | null | "too-big" | "invalid";

/**
 * Decompresses the messages of one connection, piece by piece as they are asked for: what a few bytes stand for is never made
 * before somebody takes it.
 */
export class MessageInflater {
  readonly #params: DeflateParams;
  readonly #limit: number;
  #context: ZlibContext | null = null;
  #produced = 0;
  #tailDue = false;

  /** @param maxMessage bytes of one message once decompressed; 0 for no limit */
  constructor(params: DeflateParams, maxMessage: number) {
    this.#params = params;
    this.#limit = maxMessage === 0 ? Number.MAX_SAFE_INTEGER : maxMessage;
  }

  /** Gives a part of a message; the last part ends it. The part before must have been pulled out completely. */
  push(chunk: Uint8Array, last: boolean): void {
    this.#context ??= inflaters.take(this.#params.clientWindowBits);
    this.#context.give(chunk);
    this.#tailDue = last;
  }

  /** Takes the next piece, at most 64 KiB. */
  pull(): Inflated {
    const context = this.#context;
    if (context === null) return null;
    while (true) {
      if (!context.more) {
        if (!this.#tailDue) return null;
        this.#tailDue = false;
        context.give(TAIL);
      }
      const piece = context.step();
      // A broken context is of no use to anybody, and neither is one that was stopped half way.
      if (piece === null) return this.#fail("invalid");
      this.#produced += piece.length;
      if (this.#produced > this.#limit) return this.#fail("too-big");
      if (piece.length > 0) return piece;
    }
  }

  /** The message that was pulled out completely is over. */
  endMessage(): void {
    this.#produced = 0;
    if (!this.#params.clientNoContextTakeover || this.#context === null) return;
    inflaters.give(this.#params.clientWindowBits, this.#context);
    this.#context = null;
  }

  close(): void {
    this.#context?.close();
    this.#context = null;
  }

  #fail(why: "too-big" | "invalid"): "too-big" | "invalid" {
    this.close();
    return why;
  }
}

function join(pieces: Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  if (pieces.length === 0) return EMPTY;
  let length = 0;
  for (const piece of pieces) length += piece.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

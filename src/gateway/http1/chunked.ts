/**
 * Chunked bodies (RFC 9112 §7.1), strictly, over any chunk borders:
 *
 * ```
 *          ┌───────────────────────────── DATA_LF ◀─ DATA_CR ◀─┐
 *          ▼                                                   │
 *  SIZE_FIRST ─hex─▶ SIZE ─┬─CR─▶ SIZE_LF ─ size > 0 ──▶ DATA ─┘
 *                          └─;──▶ EXTENSION ─CR─▶ SIZE_LF ─ size = 0 ──▶ TRAILER ──empty line──▶ END
 * ```
 *
 * Data is handed over as ranges of the input, not copied. Trailer fields are checked and dropped.
 */
import { type HttpError, HttpErrors } from "./errors.ts";
import { CR, HEX, HTAB, LF, SP, TOKEN_LOWER, VALUE } from "./tables.ts";
import { trailerError } from "./trailers.ts";

const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NOT_HEX = 0xff;
/** 2^52 is beyond every body; one digit less keeps the sum exact. */
const MAX_SIZE_DIGITS = 13;
/** Extensions have no use here, they only have room for attacks. */
const MAX_EXTENSION = 1024;

const State = {
  SIZE_FIRST: 0,
  SIZE: 1,
  EXTENSION: 2,
  SIZE_LF: 3,
  DATA: 4,
  DATA_CR: 5,
  DATA_LF: 6,
  TRAILER: 7,
  END: 8,
} as const;

/** Within EXTENSION: `;name`, `;name=value`, `;name="value"`, any number of them, without white space. */
const Extension = {
  NAME_FIRST: 0,
  NAME: 1,
  VALUE_FIRST: 2,
  VALUE: 3,
  QUOTED: 4,
  QUOTED_PAIR: 5,
  QUOTED_END: 6,
} as const;

/** What {@link ChunkedDecoder.next} came to. */
export const Chunked = {
  /** The input is used up. */
  MORE: 0,
  /** Body bytes: from {@link ChunkedDecoder.dataStart} to {@link ChunkedDecoder.at}. */
  DATA: 1,
  /** The body is complete; what follows `at` is the next request. */
  END: 2,
  /** See {@link ChunkedDecoder.error}. */
  REFUSED: 3,
} as const;

/** Decodes one body. */
export class ChunkedDecoder {
  /** Up to where the input has been used. */
  at = 0;
  dataStart = 0;
  error: HttpError = HttpErrors.chunk;
  private state: number = State.SIZE_FIRST;
  /** Bytes left of the chunk. */
  private left = 0;
  private digits = 0;
  /** Bytes of extensions that the data has not outweighed: signed chunks are fine, a body of nothing but extensions is not. */
  private extension = 0;
  private part: number = Extension.NAME_FIRST;
  private trailer: number[] = [];
  private trailerBytes = 0;

  /** @param trailerLimit - bytes of all trailer fields: 431 */
  constructor(private readonly trailerLimit: number) {}

  /** Decodes from `bytes[start..end)` until there is something to tell, at most `most` (≥ 1) bytes of data. */
  next(bytes: Uint8Array, start: number, end: number, most: number): number {
    this.at = start;
    while (this.at < end) {
      if (this.state === State.DATA) {
        this.dataStart = this.at;
        const take = Math.min(this.left, end - this.at, most);
        this.at += take;
        this.left -= take;
        if (this.left === 0) this.state = State.DATA_CR;
        return Chunked.DATA;
      }
      const error =
        this.state === State.TRAILER ? this.trailerByte(bytes[this.at]!) : this.framing(bytes[this.at]!);
      if (error !== null) {
        this.error = error;
        return Chunked.REFUSED;
      }
      this.at++;
      if (this.state === State.END) return Chunked.END;
    }
    return Chunked.MORE;
  }

  /** Takes one byte of a chunk's borders. */
  private framing(byte: number): HttpError | null {
    switch (this.state) {
      case State.SIZE_FIRST:
        this.left = HEX[byte]!;
        this.digits = 1;
        this.state = State.SIZE;
        return this.left === NOT_HEX ? HttpErrors.chunk : null;
      case State.SIZE:
        return this.sizeByte(byte);
      case State.EXTENSION:
        return this.extensionByte(byte);
      case State.SIZE_LF:
        this.state = this.left > 0 ? State.DATA : State.TRAILER;
        this.extension = Math.max(0, this.extension - this.left);
        return byte === LF ? null : HttpErrors.chunk;
      case State.DATA_CR:
        this.state = State.DATA_LF;
        return byte === CR ? null : HttpErrors.chunk;
      default:
        this.state = State.SIZE_FIRST;
        return byte === LF ? null : HttpErrors.chunk;
    }
  }

  private sizeByte(byte: number): HttpError | null {
    const digit = HEX[byte]!;
    if (digit !== NOT_HEX) {
      if (++this.digits > MAX_SIZE_DIGITS) return HttpErrors.chunk;
      this.left = this.left * 16 + digit;
      return null;
    }
    if (byte === CR) this.state = State.SIZE_LF;
    else if (byte === SEMICOLON) {
      this.state = State.EXTENSION;
      this.part = Extension.NAME_FIRST;
    } else return byte === SP || byte === HTAB ? HttpErrors.chunkExtension : HttpErrors.chunk;
    return null;
  }

  /** Takes one byte of extensions. They are checked and dropped: a quote left open must not hide a line from somebody else. */
  private extensionByte(byte: number): HttpError | null {
    if (++this.extension > MAX_EXTENSION) return HttpErrors.chunkExtension;
    const token = TOKEN_LOWER[byte] !== 0;
    switch (this.part) {
      case Extension.NAME_FIRST:
        this.part = Extension.NAME;
        return token ? null : HttpErrors.chunkExtension;
      case Extension.VALUE_FIRST:
        this.part = byte === QUOTE ? Extension.QUOTED : Extension.VALUE;
        return token || byte === QUOTE ? null : HttpErrors.chunkExtension;
      case Extension.QUOTED:
        if (byte === QUOTE) this.part = Extension.QUOTED_END;
        else if (byte === BACKSLASH) this.part = Extension.QUOTED_PAIR;
        return VALUE[byte] === 1 ? null : HttpErrors.chunkExtension;
      case Extension.QUOTED_PAIR:
        this.part = Extension.QUOTED;
        return VALUE[byte] === 1 ? null : HttpErrors.chunkExtension;
      default:
        if (token && this.part !== Extension.QUOTED_END) return null;
    }
    if (byte === CR) this.state = State.SIZE_LF;
    else if (byte === SEMICOLON) this.part = Extension.NAME_FIRST;
    else if (byte === EQUALS && this.part === Extension.NAME) this.part = Extension.VALUE_FIRST;
    else return HttpErrors.chunkExtension;
    return null;
  }

  /** Takes one byte of the trailer section: lines that end with CRLF, the last of them empty. */
  private trailerByte(byte: number): HttpError | null {
    const line = this.trailer;
    if (++this.trailerBytes > this.trailerLimit + 2) return HttpErrors.trailerSize;
    const afterCr = line.length > 0 && line[line.length - 1] === CR;
    if (byte !== LF) {
      if (afterCr) return HttpErrors.bareCr;
      line.push(byte);
      return null;
    }
    if (!afterCr) return HttpErrors.bareLf;
    if (line.length === 1) {
      this.state = State.END;
      return null;
    }
    line.pop();
    this.trailer = [];
    return trailerError(Uint8Array.from(line));
  }
}

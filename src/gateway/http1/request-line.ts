/** The request line (RFC 9112 §3): method, target, version. */
import { lineEndError, targetError, versionError } from "./diagnose.ts";
import { type HttpError, HttpErrors } from "./errors.ts";
import { methodName } from "./methods.ts";
import { ascii, CR, LF, SP, same, TARGET, TOKEN_LOWER } from "./tables.ts";
import { TargetForm, targetForm } from "./target.ts";

/** What parsing came to. */
export const Parsed = {
  COMPLETE: 0,
  /** More bytes are needed. */
  INCOMPLETE: 1,
  /** See the parser's `error`. */
  REFUSED: 2,
  /** The bytes are the start of an HTTP/2 connection. */
  PREFACE: 3,
} as const;

const HTTP_1 = ascii("HTTP/1.");
const VERSION_LENGTH = 8;
const PREFACE = ascii("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const UPPER_P = 0x50;

/** Parses request lines. The results of a call stand in its fields until the next call. */
export class RequestLine {
  /** Where the line ends in the bytes parsed, its CRLF included. */
  end = 0;
  error: HttpError = HttpErrors.requestLine;
  /** As far as it was read; empty when it was not. */
  method = "";
  targetStart = 0;
  targetEnd = 0;
  version: 10 | 11 = 11;
  /** Whether the target is in absolute form. */
  absolute = false;

  /** @param limit - bytes of a line, beyond it 414; `http2` - whether the HTTP/2 preface is recognised */
  constructor(
    private readonly limit: number,
    private readonly http2: boolean,
  ) {}

  /** Parses the line at the start of `bytes[start..end)`. Returns a {@link Parsed}. */
  parse(bytes: Uint8Array, start: number, end: number): number {
    this.method = "";
    this.targetStart = this.targetEnd = 0;
    // One empty line before the request line is a common leftover of the request before (RFC 9112 §2.2).
    if (bytes[start] === CR && start < end) {
      if (start + 1 >= end) return Parsed.INCOMPLETE;
      if (bytes[start + 1] !== LF) return this.refuse(HttpErrors.bareCr);
      start += 2;
    }
    if (start >= end) return Parsed.INCOMPLETE;
    if (bytes[start] === UPPER_P) {
      const preface = matchPreface(bytes, start, end);
      if (preface === Parsed.PREFACE && !this.http2) return this.refuse(HttpErrors.preface);
      if (preface !== Parsed.REFUSED) return preface;
    }
    return this.line(bytes, start, end);
  }

  private refuse(error: HttpError): number {
    this.error = error;
    return Parsed.REFUSED;
  }

  private line(bytes: Uint8Array, start: number, end: number): number {
    const stop = Math.min(end, start + this.limit + 2);
    let at = start;
    while (at < stop && TOKEN_LOWER[bytes[at]!] !== 0) at++;
    if (at >= stop || crLast(bytes, at, end)) return this.lineShort(start, end);
    if (bytes[at] !== SP || at === start) {
      return this.refuse(lineEndError(bytes, at, at === start ? HttpErrors.requestLine : HttpErrors.method));
    }
    this.method = methodName(bytes, start, at);
    const target = ++at;
    while (at < stop && TARGET[bytes[at]!] === 1) at++;
    if (at >= stop || crLast(bytes, at, end)) return this.lineShort(start, end);
    if (bytes[at] !== SP || at === target) return this.refuse(targetError(bytes, at, at === target));
    this.targetStart = target;
    this.targetEnd = at++;
    if (at + VERSION_LENGTH + 2 > stop) return this.versionShort(bytes, at, start, end);
    const digit = bytes[at + 7]!;
    if (!same(bytes, at, HTTP_1) || (digit !== 0x31 && digit !== 0x30))
      return this.refuse(versionError(bytes, at));
    this.version = digit === 0x31 ? 11 : 10;
    at += VERSION_LENGTH;
    if (bytes[at] !== CR || bytes[at + 1] !== LF) {
      return this.refuse(lineEndError(bytes, at, HttpErrors.requestLine));
    }
    this.end = at + 2;
    return this.checkTarget(bytes);
  }

  private lineShort(start: number, end: number): number {
    return end - start >= this.limit + 2 ? this.refuse(HttpErrors.requestLineSize) : Parsed.INCOMPLETE;
  }

  /** The line ends before its version and CRLF are there: is that the limit, an error already, or only early? */
  private versionShort(bytes: Uint8Array, at: number, start: number, end: number): number {
    const lf = bytes.subarray(at, end).indexOf(LF);
    if (lf < 0 || (lf === VERSION_LENGTH + 1 && bytes[at + VERSION_LENGTH] === CR))
      return this.lineShort(start, end);
    return this.refuse(lf === VERSION_LENGTH ? HttpErrors.bareLf : HttpErrors.requestLine);
  }

  private checkTarget(bytes: Uint8Array): number {
    if (this.method === "CONNECT") return this.refuse(HttpErrors.connect);
    const form = targetForm(bytes, this.targetStart, this.targetEnd, this.method);
    this.absolute = form === TargetForm.ABSOLUTE;
    return form === TargetForm.INVALID ? this.refuse(HttpErrors.target) : Parsed.COMPLETE;
  }
}

/** Whether the bytes end in a CR: what it stands for depends on the next one. */
export function crLast(bytes: Uint8Array, at: number, end: number): boolean {
  return bytes[at] === CR && at + 1 >= end;
}

/** Compares with the HTTP/2 connection preface as far as bytes are there. */
function matchPreface(bytes: Uint8Array, start: number, end: number): number {
  const length = Math.min(end - start, PREFACE.length);
  for (let i = 0; i < length; i++) if (bytes[start + i] !== PREFACE[i]) return Parsed.REFUSED;
  return length === PREFACE.length ? Parsed.PREFACE : Parsed.INCOMPLETE;
}

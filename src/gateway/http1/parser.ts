/**
 * Request heads, strictly as RFC 9112 writes them. One pass over the bytes validates them, lower-cases the names and writes the header
 * pairs as the worker protocol wants them; nothing is turned into objects or strings except the method.
 *
 * The parser keeps no state between calls: a head that is not complete yet is parsed again from its start when more has come
 * (see head-buffer.ts, which bounds how often that can happen).
 */
import { type RequestHead, Seen } from "../client.ts";
import type { HttpLimits } from "../settings.ts";
import { lineEndError, nameError } from "./diagnose.ts";
import { type HttpError, HttpErrors } from "./errors.ts";
import { Coding, contentLength, Known, knownField, listHas, transferCoding } from "./fields.ts";
import { checkHandshake } from "./handshake.ts";
import { crLast, Parsed, RequestLine } from "./request-line.ts";
import { ascii, COLON, CR, HTAB, LF, SP, sameIgnoringCase, TOKEN_LOWER, VALUE } from "./tables.ts";
import { authorityEnd, authorityStart, validHost } from "./target.ts";

const HOST_NAME = ascii("host");
const CONTINUE = ascii("100-continue");
const CLOSE = ascii("close");
const KEEP_ALIVE = ascii("keep-alive");
const UPGRADE = ascii("upgrade");
const WEBSOCKET = ascii("websocket");
const TRAILERS = ascii("trailers");

const FIRST_SIZE = 64 * 1024;
const SLACK = 64;

/** What becomes of a header that was taken in. */
const KEEP = 0;
const DROP = 1;
const REFUSED = 2;

/** The {@link Seen} bit of each {@link Known} that has nothing else to it. */
const SEEN_OF: readonly number[] = seenOf();

function seenOf(): readonly number[] {
  const bits: number[] = new Array(Known.WEBSOCKET_VERSION + 1).fill(0);
  bits[Known.FORWARDED] = Seen.FORWARDED;
  bits[Known.TRACEPARENT] = Seen.TRACEPARENT;
  bits[Known.REQUEST_ID] = Seen.REQUEST_ID;
  bits[Known.REQUEST_START] = Seen.REQUEST_START;
  bits[Known.TIMEOUT] = Seen.TIMEOUT;
  bits[Known.X_FORWARDED] = Seen.X_FORWARDED;
  bits[Known.PRIORITY] = Seen.PRIORITY;
  return bits;
}

/** What the headers said, apart from {@link Seen}. */
const Said = {
  CLOSE: 1,
  KEEP_ALIVE: 2,
  CHUNKED: 4,
  UPGRADE: 8,
  WEBSOCKET: 16,
  EXPECT: 32,
  EXPECT_OTHER: 64,
  CONTENT_TYPE: 128,
} as const;

/** The limits of a head, and the one that its Content-Length can break. */
export type HeadLimits = Pick<HttpLimits, "requestLine" | "headerBytes" | "headerCount" | "bodyBytes">;

/** Parses heads for any number of connections. The results of a call stand in its fields until the next call. */
export class HeadParser {
  /** Where the head ends in the bytes parsed. */
  end = 0;
  /** Why it was refused. */
  error: HttpError = HttpErrors.requestLine;
  /** The request line, as far as it was read. */
  readonly line: RequestLine;
  /** Whether the connection may serve another request after this one. */
  keepAlive = true;
  /** Whether the body is chunked; else it has the length that the head tells. */
  chunked = false;
  head: RequestHead | null = null;

  private out = new Uint8Array(FIRST_SIZE);
  private outEnd = 0;
  private said = 0;
  private seen = 0;
  private hosts = 0;
  private length = 0;
  private upgradeStart = 0;
  private upgradeEnd = 0;
  private keyStart = 0;
  private keyEnd = 0;
  private keys = 0;
  private versions = 0;
  private versionStart = 0;
  private versionEnd = 0;

  /** @param limits - sizes; `http2` - whether the HTTP/2 preface is recognised */
  constructor(
    private readonly limits: HeadLimits,
    http2: boolean,
  ) {
    this.line = new RequestLine(limits.requestLine, http2);
  }

  /** Parses `bytes[start..end)`. Returns a {@link Parsed}. */
  parse(bytes: Uint8Array, start: number, end: number): number {
    this.outEnd = 0;
    this.said = 0;
    this.seen = 0;
    this.hosts = 0;
    this.length = 0;
    this.keys = 0;
    this.versions = 0;
    this.upgradeEnd = 0;
    // Pairs are never longer than the head they come from, but for the name of a host that stands in the target.
    if (end - start + SLACK > this.out.length) this.grow(end - start + SLACK);
    const line = this.line.parse(bytes, start, end);
    if (line !== Parsed.COMPLETE) {
      this.error = this.line.error;
      return line;
    }
    if (this.line.absolute) this.hostOfTarget(bytes);
    const fields = this.fields(bytes, this.line.end, end);
    return fields === Parsed.COMPLETE ? this.finish(bytes) : fields;
  }

  private grow(size: number): void {
    const { requestLine, headerBytes } = this.limits;
    const enough = Math.min(size, requestLine + headerBytes + SLACK);
    if (enough > this.out.length) this.out = new Uint8Array(enough);
  }

  private refuse(error: HttpError): number {
    this.error = error;
    return Parsed.REFUSED;
  }

  /** The host of an absolute target replaces the one of the header (RFC 9112 §3.2.2). */
  private hostOfTarget(bytes: Uint8Array): void {
    const { targetStart, targetEnd } = this.line;
    const from = authorityStart(bytes, targetStart, targetEnd);
    const authority = bytes.subarray(from, authorityEnd(bytes, from, targetEnd));
    this.out.set(HOST_NAME, 0);
    this.out[HOST_NAME.length] = 0;
    this.out.set(authority, HOST_NAME.length + 1);
    this.outEnd = HOST_NAME.length + 1 + authority.length;
    this.out[this.outEnd++] = 0;
    this.seen |= Seen.HOST;
  }

  private fields(bytes: Uint8Array, start: number, end: number): number {
    const out = this.out;
    const stop = Math.min(end, start + this.limits.headerBytes + 2);
    const most = this.limits.headerCount;
    let count = 0;
    let at = start;
    let to = this.outEnd;
    for (;;) {
      if (at >= stop || crLast(bytes, at, stop)) return this.fieldsShort(start, end);
      if (bytes[at] === CR) {
        if (bytes[at + 1] !== LF) return this.refuse(HttpErrors.bareCr);
        this.end = at + 2;
        this.outEnd = to;
        return Parsed.COMPLETE;
      }
      const name = to;
      let byte = TOKEN_LOWER[bytes[at]!]!;
      while (byte !== 0) {
        out[to++] = byte;
        if (++at >= stop) return this.fieldsShort(start, end);
        byte = TOKEN_LOWER[bytes[at]!]!;
      }
      if (bytes[at] !== COLON || to === name)
        return this.badName(bytes, at, { start, end, empty: to === name });
      const nameEnd = to;
      out[to++] = 0;
      at++;
      while (at < stop && (bytes[at] === SP || bytes[at] === HTAB)) at++;
      const value = to;
      for (; at < stop; at++) {
        byte = bytes[at]!;
        if (VALUE[byte] === 0) break;
        out[to++] = byte;
      }
      if (at >= stop || crLast(bytes, at, stop)) return this.fieldsShort(start, end);
      if (bytes[at] !== CR || bytes[at + 1] !== LF)
        return this.refuse(lineEndError(bytes, at, HttpErrors.fieldValue));
      at += 2;
      while (to > value && (out[to - 1] === SP || out[to - 1] === HTAB)) to--;
      if (++count > most) return this.refuse(HttpErrors.headerCount);
      const known = knownField(out, name, nameEnd);
      if (known === Known.OTHER) out[to++] = 0;
      else {
        const keep = this.field(known, name, value, to);
        if (keep === REFUSED) return Parsed.REFUSED;
        if (keep === DROP) to = name;
        else out[to++] = 0;
      }
    }
  }

  private fieldsShort(start: number, end: number): number {
    return end - start >= this.limits.headerBytes + 2
      ? this.refuse(HttpErrors.headerSize)
      : Parsed.INCOMPLETE;
  }

  private badName(
    bytes: Uint8Array,
    at: number,
    where: { start: number; end: number; empty: boolean },
  ): number {
    if (crLast(bytes, at, where.end)) return this.fieldsShort(where.start, where.end);
    return this.refuse(nameError(bytes, at, where.empty));
  }

  /** Takes in a header that means something here. Says whether it stays among the pairs. */
  private field(known: number, name: number, start: number, end: number): number {
    switch (known) {
      case Known.HOST:
        return this.host(start, end);
      case Known.CONNECTION:
        return this.connection(start, end);
      case Known.HOP:
        return DROP;
      case Known.CONTENT_LENGTH:
        if ((this.seen & Seen.CONTENT_LENGTH) !== 0) return this.reject(HttpErrors.lengthTwice);
        this.length = contentLength(this.out, start, end);
        this.seen |= Seen.CONTENT_LENGTH;
        return this.length < 0 ? this.reject(HttpErrors.length) : KEEP;
      case Known.TRANSFER_ENCODING:
        return this.transferEncoding(start, end);
      case Known.CONTENT_TYPE:
        if ((this.said & Said.CONTENT_TYPE) !== 0) return this.reject(HttpErrors.contentTypeTwice);
        this.said |= Said.CONTENT_TYPE;
        return KEEP;
      case Known.EXPECT: {
        const usual = end - start === CONTINUE.length && sameIgnoringCase(this.out, start, CONTINUE);
        this.said |= usual ? Said.EXPECT : Said.EXPECT_OTHER;
        return KEEP;
      }
      case Known.TE:
        if (listHas(this.out, start, end, TRAILERS)) this.seen |= Seen.TE_TRAILERS;
        return KEEP;
      case Known.UPGRADE:
        return this.upgrade(name, start, end);
      case Known.WEBSOCKET_KEY:
        this.keys++;
        this.keyStart = start;
        this.keyEnd = end;
        return KEEP;
      case Known.WEBSOCKET_VERSION:
        this.versions++;
        this.versionStart = start;
        this.versionEnd = end;
        return KEEP;
      default:
        this.seen |= SEEN_OF[known]!;
        return KEEP;
    }
  }

  private reject(error: HttpError): number {
    this.error = error;
    return REFUSED;
  }

  private host(start: number, end: number): number {
    if (this.hosts++ > 0) return this.reject(HttpErrors.hostTwice);
    if (!validHost(this.out, start, end)) return this.reject(HttpErrors.host);
    this.seen |= Seen.HOST;
    return this.line.absolute ? DROP : KEEP;
  }

  private connection(start: number, end: number): number {
    const out = this.out;
    if (listHas(out, start, end, CLOSE)) this.said |= Said.CLOSE;
    if (listHas(out, start, end, KEEP_ALIVE)) this.said |= Said.KEEP_ALIVE;
    if (listHas(out, start, end, UPGRADE)) this.said |= Said.UPGRADE;
    return DROP;
  }

  private transferEncoding(start: number, end: number): number {
    if ((this.said & Said.CHUNKED) !== 0) return this.reject(HttpErrors.coding);
    this.said |= Said.CHUNKED;
    const coding = transferCoding(this.out, start, end);
    if (coding === Coding.CHUNKED) return DROP;
    return this.reject(coding === Coding.UNKNOWN ? HttpErrors.codingUnknown : HttpErrors.coding);
  }

  /** One upgrade header is kept until it is known whether this is a WebSocket handshake; further ones never are. */
  private upgrade(name: number, start: number, end: number): number {
    if (listHas(this.out, start, end, WEBSOCKET)) this.said |= Said.WEBSOCKET;
    if (this.upgradeEnd > 0) return DROP;
    this.upgradeStart = name;
    this.upgradeEnd = end + 1;
    return KEEP;
  }

  /** Everything is read: now what the headers say together. */
  private finish(bytes: Uint8Array): number {
    const said = this.said;
    const line = this.line;
    const v11 = line.version === 11;
    if (v11 && this.hosts === 0) return this.refuse(HttpErrors.hostMissing);
    this.chunked = (said & Said.CHUNKED) !== 0;
    if (this.chunked) {
      if ((this.seen & Seen.CONTENT_LENGTH) !== 0) return this.refuse(HttpErrors.lengthAndCoding);
      if (!v11) return this.refuse(HttpErrors.codingVersion);
    }
    if (v11 && (said & Said.EXPECT_OTHER) !== 0) return this.refuse(HttpErrors.expectation);
    if (this.length > this.limits.bodyBytes) return this.refuse(HttpErrors.bodySize);
    this.keepAlive = (said & Said.CLOSE) === 0 && (v11 || (said & Said.KEEP_ALIVE) !== 0);
    const bodyLength = this.chunked ? -1 : this.length;
    let websocket = false;
    if (this.upgradeEnd > 0) {
      const wanted = Said.UPGRADE | Said.WEBSOCKET;
      websocket = v11 && line.method === "GET" && bodyLength === 0 && (said & wanted) === wanted;
      if (websocket) {
        const bad = this.checkHandshake();
        if (bad !== null) return this.refuse(bad);
      } else {
        this.out.copyWithin(this.upgradeStart, this.upgradeEnd, this.outEnd);
        this.outEnd -= this.upgradeEnd - this.upgradeStart;
      }
    }
    this.head = {
      method: line.method,
      target: bytes.slice(line.targetStart, line.targetEnd),
      // The last pair is followed by a NUL too: not part of the fields.
      fields: this.out.slice(0, this.outEnd > 0 ? this.outEnd - 1 : 0),
      seen: this.seen,
      version: line.version,
      bodyLength,
      expectContinue: v11 && (said & Said.EXPECT) !== 0 && bodyLength !== 0,
      websocket,
    };
    return Parsed.COMPLETE;
  }

  private checkHandshake(): HttpError | null {
    return checkHandshake(
      this.keys === 1 ? this.out.subarray(this.keyStart, this.keyEnd) : null,
      this.versions === 1 ? this.out.subarray(this.versionStart, this.versionEnd) : null,
    );
  }
}

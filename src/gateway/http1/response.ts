/**
 * Responses as bytes: one pass over the app's fields validates them and writes the head into one buffer. Nothing leaves before the
 * whole head has been found valid, so a header that would split the response never reaches a client.
 */
import type { Fields } from "../client.ts";
import { httpDate } from "./date.ts";
import { contentLength } from "./fields.ts";
import { statusLine } from "./status.ts";
import { ascii, COLON, CR, HTAB, LF, SP, same, TOKEN_LOWER, VALUE } from "./tables.ts";

/** How the end of a response's body is told. */
export const Framing = {
  /** There is no body, and no header that speaks of one is added. */
  NONE: 0,
  LENGTH: 1,
  CHUNKED: 2,
  /** It ends with the connection. */
  CLOSE: 3,
} as const;

/** What goes into a head besides the app's fields. */
export interface HeadPlan {
  readonly status: number;
  /** HTTP/1.1 client: chunked is understood. */
  readonly v11: boolean;
  /** HEAD request: no body follows whatever the head says. */
  readonly headOnly: boolean;
  /** Length of the body when it is known without a content-length of the app, else -1. */
  readonly knownLength: number;
  readonly trailers: boolean;
  /** Whether the connection is closed after this response. */
  readonly close: boolean;
  /** Whether an HTTP/1.0 client asked for keep-alive. */
  readonly keepAlive10: boolean;
}

const DATE = ascii("date");
const CONTENT_LENGTH = ascii("content-length");
const DROPPED: readonly Uint8Array[] = [
  "connection",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
  "proxy-connection",
].map(ascii);
const CHUNKED_LINE = ascii("transfer-encoding: chunked\r\n");
const CLOSE_LINE = ascii("connection: close\r\n");
const KEEP_ALIVE_LINE = ascii("connection: keep-alive\r\n");
const FIRST_SIZE = 16 * 1024;
/** Room for what is added to the app's fields. */
const SLACK = 512;

/** Writes heads for any number of connections. Results stand in its fields until the next call. */
export class ResponseWriter {
  /** Length of the body as the head told it, -1 when it did not. */
  length = -1;
  /** A {@link Framing}. */
  framing: number = Framing.NONE;
  /** Whether the head said `connection: close`. */
  close = false;
  private out: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_SIZE);
  private at = 0;
  private dated = false;

  /** Starts a final head. False when the fields or the status cannot be sent; then nothing may be taken. */
  head(plan: HeadPlan, fields: Fields): boolean {
    this.begin(fields.length * 3 + SLACK);
    const line = statusLine(plan.status);
    if (line === null) return false;
    this.put(line);
    if (!this.fields(fields)) return false;
    if (!this.frame(plan)) return false;
    if (!this.dated) this.put(httpDate());
    this.close = plan.close || this.framing === Framing.CLOSE;
    if (this.close) this.put(CLOSE_LINE);
    else if (plan.keepAlive10) this.put(KEEP_ALIVE_LINE);
    this.crlf();
    return true;
  }

  /** Writes an interim head (1xx). False when the fields cannot be sent. */
  interim(status: number, fields: Fields): boolean {
    this.begin(fields.length * 3 + SLACK);
    const line = statusLine(status);
    if (line === null) return false;
    this.put(line);
    if (!this.fields(fields)) return false;
    this.crlf();
    return true;
  }

  /** Starts a write that has no head. */
  restart(): void {
    this.at = 0;
  }

  /** Adds the line that begins a chunk. */
  chunkSize(bytes: number): void {
    let shift = 0;
    while (bytes >>> shift > 0xf && shift < 28) shift += 4;
    for (; shift >= 0; shift -= 4) this.out[this.at++] = HEX_DIGITS[(bytes >>> shift) & 0xf]!;
    this.crlf();
  }

  /** Adds what ends a chunk, and the body when it was the last. */
  chunkEnd(last: boolean): void {
    this.crlf();
    if (last) this.put(LAST_CHUNK);
  }

  /** Starts a write that ends a chunked body with trailers. False when these cannot be sent. */
  lastChunk(trailers: Fields): boolean {
    if (trailers.length === 0) {
      this.put(LAST_CHUNK);
      return true;
    }
    this.begin(trailers.length * 3 + SLACK);
    this.put(ZERO_CHUNK);
    const valid = this.fields(trailers) && this.length < 0;
    if (valid) this.crlf();
    else this.at = 0;
    return valid;
  }

  /** Whether `bytes` more fit into the same write without growing. */
  fits(bytes: number): boolean {
    return this.at + bytes <= FIRST_SIZE;
  }

  /** Adds bytes to the same write. */
  put(bytes: Uint8Array): void {
    this.out.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** What was written, to be kept by the caller. */
  take(): Uint8Array {
    const taken = this.out.slice(0, this.at);
    if (this.out.length > FIRST_SIZE) this.out = new Uint8Array(FIRST_SIZE);
    return taken;
  }

  private begin(room: number): void {
    this.at = 0;
    this.length = -1;
    this.dated = false;
    if (room > this.out.length) this.out = new Uint8Array(room);
  }

  private crlf(): void {
    this.out[this.at++] = CR;
    this.out[this.at++] = LF;
  }

  /** Writes the pairs as header lines. False at the first thing that is not a valid header. */
  private fields(fields: Fields): boolean {
    const out = this.out;
    const end = fields.length;
    let at = 0;
    let to = this.at;
    while (at < end) {
      const line = to;
      let byte = fields[at]!;
      while (byte !== 0) {
        byte = TOKEN_LOWER[byte]!;
        if (byte === 0) return false;
        out[to++] = byte;
        // A name without a NUL after it has no value.
        if (++at >= end) return false;
        byte = fields[at]!;
      }
      if (to === line) return false;
      const nameEnd = to;
      out[to++] = COLON;
      out[to++] = SP;
      at++;
      const value = to;
      for (; at < end; at++) {
        byte = fields[at]!;
        if (VALUE[byte] === 0) break;
        out[to++] = byte;
      }
      if (at < end) {
        if (fields[at] !== 0) return false;
        // A NUL at the very end would be a name that is missing.
        if (++at === end) return false;
      }
      const verdict = this.special(line, nameEnd, value, to);
      if (verdict === BAD) return false;
      if (verdict === DROP) to = line;
      else {
        out[to++] = CR;
        out[to++] = LF;
      }
    }
    this.at = to;
    return true;
  }

  /** Takes in the headers that the front itself has a hand in. */
  private special(name: number, nameEnd: number, value: number, end: number): number {
    const out = this.out;
    const length = nameEnd - name;
    if (length === DATE.length) {
      if (same(out, name, DATE)) this.dated = true;
      return KEEP;
    }
    if (length === CONTENT_LENGTH.length) {
      if (!same(out, name, CONTENT_LENGTH)) return KEEP;
      if (this.length >= 0) return BAD;
      while (end > value && (out[end - 1] === SP || out[end - 1] === HTAB)) end--;
      this.length = contentLength(out, value, end);
      // Written again by frame(), which knows whether it may stand.
      return this.length < 0 ? BAD : DROP;
    }
    for (let i = 0; i < DROPPED.length; i++) {
      const dropped = DROPPED[i]!;
      if (dropped.length === length && same(out, name, dropped)) return DROP;
    }
    return KEEP;
  }

  /** Decides how the body ends, and writes the header that says so. */
  private frame(plan: HeadPlan): boolean {
    const { status } = plan;
    this.framing = Framing.NONE;
    if (status === 204) {
      this.length = -1;
      return true;
    }
    const empty = plan.headOnly || status === 304;
    if (status === 205) return this.resetContent();
    if (this.length < 0 && !empty) this.length = plan.knownLength;
    if (this.length >= 0 && !(plan.trailers && plan.v11 && !empty)) {
      if (!empty && plan.knownLength >= 0 && plan.knownLength !== this.length) return false;
      this.lengthLine();
      if (!empty) this.framing = Framing.LENGTH;
    } else if (!empty) {
      this.framing = plan.v11 ? Framing.CHUNKED : Framing.CLOSE;
      if (plan.v11) this.put(CHUNKED_LINE);
    }
    return true;
  }

  /** 205 has no body, and says so (RFC 9110 §15.3.6). */
  private resetContent(): boolean {
    this.length = 0;
    this.lengthLine();
    return true;
  }

  private lengthLine(): void {
    this.put(CONTENT_LENGTH);
    this.put(COLON_SPACE);
    this.decimal(this.length);
    this.crlf();
  }

  private decimal(value: number): void {
    let digits = 1;
    for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++;
    for (let at = this.at + digits - 1; at >= this.at; at--) {
      this.out[at] = 0x30 + (value % 10);
      value = Math.floor(value / 10);
    }
    this.at += digits;
  }
}

const LAST_CHUNK = ascii("0\r\n\r\n");
const ZERO_CHUNK = ascii("0\r\n");
const HEX_DIGITS = ascii("0123456789abcdef");
const COLON_SPACE = ascii(": ");
const KEEP = 0;
const DROP = 1;
const BAD = 2;

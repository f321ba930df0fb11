import { type RequestHead, Seen } from "../client.ts";
import { type HttpError, HttpErrors } from "../http1/errors.ts";
import { validHost } from "../http1/target.ts";
import type { HttpLimits } from "../settings.ts";

/**
 * From the header list of an HTTP/2 request, as the runtime has decoded it, to the head that the pipeline takes
 * (RFC 9113 §8.3). The runtime has refused by itself what makes a request malformed (pseudo headers, upper case, hop-by-hop
 * headers); what it lets pass is checked here to the standard of the HTTP/1.1 front.
 */

/** A head, or why there is none. */
export type HeadResult =
  | { readonly head: RequestHead; readonly error: null }
  | { readonly head: null; readonly error: HttpError };

const SEEN: ReadonlyMap<string, number> = new Map([
  ["host", Seen.HOST],
  ["x-request-id", Seen.REQUEST_ID],
  ["traceparent", Seen.TRACEPARENT],
  ["forwarded", Seen.FORWARDED],
  ["content-length", Seen.CONTENT_LENGTH],
  ["x-request-start", Seen.REQUEST_START],
  ["grpc-timeout", Seen.TIMEOUT],
  ["x-request-timeout", Seen.TIMEOUT],
  ["x-envoy-expected-rq-timeout-ms", Seen.TIMEOUT],
  ["headrace-priority", Seen.PRIORITY],
]);

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control bytes are what it looks for
const BAD_VALUE = /[\x00-\x08\x0a-\x1f\x7f]/;
const TARGET = /^(?:\/[\x21\x22\x24-\x7e]*|\*)$/;
const DIGITS = /^[0-9]{1,15}$/;
/** What HTTP/1.1 writes around a name and a value, so that the same limit holds the same headers. */
const FIELD_OVERHEAD = 4;

/** Builds heads for one listener. */
export class HeadReader {
  readonly #limits: HttpLimits;
  // What one list amounts to; reset for each.
  #method = "";
  #path = "";
  #authority = "";
  #protocol = "";
  #host: string | null = null;
  #text = "";
  #seen = 0;
  #length = -1;
  #expect = false;
  #contentType = false;

  constructor(limits: HttpLimits) {
    this.#limits = limits;
  }

  /** @param list names and values in turn, one character a byte; `end` - whether no body follows */
  read(list: readonly string[], end: boolean): HeadResult {
    this.#reset();
    const error = this.#fields(list) ?? this.#check();
    if (error !== null) return { head: null, error };
    return { head: this.#head(end), error: null };
  }

  /** Method and target of the latest list as far as they could be read, for the log. */
  get line(): { readonly method: string; readonly target: string } {
    return { method: this.#method, target: this.#path.slice(0, 2048) };
  }

  #reset(): void {
    this.#method = "";
    this.#path = "";
    this.#authority = "";
    this.#protocol = "";
    this.#host = null;
    this.#text = "";
    this.#seen = 0;
    this.#length = -1;
    this.#expect = false;
    this.#contentType = false;
  }

  #fields(list: readonly string[]): HttpError | null {
    const { headerBytes, headerCount } = this.#limits;
    let size = 0;
    let count = 0;
    let problem: HttpError | null = null;
    for (let at = 0; at + 1 < list.length; at += 2) {
      const name = list[at]!;
      const value = list[at + 1]!;
      if (name.startsWith(":")) {
        this.#pseudo(name, value);
        continue;
      }
      size += name.length + value.length + FIELD_OVERHEAD;
      count++;
      problem ??= this.#field(name, value);
    }
    if (headerBytes > 0 && size > headerBytes) return HttpErrors.headerSize;
    if (headerCount > 0 && count > headerCount) return HttpErrors.headerCount;
    return problem;
  }

  #pseudo(name: string, value: string): void {
    if (name === ":method") this.#method = value;
    else if (name === ":path") this.#path = value;
    else if (name === ":authority") this.#authority = value;
    else if (name === ":protocol") this.#protocol = value;
  }

  #field(name: string, value: string): HttpError | null {
    if (!NAME.test(name)) return HttpErrors.fieldName;
    if (BAD_VALUE.test(value)) return HttpErrors.fieldValue;
    this.#seen |= SEEN.get(name) ?? (name.startsWith("x-forwarded-") ? Seen.X_FORWARDED : 0);
    switch (name) {
      case "host":
        if (this.#host !== null) return HttpErrors.hostTwice;
        this.#host = value;
        // The authority stands first, in its place.
        if (this.#authority !== "") return null;
        break;
      case "content-length":
        if (this.#length >= 0) return HttpErrors.lengthTwice;
        if (!DIGITS.test(value)) return HttpErrors.length;
        this.#length = Number(value);
        break;
      case "content-type":
        if (this.#contentType) return HttpErrors.contentTypeTwice;
        this.#contentType = true;
        break;
      case "te":
        if (value.toLowerCase() === "trailers") this.#seen |= Seen.TE_TRAILERS;
        break;
      case "expect":
        if (value.toLowerCase() !== "100-continue") return HttpErrors.expectation;
        this.#expect = true;
        break;
    }
    this.#text += this.#text === "" ? `${name}\0${value}` : `\0${name}\0${value}`;
    return null;
  }

  #check(): HttpError | null {
    const { requestLine } = this.#limits;
    if (!TOKEN.test(this.#method)) return HttpErrors.method;
    if (this.#method === "CONNECT" && this.#protocol !== "websocket") return HttpErrors.connect;
    if (this.#protocol !== "" && this.#method !== "CONNECT") return HttpErrors.method;
    // As long as the line would be that says the same in HTTP/1.1.
    if (requestLine > 0 && this.#method.length + this.#path.length + 11 > requestLine) {
      return HttpErrors.requestLineSize;
    }
    if (!TARGET.test(this.#path)) return HttpErrors.target;
    if (this.#path === "*" && this.#method !== "OPTIONS") return HttpErrors.target;
    const authority = this.#authority === "" ? (this.#host ?? "") : this.#authority;
    if (authority === "") return HttpErrors.hostMissing;
    if (this.#host !== null && this.#host !== authority) return HttpErrors.hostTwice;
    const bytes = Buffer.from(authority, "latin1");
    return validHost(bytes, 0, bytes.length) ? null : HttpErrors.host;
  }

  #head(end: boolean): RequestHead {
    let text = this.#text;
    if (this.#authority !== "") {
      this.#seen |= Seen.HOST;
      text = text === "" ? `host\0${this.#authority}` : `host\0${this.#authority}\0${text}`;
    }
    const websocket = this.#protocol !== "";
    return {
      method: this.#method,
      target: Buffer.from(this.#path, "latin1"),
      fields: Buffer.from(text, "latin1"),
      seen: this.#seen,
      version: 20,
      bodyLength: end || websocket ? 0 : this.#length,
      expectContinue: this.#expect && !end && !websocket,
      websocket,
    };
  }
}

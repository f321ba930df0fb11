/** Trailer fields: which may stand in a request's chunked body, and which in a response. */
import { type HttpError, HttpErrors } from "./errors.ts";
import { COLON, TOKEN_LOWER, VALUE } from "./tables.ts";

/** Fields that change framing, routing, authentication or how the content is read: never trailers (RFC 9110 §6.5.1). */
const FORBIDDEN: ReadonlySet<string> = new Set([
  "authorization",
  "cache-control",
  "connection",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "cookie",
  "expect",
  "forwarded",
  "host",
  "keep-alive",
  "max-forwards",
  "proxy-authorization",
  "proxy-connection",
  "range",
  "set-cookie",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Whether the field with this lower-case name may be a trailer. */
export function mayTrail(name: string): boolean {
  return !FORBIDDEN.has(name) && !name.startsWith("x-forwarded-");
}

/** What is wrong with a trailer line (without its CRLF); null when nothing is. */
export function trailerError(line: Uint8Array): HttpError | null {
  const colon = line.indexOf(COLON);
  if (colon <= 0) return HttpErrors.trailer;
  let name = "";
  for (let at = 0; at < colon; at++) {
    const byte = TOKEN_LOWER[line[at]!]!;
    if (byte === 0) return HttpErrors.trailer;
    name += String.fromCharCode(byte);
  }
  for (let at = colon + 1; at < line.length; at++) if (VALUE[line[at]!] === 0) return HttpErrors.trailer;
  return mayTrail(name) ? null : HttpErrors.trailer;
}

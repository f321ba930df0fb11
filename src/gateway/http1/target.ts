/** Request targets (RFC 9112 §3.2) and hosts (RFC 9110 §4.2.1, §7.2). */
import { ascii, COLON, HEX, HOST, sameIgnoringCase } from "./tables.ts";

const SLASH = 0x2f;
const QUESTION = 0x3f;
const ASTERISK = 0x2a;
const PERCENT = 0x25;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const HTTP = ascii("http://");
const HTTPS = ascii("https://");
const MAX_PORT = 65535;

/** The forms of a request target that an origin server takes. */
export const TargetForm = { INVALID: 0, ORIGIN: 1, ASTERISK: 2, ABSOLUTE: 3 } as const;

/** Tells the form of `bytes[start..end)`, whose bytes are valid for a target. CONNECT is refused before. */
export function targetForm(bytes: Uint8Array, start: number, end: number, method: string): number {
  const first = bytes[start];
  if (first === SLASH) return TargetForm.ORIGIN;
  if (first === ASTERISK) {
    return end - start === 1 && method === "OPTIONS" ? TargetForm.ASTERISK : TargetForm.INVALID;
  }
  const at = authorityStart(bytes, start, end);
  return at > 0 && validHost(bytes, at, authorityEnd(bytes, at, end))
    ? TargetForm.ABSOLUTE
    : TargetForm.INVALID;
}

/** Where the authority of an absolute-form target begins, 0 when the scheme is not http or https. */
export function authorityStart(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length > HTTP.length && sameIgnoringCase(bytes, start, HTTP)) return start + HTTP.length;
  if (length > HTTPS.length && sameIgnoringCase(bytes, start, HTTPS)) return start + HTTPS.length;
  return 0;
}

/** Where the authority that begins at `at` ends. */
export function authorityEnd(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at] !== SLASH && bytes[at] !== QUESTION) at++;
  return at;
}

/** Whether `bytes[start..end)` is `HOST` or `HOST:PORT`: never empty, no user information, no path, no list. */
export function validHost(bytes: Uint8Array, start: number, end: number): boolean {
  if (start >= end) return false;
  const at = bytes[start] === OPEN ? ipv6End(bytes, start, end) : nameEnd(bytes, start, end);
  if (at <= start) return false;
  return at === end || (bytes[at] === COLON && validPort(bytes, at + 1, end));
}

function nameEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && HOST[bytes[at]!] === 1) {
    if (bytes[at] === PERCENT) {
      if (at + 2 >= end || HEX[bytes[at + 1]!] === 0xff || HEX[bytes[at + 2]!] === 0xff) return 0;
      at += 2;
    }
    at++;
  }
  return at;
}

function ipv6End(bytes: Uint8Array, start: number, end: number): number {
  let at = start + 1;
  let colons = 0;
  for (; at < end && bytes[at] !== CLOSE; at++) {
    const byte = bytes[at]!;
    if (byte === COLON) colons++;
    else if (HEX[byte] === 0xff && byte !== 0x2e) return 0;
  }
  return at < end && colons >= 2 ? at + 1 : 0;
}

/** An empty port is valid (RFC 3986 §3.2.3). */
function validPort(bytes: Uint8Array, start: number, end: number): boolean {
  let port = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
    if (port > MAX_PORT) return false;
  }
  return true;
}

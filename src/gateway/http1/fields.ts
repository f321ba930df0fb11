/** The header names that the front understands, and the lists that stand in some of them. */
import { ascii, COMMA, HTAB, SP, sameIgnoringCase } from "./tables.ts";

/** What a header name means to the front. */
export const Known = {
  OTHER: 0,
  HOST: 1,
  TE: 2,
  EXPECT: 3,
  UPGRADE: 4,
  CONNECTION: 5,
  /** Hop-by-hop and of no use here: left out. */
  HOP: 6,
  FORWARDED: 7,
  TRACEPARENT: 8,
  CONTENT_TYPE: 9,
  REQUEST_ID: 10,
  CONTENT_LENGTH: 11,
  REQUEST_START: 12,
  X_FORWARDED: 13,
  TRANSFER_ENCODING: 14,
  WEBSOCKET_KEY: 15,
  WEBSOCKET_VERSION: 16,
  TIMEOUT: 17,
  PRIORITY: 18,
} as const;

const NAMES: readonly (readonly [string, number])[] = [
  ["host", Known.HOST],
  ["te", Known.TE],
  ["expect", Known.EXPECT],
  ["upgrade", Known.UPGRADE],
  ["connection", Known.CONNECTION],
  ["keep-alive", Known.HOP],
  ["proxy-connection", Known.HOP],
  ["forwarded", Known.FORWARDED],
  ["traceparent", Known.TRACEPARENT],
  ["content-type", Known.CONTENT_TYPE],
  ["x-request-id", Known.REQUEST_ID],
  ["content-length", Known.CONTENT_LENGTH],
  ["x-request-start", Known.REQUEST_START],
  ["grpc-timeout", Known.TIMEOUT],
  ["x-request-timeout", Known.TIMEOUT],
  ["x-envoy-expected-rq-timeout-ms", Known.TIMEOUT],
  ["headrace-priority", Known.PRIORITY],
  ["transfer-encoding", Known.TRANSFER_ENCODING],
  ["sec-websocket-key", Known.WEBSOCKET_KEY],
  ["sec-websocket-version", Known.WEBSOCKET_VERSION],
];

const LONGEST = Math.max(...NAMES.map(([name]) => name.length));

/** Names by length: a header is compared with the two or three that are as long as it, by first byte and then in full. */
const BY_LENGTH: readonly (readonly { first: number; bytes: Uint8Array; known: number }[])[] = Array.from(
  { length: LONGEST + 1 },
  (_, length) =>
    NAMES.filter(([name]) => name.length === length).map(([name, known]) => ({
      first: name.charCodeAt(0),
      bytes: ascii(name),
      known,
    })),
);

const X_FORWARDED = ascii("x-forwarded-");
const LOWER_X = 0x78;

/** Tells a {@link Known} from the lower-case name in `bytes[start..end)`. */
export function knownField(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length <= LONGEST) {
    const candidates = BY_LENGTH[length]!;
    const first = bytes[start];
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i]!;
      if (candidate.first === first && equal(bytes, start, candidate.bytes)) return candidate.known;
    }
  }
  if (length > X_FORWARDED.length && bytes[start] === LOWER_X && equal(bytes, start, X_FORWARDED)) {
    return Known.X_FORWARDED;
  }
  return Known.OTHER;
}

function equal(bytes: Uint8Array, start: number, name: Uint8Array): boolean {
  for (let i = name.length - 1; i > 0; i--) if (bytes[start + i] !== name[i]) return false;
  return true;
}

/** Whether the comma-separated list in `bytes[start..end)` has the element `token` (lower case), ignoring case. */
export function listHas(bytes: Uint8Array, start: number, end: number, token: Uint8Array): boolean {
  let at = start;
  while (at < end) {
    let stop = at;
    while (stop < end && bytes[stop] !== COMMA) stop++;
    let from = at;
    let to = stop;
    while (from < to && (bytes[from] === SP || bytes[from] === HTAB)) from++;
    while (to > from && (bytes[to - 1] === SP || bytes[to - 1] === HTAB)) to--;
    if (to - from === token.length && sameIgnoringCase(bytes, from, token)) return true;
    at = stop + 1;
  }
  return false;
}

const MAX_LENGTH_DIGITS = 15;

/** The value of a Content-Length: decimal digits only, -1 for anything else. Numbers too long to be real count as huge. */
export function contentLength(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return end - start > MAX_LENGTH_DIGITS && value > Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : value;
}

/** What a Transfer-Encoding asks for. */
export const Coding = { CHUNKED: 0, UNKNOWN: 1, BAD: 2 } as const;

const CHUNKED = ascii("chunked");

/**
 * Tells a {@link Coding} from a Transfer-Encoding value. Only exactly `chunked` is understood; a list of other codings that ends with
 * one `chunked` is well formed and unknown; anything else leaves the end of the body in doubt.
 */
export function transferCoding(bytes: Uint8Array, start: number, end: number): number {
  if (end - start === CHUNKED.length && sameIgnoringCase(bytes, start, CHUNKED)) return Coding.CHUNKED;
  const codings = Buffer.from(bytes.subarray(start, end)).toString("latin1").toLowerCase().split(",");
  const names = codings.map((coding) => coding.replace(/^[ \t]+|[ \t]+$/g, ""));
  const wellFormed = names.every((name) => /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name));
  if (wellFormed && names.at(-1) === "chunked" && names.indexOf("chunked") === names.length - 1)
    return Coding.UNKNOWN;
  return Coding.BAD;
}

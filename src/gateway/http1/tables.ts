/** Lookup tables over bytes (RFC 9110 §5.6.2, RFC 9112 §3), so that validation is one array access a byte. */

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COMMA = 0x2c;
export const COLON = 0x3a;

const TOKEN_PUNCTUATION = "!#$%&'*+-.^_`|~";
const HOST_PUNCTUATION = "-._~!$&'()*+;=%";

function isAlnum(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
}

function table(entry: (byte: number, text: string) => number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => entry(byte, String.fromCharCode(byte)));
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}

/** The byte in lower case when it is a token byte, else 0. */
export const TOKEN_LOWER = table((byte, text) =>
  isAlnum(byte) || TOKEN_PUNCTUATION.includes(text) ? lower(byte) : 0,
);

/**
 * 1 for bytes of a header value: HTAB, SP, visible ASCII, and 0x80 to 0xFF. Not 0x7F or any other control byte.
 * 0x85 is a line break for some in Latin-1, but also part of ordinary UTF-8 text (as in "х" and "Å"), so it is allowed.
 */
export const VALUE = table((byte) => (byte === HTAB || (byte >= 0x20 && byte !== 0x7f) ? 1 : 0));

/**
 * 1 for bytes of a request target: visible ASCII without `#`. Some of them do not belong into a URI (`{`, `|`, `"`), but
 * browsers send them; they reach the app as they are.
 */
export const TARGET = table((byte, text) => (byte > 0x20 && byte < 0x7f && text !== "#" ? 1 : 0));

/** 1 for bytes of a registered name, without the comma, which would make two hosts out of one. */
export const HOST = table((byte, text) => (isAlnum(byte) || HOST_PUNCTUATION.includes(text) ? 1 : 0));

/** The value of a hexadecimal digit, 0xFF for any other byte. */
export const HEX = table((_, text) => (/^[0-9a-fA-F]$/.test(text) ? Number.parseInt(text, 16) : 0xff));

/** ASCII text as bytes. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** Whether `bytes[at..]` starts with `expected`. The caller has checked the length. */
export function same(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false;
  return true;
}

/** Like {@link same}, with ASCII upper case in `bytes` taken for lower. */
export function sameIgnoringCase(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i++) if (lower(bytes[at + i]!) !== expected[i]) return false;
  return true;
}

/** Which refusal a byte in the wrong place stands for. Only called once a request is known to be bad. */
import { type HttpError, HttpErrors } from "./errors.ts";
import { ascii, COLON, CR, HTAB, LF, SP, same } from "./tables.ts";

const HTTP_SLASH = ascii("HTTP/");

/** `byte` stands where a line had to end or go on. */
export function lineEndError(byte: number, otherwise: HttpError): HttpError {
  if (byte === LF) return HttpErrors.bareLf;
  return byte === CR ? HttpErrors.bareCr : otherwise;
}

/** `byte` stands where a request line had to begin. */
export function lineError(byte: number): HttpError {
  return lineEndError(byte, HttpErrors.requestLine);
}

/** `byte` ends a method that is not followed by a space. */
export function methodError(byte: number): HttpError {
  return lineEndError(byte, HttpErrors.method);
}

/** `byte` ends a target that is not followed by a space, or is where a target had to begin. */
export function targetError(byte: number, empty: boolean): HttpError {
  return lineEndError(byte, empty && byte === SP ? HttpErrors.requestLine : HttpErrors.target);
}

/** The eight bytes at `at` are not a version that is spoken here: another one, or none at all? */
export function versionError(bytes: Uint8Array, at: number): HttpError {
  const isVersion =
    same(bytes, at, HTTP_SLASH) &&
    isDigit(bytes[at + 5]!) &&
    bytes[at + 6] === 0x2e &&
    isDigit(bytes[at + 7]!);
  return isVersion ? HttpErrors.version : HttpErrors.requestLine;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** `byte` ends a header name that is not followed by a colon, or is where a name had to begin. */
export function nameError(byte: number, empty: boolean): HttpError {
  if (byte === SP || byte === HTAB) return empty ? HttpErrors.folding : HttpErrors.spaceBeforeColon;
  if (byte === COLON) return HttpErrors.fieldName;
  return lineEndError(byte, HttpErrors.fieldName);
}

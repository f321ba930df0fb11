/** Which refusal a byte in the wrong place stands for. Only called once a request is known to be bad. */
import { type HttpError, HttpErrors } from "./errors.ts";
import { ascii, CR, HTAB, LF, SP, same } from "./tables.ts";

const HTTP_SLASH = ascii("HTTP/");

/** The byte at `at` is one that cannot stand there. A line may end here, but not in half. */
export function lineEndError(bytes: Uint8Array, at: number, otherwise: HttpError): HttpError {
  if (bytes[at] === LF) return HttpErrors.bareLf;
  return bytes[at] === CR && bytes[at + 1] !== LF ? HttpErrors.bareCr : otherwise;
}

/** The byte at `at` ends a target that is not followed by a space, or is where a target had to begin. */
export function targetError(bytes: Uint8Array, at: number, empty: boolean): HttpError {
  if (bytes[at] === CR && bytes[at + 1] === LF) return HttpErrors.requestLine;
  return lineEndError(bytes, at, empty && bytes[at] === SP ? HttpErrors.requestLine : HttpErrors.target);
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

/** The byte at `at` ends a header name that is not followed by a colon, or is where a name had to begin. */
export function nameError(bytes: Uint8Array, at: number, empty: boolean): HttpError {
  const byte = bytes[at];
  if (byte === SP || byte === HTAB) return empty ? HttpErrors.folding : HttpErrors.spaceBeforeColon;
  return lineEndError(bytes, at, HttpErrors.fieldName);
}

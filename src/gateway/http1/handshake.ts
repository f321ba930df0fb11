/** The part of the WebSocket handshake (RFC 6455 §4.2.1) that decides whether it is answered at all. */
import { type HttpError, HttpErrors } from "./errors.ts";

const KEY_LENGTH = 24;
const BASE64_16_BYTES = /^[A-Za-z0-9+/]{21}[AQgw]==$/;
const VERSION = "13";

/** What is wrong with a handshake's key and version; null when both are as they have to be. A key that is missing or doubled is null. */
export function checkHandshake(key: Uint8Array | null, version: Uint8Array | null): HttpError | null {
  if (version === null || latin1(version) !== VERSION) return HttpErrors.websocketVersion;
  if (key === null || key.length !== KEY_LENGTH || !BASE64_16_BYTES.test(latin1(key)))
    return HttpErrors.websocketKey;
  return null;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

import { createHash } from "node:crypto";
import type { Fields } from "../client.ts";
import type { WebSocketSettings } from "../settings.ts";
import { agreeOnDeflate, type DeflateParams, type ExtensionOffer } from "./deflate.ts";

/** What the gateway answers to a WebSocket handshake that is in order. */
export interface Handshake {
  /** Value of Sec-WebSocket-Accept; empty for RFC 8441, which has none. */
  readonly accept: string;
  /** Value of Sec-WebSocket-Extensions, empty for none. */
  readonly extensions: string;
  readonly deflate: DeflateParams | null;
  /** Subprotocols offered, in the client's order. */
  readonly subprotocols: readonly string[];
}

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Version of the protocol that a 426 answer names. */
export const VERSION = "13";

/**
 * Checks the headers of an HTTP/1.1 handshake (RFC 6455 §4.2.1) and agrees on extensions. The caller has seen that the
 * request is a GET of HTTP/1.1 whose Connection header has the token `upgrade`.
 *
 * @param fields header pairs in lower case
 * @returns null when the handshake is not in order; see {@link wrongVersion} for the one case with its own status
 */
export function negotiate(fields: Fields, settings: WebSocketSettings): Handshake | null {
  const headers = new HandshakeHeaders(fields);
  const key = headers.only("sec-websocket-key");
  if (key === null || !KEY.test(key)) return null;
  if (headers.only("sec-websocket-version") !== VERSION) return null;
  if (!headers.list("upgrade").some((token) => token.toLowerCase() === "websocket")) return null;
  const accept = createHash("sha1").update(key).update(GUID).digest("base64");
  return agree(headers, settings, accept);
}

/** The same for `:protocol websocket` over HTTP/2 (RFC 8441), which has no key. */
export function negotiateExtended(fields: Fields, settings: WebSocketSettings): Handshake | null {
  const headers = new HandshakeHeaders(fields);
  if (headers.only("sec-websocket-version") !== VERSION) return null;
  return agree(headers, settings, "");
}

/** Whether a handshake fails only by its version: answer 426 with `sec-websocket-version: 13` (RFC 6455 §4.4). */
export function wrongVersion(fields: Fields): boolean {
  const versions = new HandshakeHeaders(fields).all("sec-websocket-version");
  return versions.length > 0 && !versions.includes(VERSION);
}

function agree(headers: HandshakeHeaders, settings: WebSocketSettings, accept: string): Handshake | null {
  const subprotocols = headers.list("sec-websocket-protocol");
  if (subprotocols.some((name) => !TOKEN.test(name))) return null;
  const offers = parseExtensions(headers.all("sec-websocket-extensions").join(","));
  if (offers === null) return null;
  const agreement = settings.deflate ? agreeOnDeflate(offers) : null;
  return {
    accept,
    extensions: agreement?.header ?? "",
    deflate: agreement?.params ?? null,
    subprotocols,
  };
}

const OURS = new Set([
  "connection",
  "upgrade",
  "sec-websocket-accept",
  "sec-websocket-extensions",
  "sec-websocket-protocol",
  "sec-websocket-version",
  "content-length",
  "transfer-encoding",
]);

/**
 * Writes the 101 response. Pairs of the app that belong to the handshake are left out; a subprotocol that the
 * client did not offer is too, because every client would have to fail the connection.
 */
export function upgradeResponse(handshake: Handshake, subprotocol: string, fields: Fields): Uint8Array {
  let head = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n";
  head += `sec-websocket-accept: ${handshake.accept}\r\n`;
  if (handshake.extensions !== "") head += `sec-websocket-extensions: ${handshake.extensions}\r\n`;
  if (subprotocol !== "" && handshake.subprotocols.includes(subprotocol)) {
    head += `sec-websocket-protocol: ${subprotocol}\r\n`;
  }
  for (const [name, value] of pairsOf(fields)) {
    if (!OURS.has(name)) head += `${name}: ${value}\r\n`;
  }
  return Buffer.from(`${head}\r\n`, "latin1");
}

/** Header pairs as latin-1 text. */
export function pairsOf(fields: Fields): ReadonlyArray<readonly [name: string, value: string]> {
  if (fields.length === 0) return [];
  const text = Buffer.from(fields.buffer, fields.byteOffset, fields.length).toString("latin1");
  const parts = text.split("\0");
  const pairs: Array<readonly [string, string]> = [];
  for (let at = 0; at + 1 < parts.length; at += 2) pairs.push([parts[at]!, parts[at + 1]!]);
  return pairs;
}

class HandshakeHeaders {
  readonly #pairs: ReadonlyArray<readonly [name: string, value: string]>;

  constructor(fields: Fields) {
    this.#pairs = pairsOf(fields);
  }

  all(name: string): string[] {
    return this.#pairs.filter((pair) => pair[0] === name).map((pair) => pair[1].trim());
  }

  /** The value of a header that stands exactly once. */
  only(name: string): string | null {
    const values = this.all(name);
    return values.length === 1 ? values[0]! : null;
  }

  /** The elements of a comma-separated list, over all headers of that name. */
  list(name: string): string[] {
    return this.all(name)
      .flatMap((value) => value.split(","))
      .map((element) => element.trim())
      .filter((element) => element !== "");
  }
}

/** Parses Sec-WebSocket-Extensions (RFC 6455 §9.1); null when its grammar is broken. */
export function parseExtensions(value: string): ExtensionOffer[] | null {
  const offers: ExtensionOffer[] = [];
  for (const element of value.split(",")) {
    if (element.trim() === "") continue;
    const [name, ...rest] = element.split(";").map((part) => part.trim());
    if (name === undefined || !TOKEN.test(name)) return null;
    const params: Array<readonly [string, string | null]> = [];
    for (const part of rest) {
      const param = parseParam(part);
      if (param === null) return null;
      params.push(param);
    }
    offers.push({ name, params });
  }
  return offers;
}

/** One parameter; a quoted value has to be a token once unquoted, so commas and semicolons cannot hide in it. */
function parseParam(part: string): readonly [string, string | null] | null {
  const equals = part.indexOf("=");
  const name = (equals < 0 ? part : part.slice(0, equals)).trim();
  if (!TOKEN.test(name)) return null;
  if (equals < 0) return [name, null];
  let value = part.slice(equals + 1).trim();
  if (value.length >= 2 && value.startsWith('"') && value.endsWith('"')) value = value.slice(1, -1);
  return TOKEN.test(value) ? [name, value] : null;
}

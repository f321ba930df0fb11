import type { OutgoingHttpHeaders } from "node:http2";
import type { Fields } from "../client.ts";
import { type Handshake, pairsOf } from "../websocket/handshake.ts";

/** Responses as the runtime's HTTP/2 takes them: an array of names and values in turn, or an object of lists. */

const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control bytes are what it looks for
const BAD_VALUE = /[\x00-\x08\x0a-\x1f\x7f]/;
const DIGITS = /^[0-9]{1,15}$/;
/** Headers that have no meaning in HTTP/2 (RFC 9113 §8.2.2). */
const DROPPED: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
  "te",
]);
/** Never in trailers (RFC 9110 §6.5.1), or at home in the head only. */
const NO_TRAILER: ReadonlySet<string> = new Set([
  ...DROPPED,
  "content-length",
  "content-encoding",
  "content-type",
  "host",
  "trailer",
]);

/** A response head that can be sent. */
export interface ResponseHead {
  readonly list: string[];
  /** What content-length says, -1 without one. */
  readonly length: number;
}

/** Builds the header list of a final response; null when it must not be sent as it is. */
export function responseHead(status: number, fields: Fields): ResponseHead | null {
  if (!Number.isInteger(status) || status < 200 || status > 999) return null;
  const list = [":status", String(status)];
  let length = -1;
  for (const [given, value] of pairsOf(fields)) {
    const name = given.toLowerCase();
    if (!NAME.test(name) || BAD_VALUE.test(value)) return null;
    if (DROPPED.has(name)) continue;
    if (name === "content-length") {
      if (!DIGITS.test(value) || length >= 0) return null;
      if (status === 204) continue;
      length = Number(value);
    }
    list.push(name, value);
  }
  return { list, length };
}

/** Builds the response that opens a WebSocket (RFC 8441 §5); null when it must not be sent. */
export function acceptHead(handshake: Handshake, subprotocol: string, fields: Fields): string[] | null {
  const head = responseHead(200, fields);
  if (head === null) return null;
  const list: string[] = [];
  for (let at = 0; at < head.list.length; at += 2) {
    const name = head.list[at]!;
    if (!name.startsWith("sec-websocket-") && name !== "content-length") list.push(name, head.list[at + 1]!);
  }
  if (handshake.extensions !== "") list.push("sec-websocket-extensions", handshake.extensions);
  if (handshake.subprotocols.includes(subprotocol)) list.push("sec-websocket-protocol", subprotocol);
  return list;
}

/** Builds the headers of an interim response; null when they must not be sent. */
export function interimHead(status: number, fields: Fields): OutgoingHttpHeaders | null {
  if (status < 102 || status > 199) return null;
  const headers = asObject(fields, DROPPED);
  if (headers !== null) headers[":status"] = status;
  return headers;
}

/** Builds trailers; an empty object when they must not be sent. */
export function trailerHeaders(fields: Fields): OutgoingHttpHeaders {
  return asObject(fields, NO_TRAILER) ?? {};
}

function asObject(fields: Fields, dropped: ReadonlySet<string>): OutgoingHttpHeaders | null {
  const headers: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (const [given, value] of pairsOf(fields)) {
    const name = given.toLowerCase();
    if (!NAME.test(name) || BAD_VALUE.test(value)) return null;
    if (dropped.has(name)) continue;
    headers[name] ??= [];
    headers[name].push(value);
  }
  return headers as OutgoingHttpHeaders;
}

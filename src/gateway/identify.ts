/** The first rung: who asks, under which name, and which headers the app gets to see. */

import { findValue, joinPairs, splitPairs, withoutPairs } from "../protocol/fields.ts";
import { PRIORITIES, rankOf } from "./admission/priority.ts";
import { Seen } from "./client.ts";
import type { Exchange } from "./exchange.ts";
import { clientTimeoutMs } from "./timeout.ts";
import { forwarding, type TrustedProxies } from "./trusted.ts";

const FORWARDING = new Set([
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-prefix",
  "x-forwarded-scheme",
  "x-forwarded-ssl",
  "x-real-ip",
]);

/** A request id that a client or a proxy may give: anything else is replaced, so that logs stay readable and whole. */
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** Level 00 of W3C Trace Context: version, trace id, parent id, flags. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}/;

const NAME = Buffer.from("\0x-request-id\0", "latin1");

/** The class of a request, between the gateway and the services that call each other. */
export const PRIORITY_HEADER = "headrace-priority";

/** Makes request ids: unique, short, in order for one gateway process. */
export class RequestIds {
  readonly #prefix: string;
  #count = 0;

  constructor() {
    this.#prefix = Buffer.from(crypto.getRandomValues(new Uint8Array(6))).toString("hex");
  }

  next(): string {
    return `${this.#prefix}-${(this.#count++).toString(36)}`;
  }
}

export interface IdentifyOptions {
  readonly ids: RequestIds;
  readonly trusted: TrustedProxies;
  /** Requests come from services only, by name: the class that they carry over is believed. */
  readonly internal: boolean;
}

/** Fills in the exchange's id, trace context, peers and fields. */
export function identify(exchange: Exchange, options: IdentifyOptions): void {
  const { seen } = exchange.head;
  if ((seen & (Seen.FORWARDED | Seen.X_FORWARDED)) !== 0) forwardedBy(exchange, options.trusted);
  if ((seen & Seen.TRACEPARENT) !== 0) {
    const value = findValue(exchange.fields, "traceparent");
    if (value !== undefined && TRACEPARENT.test(value)) exchange.traceparent = value;
  }
  if ((seen & Seen.PRIORITY) !== 0) {
    if (options.internal) exchange.carried = rankOf(findValue(exchange.fields, PRIORITY_HEADER) ?? "");
    exchange.fields = withoutPairs(exchange.fields, (name) => name === PRIORITY_HEADER);
  }
  if ((seen & Seen.TIMEOUT) !== 0) exchange.timeoutMs = clientTimeoutMs(exchange.fields);
  if ((seen & Seen.REQUEST_ID) !== 0) {
    const given = findValue(exchange.fields, "x-request-id");
    if (given !== undefined && REQUEST_ID.test(given)) {
      exchange.requestId = given;
      return;
    }
    exchange.fields = withoutPairs(exchange.fields, (name) => name === "x-request-id");
  }
  exchange.requestId = options.ids.next();
  exchange.fields = appendRequestId(exchange.fields, exchange.requestId);
}

/** From a trusted peer, forwarding headers say who the client is; from others they are taken out, so that no app believes them. */
function forwardedBy(exchange: Exchange, trusted: TrustedProxies): void {
  const { peers } = exchange;
  if (!trusted.has(peers.clientHost)) {
    exchange.fields = withoutPairs(exchange.fields, (name) => FORWARDING.has(name));
    return;
  }
  const all = splitPairs(exchange.fields);
  const joined = (wanted: string): string | undefined => {
    const values = all.filter(([name]) => name === wanted).map(([, value]) => value);
    return values.length === 0 ? undefined : values.join(",");
  };
  const said = forwarding(
    { forwarded: joined("forwarded"), xFor: joined("x-forwarded-for"), xProto: joined("x-forwarded-proto") },
    trusted,
  );
  exchange.peers = {
    ...peers,
    clientHost: said.host ?? peers.clientHost,
    clientPort: said.host === undefined ? peers.clientPort : said.port,
    secure: said.secure ?? peers.secure,
  };
}

/** The fields with the request's id, unless they have one. Clients that give an id, and proxies, look for it in the answer. */
export function withRequestId(fields: Uint8Array, id: string): Uint8Array {
  return findValue(fields, "x-request-id") === undefined ? appendRequestId(fields, id) : fields;
}

/** The fields with the request's class at their end. */
export function withPriority(fields: Uint8Array, rank: number): Uint8Array {
  const pair = joinPairs([[PRIORITY_HEADER, PRIORITIES[rank]!]]);
  return fields.length === 0 ? pair : Buffer.concat([fields, NUL, pair]);
}

const NUL = new Uint8Array(1);

function appendRequestId(fields: Uint8Array, id: string): Uint8Array {
  // Without fields there is nothing that the pair would have to be set apart from.
  const skip = fields.length === 0 ? 1 : 0;
  const out = new Uint8Array(fields.length + NAME.length - skip + id.length);
  out.set(fields);
  let at = fields.length;
  for (let i = skip; i < NAME.length; i++) out[at++] = NAME[i]!;
  for (let i = 0; i < id.length; i++) out[at++] = id.charCodeAt(i);
  return out;
}

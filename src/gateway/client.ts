/**
 * The border between a front (HTTP/1.1, HTTP/2, WebSocket: whatever speaks to clients) and the pipeline
 * (which admits, places and forwards). A front parses and serialises; the pipeline never sees a socket, a front
 * never sees an instance. One request is one pair: a {@link ClientSide} made by the front and an
 * {@link ExchangeSide} made by the pipeline, each calling the other.
 *
 * Rules that both sides keep:
 * - Chunks are handed over, not shared: who receives a `Uint8Array` may keep it, who gave it away must not write to it.
 * - After `gone`, or after the last call that ends an exchange, either side ignores further calls.
 * - Nothing throws across this border.
 */

/** Header pairs as the worker protocol writes them: `name NUL value NUL name NUL value`, names in lower case. */
export type Fields = Uint8Array;

/** Bits of {@link RequestHead.seen}: which headers with a meaning for the pipeline stand in `fields`. */
export const Seen = {
  HOST: 1,
  REQUEST_ID: 2,
  TRACEPARENT: 4,
  FORWARDED: 8,
  X_FORWARDED: 16,
  TE_TRAILERS: 32,
  CONTENT_LENGTH: 64,
  /** x-request-start: when a load balancer before us took the request in. */
  REQUEST_START: 128,
  /** One of the headers that say how long the client will wait. */
  TIMEOUT: 256,
  /** headrace-priority: the class of the request that a service works for as it calls another. */
  PRIORITY: 512,
} as const;

/** The parsed head of one request. */
export interface RequestHead {
  /** A token, as received. */
  readonly method: string;
  /** The request target, byte for byte as received: origin, absolute, authority or asterisk form. */
  readonly target: Uint8Array;
  /**
   * End-to-end headers in the order received, duplicates kept. Hop-by-hop ones (`connection`, `keep-alive`,
   * `proxy-connection`, `transfer-encoding`, and `upgrade` unless {@link websocket}) are left out. On HTTP/2 `:authority`
   * is the first pair, as `host`.
   */
  readonly fields: Fields;
  /** Bits of {@link Seen}. */
  readonly seen: number;
  readonly version: 10 | 11 | 20;
  /** Length of the body in bytes; 0 for none, -1 when only its end will tell (chunked, HTTP/2 without content-length). */
  readonly bodyLength: number;
  /** `Expect: 100-continue` stands and the version allows it: the first `takeBody` sends the interim response. */
  readonly expectContinue: boolean;
  /** A valid WebSocket handshake (RFC 6455 §4.2.1, RFC 8441). */
  readonly websocket: boolean;
}

/** The two ends of a client's connection, as text. Empty host and port 0 for a Unix socket. */
export interface Peers {
  readonly clientHost: string;
  readonly clientPort: number;
  readonly serverHost: string;
  readonly serverPort: number;
  /** Whether the client's connection is encrypted. */
  readonly secure: boolean;
  /** `VERSION SP CIPHER` in the TLS registry's decimal numbers, empty on clear text. */
  readonly tls: string;
}

/** Why a client's side ended before its response did. */
export type GoneReason =
  | "closed"
  | "reset"
  | "slow-body"
  | "slow-read"
  | "too-large"
  | "protocol-error"
  | "shutdown";

/** What the pipeline may ask of a client's connection. Made by a front, one a request. */
export interface ClientSide {
  readonly peers: Peers;
  /** Lets `bytes` more of the request body come. Nothing comes before the first grant. */
  takeBody(bytes: number): void;
  /** Sends an interim response (103). Dropped when the client's version knows none. */
  inform(status: number, fields: Fields): void;
  /**
   * Starts the response. `end`: no body follows. The front adds `date` and the framing (`content-length` stands in `fields` when
   * the app knows it), and drops the body where HTTP allows none (HEAD, 204, 304). `trailers`: a `trailers` call will end it.
   */
  respond(status: number, fields: Fields, end: boolean, trailers: boolean): void;
  /** Body bytes. Every byte comes back as `sent` once the client's socket has taken it (or it was dropped). */
  body(chunk: Uint8Array, end: boolean): void;
  /** Ends the response with trailers; dropped unless the client said `TE: trailers` or speaks HTTP/2. */
  trailers(fields: Fields): void;
  /**
   * Sends the file as the body and ends the response; its bytes are not reported as `sent`. When it cannot be read the client
   * gets a 502, or is cut off if the head has left, and the pipeline gets `gone`.
   */
  file(path: string): void;
  /** Gives up on a response that cannot be completed: closes so that the client can tell it from a complete one. */
  abort(): void;
  /** Completes the WebSocket handshake. An empty subprotocol selects none. */
  acceptWebSocket(subprotocol: string, fields: Fields): void;
  /** (A part of) a message for the client; comes back as `sent` like body bytes. */
  message(text: boolean, chunk: Uint8Array, more: boolean): void;
  /** Starts the closing handshake. Before `acceptWebSocket` the pipeline answers with `respond` instead. */
  closeWebSocket(code: number, reason: string): void;
}

/** What a front reports to the pipeline. Made by `accept`, one a request. */
export interface ExchangeSide {
  /** Request body bytes, at most as many as were granted. */
  body(chunk: Uint8Array, end: boolean): void;
  /** `bytes` of response body or messages have been taken by the client's socket, or were dropped. */
  sent(bytes: number): void;
  /** (A part of) a message from the client, UTF-8 checked and within the size limit; text and more as in the protocol. */
  message(text: boolean, chunk: Uint8Array, more: boolean): void;
  /** The WebSocket is closed: code 1005 when the client's close frame had none, 1006 when there was no close frame. */
  closed(code: number, reason: string): void;
  /** The client is gone, or was sent away, before its response was complete. */
  gone(reason: GoneReason): void;
  /** The response has left completely (its last byte is in the socket). Bytes counts head and body on the wire. */
  finished(bytes: number): void;
}

/** The pipeline's entrance. Called by a front once a request's head is complete and valid. */
export type Accept = (head: RequestHead, client: ClientSide) => ExchangeSide;

/** A request that a front refused before the pipeline saw it, for metrics and the access log. */
export interface Refusal {
  readonly status: number;
  /** Stable code, see docs/errors.md. */
  readonly code: string;
  readonly peers: Peers;
  /** As far as it was read; empty when it was not. */
  readonly method: string;
  readonly target: string;
}

import type { ServerHttp2Stream, ServerStreamResponseOptions } from "node:http2";
import type { ClientSide, ExchangeSide, Fields, GoneReason, Peers, RequestHead } from "../client.ts";
import { type HttpError, HttpErrors } from "../http1/errors.ts";
import { FileSender } from "../http1/file.ts";
import type { HttpLimits, WebSocketSettings } from "../settings.ts";
import type { Ticker } from "../ticker.ts";
import type { Handshake } from "../websocket/handshake.ts";
import { WebSocketSession } from "../websocket/session.ts";
import { BodyReader } from "./body-reader.ts";
import { BodyWriter } from "./body-writer.ts";
import { refuse } from "./refusal.ts";
import { acceptHead, interimHead, responseHead, trailerHeaders } from "./response.ts";
import { StreamTransport } from "./stream-transport.ts";

/** What a stream needs of its connection. */
export interface StreamOwner {
  readonly peers: Peers;
  readonly limits: HttpLimits;
  readonly websocket: WebSocketSettings;
  readonly ticker: Ticker;
  /** The runtime has passed `bytes` of this stream on: {@link StreamClient.taken} once the socket has caught up. */
  passed(stream: StreamClient, bytes: number): void;
  /** A response of the app could not be sent as HTTP. */
  badResponse(head: RequestHead, status: number): void;
  /** The stream is closed. */
  left(stream: StreamClient): void;
}

export type StreamState = "waiting" | "responding" | "ended" | "upgraded" | "over";

const EDGES: Readonly<Record<StreamState, readonly StreamState[]>> = {
  waiting: ["responding", "upgraded", "over"],
  responding: ["ended", "over"],
  ended: ["over"],
  upgraded: ["over"],
  over: [],
};

const EMPTY = new Uint8Array(0);

/**
 * One request and its response on an HTTP/2 stream: the client's side as the pipeline sees it.
 *
 * ```
 *  waiting ──respond──▶ responding ──last byte given──▶ ended ──last byte taken──▶ over
 *     │ └─acceptWebSocket──▶ upgraded ──closed────────────────────────────────────▶ over
 *     └── refused, aborted, reset, connection lost, time limit (from every state) ─▶ over
 * ```
 *
 * After `over` only what is left of the request body is read and dropped, by {@link BodyReader}.
 */
export class StreamClient implements ClientSide {
  readonly peers: Peers;
  readonly #owner: StreamOwner;
  readonly #stream: ServerHttp2Stream;
  readonly #head: RequestHead;
  readonly #handshake: Handshake | null;
  readonly #body: BodyReader;
  readonly #writer: BodyWriter;
  #state: StreamState = "waiting";
  #exchange: ExchangeSide | null = null;
  #continueDue: boolean;
  /** Credit for messages, until there is a session. */
  #credit = 0;
  /** The response has no body whatever the pipeline sends. */
  #bodyless = false;
  #wire = 0;
  #trailers: Fields = EMPTY;
  #file: FileSender | null = null;
  #session: WebSocketSession | null = null;
  #transport: StreamTransport | null = null;

  /** @param handshake what to answer when the request asks for a WebSocket, else null */
  constructor(owner: StreamOwner, stream: ServerHttp2Stream, head: RequestHead, handshake: Handshake | null) {
    this.peers = owner.peers;
    this.#owner = owner;
    this.#stream = stream;
    this.#head = head;
    this.#handshake = handshake;
    this.#continueDue = head.expectContinue;
    this.#writer = new BodyWriter(stream, owner.ticker, (bytes) => owner.passed(this, bytes));
    this.#body = new BodyReader({
      stream,
      length: head.websocket ? -1 : head.bodyLength,
      limits: owner.limits,
      ticker: owner.ticker,
      taker: {
        chunk: (chunk, end) => this.#exchange?.body(chunk, end),
        tooLarge: () => this.#fail(HttpErrors.bodySize, "too-large"),
      },
    });
    stream.on("close", () => this.#closed());
    stream.on("wantTrailers", () => this.#sendTrailers());
  }

  get state(): StreamState {
    return this.#state;
  }

  /** Binds the pipeline's side. The pipeline may have answered already, from inside `accept`. */
  bind(exchange: ExchangeSide): void {
    this.#exchange = exchange;
    if (this.#state === "over") exchange.finished(this.#wire);
  }

  // From the pipeline.

  takeBody(bytes: number): void {
    if (this.#head.websocket) {
      if (this.#session === null) this.#credit += bytes;
      else this.#session.grant(bytes);
      return;
    }
    if (this.#state === "over" || this.#stream.destroyed) return;
    if (this.#continueDue && this.#state === "waiting") this.#stream.additionalHeaders({ ":status": 100 });
    this.#continueDue = false;
    this.#body.grant(bytes);
  }

  inform(status: number, fields: Fields): void {
    if (this.#state !== "waiting" || this.#stream.destroyed) return;
    const headers = interimHead(status, fields);
    if (headers !== null) this.#stream.additionalHeaders(headers);
  }

  respond(status: number, fields: Fields, end: boolean, trailers: boolean): void {
    if (this.#state !== "waiting" || this.#stream.destroyed) return;
    const head = responseHead(status, fields);
    if (head === null) {
      this.#unsendable(status);
      return;
    }
    this.#bodyless = end || this.#head.method === "HEAD" || status === 204 || status === 304;
    this.#writer.expect(head.length);
    this.#wire = fields.length;
    const options = { endStream: this.#bodyless, waitForTrailers: trailers && !this.#bodyless };
    if (!this.#sendHead(head.list, options)) {
      this.#unsendable(status);
      return;
    }
    this.#enter("responding");
    if (end) this.#ended();
  }

  body(chunk: Uint8Array, end: boolean): void {
    if (this.#state !== "responding") return;
    if (this.#bodyless) {
      if (chunk.length > 0) this.#exchange?.sent(chunk.length);
      if (end) this.#ended();
      return;
    }
    if (!this.#writer.allows(chunk, end)) {
      this.#cut("protocol-error");
      return;
    }
    this.#wire += chunk.length;
    this.#writer.write(chunk, end);
    if (end) this.#ended();
  }

  trailers(fields: Fields): void {
    if (this.#state !== "responding") return;
    this.#trailers = fields;
    if (!this.#bodyless) this.#stream.end();
    this.#ended();
  }

  file(path: string): void {
    if (this.#state !== "responding" || this.#file !== null) return;
    if (this.#bodyless) {
      this.#ended();
      return;
    }
    this.#file = new FileSender(path, {
      opened: () => this.#state === "responding",
      chunk: (chunk, end) => this.body(chunk, end),
      failed: () => this.#cut("protocol-error"),
    });
  }

  abort(): void {
    if (this.#state === "over") return;
    this.#finish();
    this.#reset();
  }

  acceptWebSocket(subprotocol: string, fields: Fields): void {
    if (this.#state !== "waiting" || this.#handshake === null || this.#stream.destroyed) return;
    const list = acceptHead(this.#handshake, subprotocol, fields);
    if (list === null || !this.#sendHead(list, { endStream: false })) {
      this.#unsendable(200);
      return;
    }
    this.#enter("upgraded");
    this.#transport = new StreamTransport(this.#stream, this.peers, {
      given: (bytes) => this.#writer.given(bytes),
      passed: (bytes) => this.#owner.passed(this, bytes),
      now: () => this.#owner.ticker.now,
    });
    this.#session = new WebSocketSession({
      transport: this.#transport,
      exchange: this.#exchange!,
      settings: this.#owner.websocket,
      deflate: this.#handshake.deflate,
      ticker: this.#owner.ticker,
    });
    this.#transport.attach(this.#session);
    this.#session.grant(this.#credit);
  }

  message(text: boolean, chunk: Uint8Array, more: boolean): void {
    this.#session?.message(text, chunk, more);
  }

  closeWebSocket(code: number, reason: string): void {
    this.#session?.close(code, reason);
  }

  // From the connection.

  /** The socket has caught up with `bytes` of this stream. */
  taken(bytes: number): void {
    this.#writer.taken(bytes);
    if (this.#transport !== null) {
      this.#transport.progress(bytes);
      return;
    }
    if (this.#state !== "responding" && this.#state !== "ended") return;
    this.#exchange?.sent(bytes);
    if (this.#state === "responding") this.#file?.pull();
    else if (this.#writer.unsent === 0) this.#complete();
  }

  /** Looks at the time limits. */
  tick(now: number): void {
    const { bodyTimeoutMs, sendTimeoutMs } = this.#owner.limits;
    if (sendTimeoutMs > 0 && this.#writer.stalledFor(now) >= sendTimeoutMs) {
      this.#cut("slow-read");
    } else if (bodyTimeoutMs > 0 && this.#body.stalledFor(now) >= bodyTimeoutMs) {
      if (this.#state === "over") this.#body.stop();
      else this.#fail(HttpErrors.bodyTimeout, "slow-body");
    } else {
      this.#transport?.tick(now);
    }
  }

  /** The connection is gone. `orderly`: its session closed after all streams had ended. */
  disconnected(reason: GoneReason, orderly: boolean): void {
    if (this.#state === "ended" && orderly && this.#stream.rstCode === 0) this.#complete();
    else this.leave(reason);
  }

  /** The client is gone, or was sent away. */
  leave(reason: GoneReason): void {
    if (this.#state === "over") return;
    const exchange = this.#exchange;
    const session = this.#session;
    this.#finish();
    if (session !== null) session.closed(reason === "reset");
    else exchange?.gone(reason);
  }

  #closed(): void {
    const { rstCode } = this.#stream;
    if (this.#state === "ended" && rstCode === 0) this.#complete();
    else this.leave(rstCode === 0 ? "closed" : "reset");
    this.#owner.left(this);
  }

  // Writing.

  #sendHead(list: string[], options: ServerStreamResponseOptions): boolean {
    try {
      // The runtime takes a flat list, which alone keeps order and duplicates; its types do not say so.
      this.#stream.respond(list as never, options);
      return true;
    } catch {
      // It has rules of its own for headers beyond those that were checked.
      return false;
    }
  }

  #sendTrailers(): void {
    const { destroyed } = this.#stream;
    if (!destroyed) this.#stream.sendTrailers(trailerHeaders(this.#trailers));
  }

  /** The whole response has been given to the runtime. */
  #ended(): void {
    this.#enter("ended");
    if (this.#writer.unsent === 0) this.#complete();
  }

  #complete(): void {
    const exchange = this.#exchange;
    const wire = this.#wire;
    this.#finish();
    this.#body.discard();
    exchange?.finished(wire);
  }

  // Ends.

  /** Ends a request that has become impossible: with an error while nothing has been answered, else by cutting it off. */
  #fail(error: HttpError, reason: GoneReason): void {
    if (this.#state === "over" || this.#state === "ended") return;
    if (this.#state !== "waiting") {
      this.#cut(reason);
      return;
    }
    const exchange = this.#exchange;
    this.#finish();
    refuse(this.#stream, error, this.#head.method === "HEAD");
    this.#body.discard();
    exchange?.gone(reason);
  }

  #unsendable(status: number): void {
    this.#owner.badResponse(this.#head, status);
    this.#fail(HttpErrors.response, "protocol-error");
  }

  /** Cuts a response off that has begun, and says so. */
  #cut(reason: GoneReason): void {
    this.leave(reason);
    this.#reset();
  }

  /** The runtime's close() would end the stream before it resets it, and a cut response would look whole; an error does not. */
  #reset(): void {
    if (!this.#stream.destroyed) this.#stream.destroy(new Error("the response was cut off"));
  }

  #finish(): void {
    this.#enter("over");
    this.#exchange = null;
    this.#session = null;
    this.#file?.close();
    this.#file = null;
  }

  #enter(next: StreamState): void {
    if (!EDGES[this.#state].includes(next)) throw new Error(`stream: no edge from ${this.#state} to ${next}`);
    this.#state = next;
  }
}

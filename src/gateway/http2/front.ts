import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Accept, GoneReason, Peers, Refusal, RequestHead } from "../client.ts";
import { type HttpError, HttpErrors } from "../http1/errors.ts";
import type { HttpLimits, WebSocketSettings } from "../settings.ts";
import type { Ticked, Ticker } from "../ticker.ts";
import type { Transport, TransportUser } from "../transport.ts";
import { type Handshake, negotiateExtended } from "../websocket/handshake.ts";
import { HeadReader } from "./head.ts";
import { TransportPipe } from "./pipe.ts";
import { refuse } from "./refusal.ts";
import { StreamClient, type StreamOwner } from "./stream.ts";

/** What the HTTP/2 connections of one listener share. */
export interface Http2Options {
  readonly limits: HttpLimits;
  readonly websocket: WebSocketSettings;
  readonly ticker: Ticker;
  readonly accept: Accept;
  /** A request was refused before the pipeline saw it. */
  refused(refusal: Refusal): void;
  /** A response of the app could not be sent as HTTP. */
  badResponse(head: RequestHead, status: number): void;
  /** A connection is closed. */
  left(connection: Http2Connection): void;
}

/** Bytes a client may send on a new stream before the app asks for them. */
const STREAM_WINDOW = 128 * 1024;
/** Unsent bytes of a connection above which its streams get no more credit. */
const UNSENT = 256 * 1024;
/** Header lists up to this many times the limits are still decoded, so that they can be answered with 431. */
const HEADROOM = 4;
const NO_LIMIT = 16 * 1024 * 1024;

type State = "open" | "draining" | "closed";

/**
 * One HTTP/2 connection: the runtime's session over our transport, and the streams on it.
 *
 * ```
 *  open ──shutdown, idle──▶ draining (GOAWAY sent) ──last stream closed──▶ closed
 *    └── transport closed, client's FIN, rule broken, flood, destroy ───────▲
 * ```
 *
 * Bytes of a response count as sent only when the client's socket keeps up: a client with huge flow-control windows that does not
 * read makes the transport's queue grow to {@link UNSENT} and the credit of the pipeline, not further.
 */
export class Http2Connection implements TransportUser, StreamOwner, Ticked {
  readonly peers: Peers;
  readonly limits: HttpLimits;
  readonly websocket: WebSocketSettings;
  readonly ticker: Ticker;
  #state: State = "open";
  readonly #options: Http2Options;
  readonly #transport: Transport;
  readonly #pipe: TransportPipe;
  readonly #session: ServerHttp2Session;
  readonly #reader: HeadReader;
  readonly #streams = new Set<StreamClient>();
  /** Bytes by stream that the runtime has passed on and the socket has not caught up with. */
  readonly #behind = new Map<StreamClient, number>();
  #idleSince: number;
  #greeted = false;
  /** The session met an error. */
  #failed = false;
  #takenThen = -1;
  #stalledAt = 0;

  constructor(options: Http2Options, transport: Transport) {
    const { limits, ticker } = options;
    this.#options = options;
    this.#transport = transport;
    this.peers = transport.peers;
    this.limits = limits;
    this.websocket = options.websocket;
    this.ticker = ticker;
    this.#reader = new HeadReader(limits);
    this.#pipe = new TransportPipe(transport);
    this.#pipe.on("error", () => undefined);
    this.#session = this.#start();
    ticker.join(this);
    this.#idleSince = ticker.now;
  }

  #start(): ServerHttp2Session {
    const { headerBytes, headerCount, http2Streams } = this.limits;
    const most = http2Streams === 0 ? 0x7fffffff : http2Streams;
    const session = performServerHandshake(this.#pipe, {
      settings: {
        enableConnectProtocol: true,
        maxConcurrentStreams: most,
        initialWindowSize: STREAM_WINDOW,
        maxHeaderListSize: headerBytes === 0 ? NO_LIMIT : headerBytes * HEADROOM,
      },
      // What the app says twice is sent twice, as in HTTP/1.1.
      strictSingleValueFields: false,
      maxHeaderListPairs: headerCount === 0 ? 0xffff : headerCount * HEADROOM,
    } as Parameters<typeof performServerHandshake>[1]);
    session.on("stream", (stream, _headers, flags, list) => {
      this.#open(stream, list as unknown as string[], (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0);
    });
    session.on("remoteSettings", () => {
      this.#greeted = true;
    });
    session.on("error", () => {
      this.#failed = true;
    });
    session.on("close", () => this.#over("reset", !this.#failed));
    // The connection's window is opened again as bytes arrive, so a stream that is not read does not hold up the others. It must not
    // be larger than a stream's: the runtime opens a stream's window once half of the connection's has been read.
    session.setLocalWindowSize(STREAM_WINDOW);
    return session;
  }

  get state(): State {
    return this.#state;
  }

  /** Open streams. */
  get streams(): number {
    return this.#streams.size;
  }

  // From the transport.

  data(chunk: Uint8Array): void {
    this.#pipe.feed(chunk);
  }

  sent(_counted: number): void {
    this.#pipe.taken();
    if (this.#behind.size > 0 && this.#transport.queued <= UNSENT) this.#catchUp();
  }

  drained(): void {
    this.sent(0);
  }

  ended(): void {
    // A client of HTTP/2 has no reason to close only one direction: it is gone.
    this.#over("closed");
    this.#session.destroy();
  }

  closed(reset: boolean): void {
    this.#over(reset ? "reset" : "closed");
    this.#pipe.gone();
    this.#session.destroy();
  }

  // From the listener.

  /** Tells the client to open no more streams, finishes those it has, then closes. */
  shutdown(): void {
    if (this.#state !== "open") return;
    this.#state = "draining";
    this.#session.close();
  }

  /** Cuts the connection. */
  destroy(): void {
    this.#over("shutdown");
    this.#session.destroy();
    this.#transport.destroy(true);
  }

  // From the streams.

  passed(stream: StreamClient, bytes: number): void {
    if (this.#transport.queued <= UNSENT) stream.taken(bytes);
    else this.#behind.set(stream, (this.#behind.get(stream) ?? 0) + bytes);
  }

  badResponse(head: RequestHead, status: number): void {
    this.#options.badResponse(head, status);
  }

  left(stream: StreamClient): void {
    this.#streams.delete(stream);
    this.#behind.delete(stream);
    if (this.#streams.size === 0) this.#idleSince = this.ticker.now;
  }

  /** Looks at the time limits. */
  tick(now: number): void {
    if (this.#stuck(now)) {
      this.#over("slow-read");
      this.destroy();
      return;
    }
    for (const stream of this.#streams) stream.tick(now);
    if (this.#streams.size > 0 || this.#state === "closed") return;
    const limit = this.#greeted ? this.limits.idleTimeoutMs : this.limits.headerTimeoutMs;
    if (limit > 0 && now - this.#idleSince >= limit) {
      this.shutdown();
      // A client that has sent half a header block keeps the session from closing by itself.
      this.#transport.end();
    }
  }

  #stuck(now: number): boolean {
    const { sendTimeoutMs } = this.limits;
    const { queued, taken } = this.#transport;
    if (sendTimeoutMs === 0 || queued === 0 || taken !== this.#takenThen) {
      this.#takenThen = taken;
      this.#stalledAt = now;
      return false;
    }
    return now - this.#stalledAt >= sendTimeoutMs;
  }

  #catchUp(): void {
    const behind = [...this.#behind];
    this.#behind.clear();
    for (const [stream, bytes] of behind) stream.taken(bytes);
  }

  #open(stream: ServerHttp2Stream, list: readonly string[], end: boolean): void {
    stream.on("error", () => undefined);
    const { head, error } = this.#reader.read(list, end);
    if (error !== null) {
      this.#refuse(stream, error);
      return;
    }
    const { bodyBytes } = this.limits;
    if (bodyBytes > 0 && head.bodyLength > bodyBytes) {
      this.#refuse(stream, HttpErrors.bodySize);
      return;
    }
    let handshake: Handshake | null = null;
    if (head.websocket) {
      handshake = negotiateExtended(head.fields, this.websocket);
      if (handshake === null) {
        this.#refuse(stream, HttpErrors.websocketHandshake);
        return;
      }
    }
    const client = new StreamClient(this, stream, head, handshake);
    this.#streams.add(client);
    client.bind(this.#options.accept(head, client));
  }

  #refuse(stream: ServerHttp2Stream, error: HttpError): void {
    const { method, target } = this.#reader.line;
    this.#options.refused({ status: error.status, code: error.code, peers: this.peers, method, target });
    refuse(stream, error, method === "HEAD");
    // Whatever follows is not wanted: the client is told to stop, once it has the answer.
    stream.once("finish", () => {
      if (!stream.closed) stream.close(constants.NGHTTP2_NO_ERROR);
    });
    stream.resume();
  }

  #over(reason: GoneReason, orderly = false): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.ticker.leave(this);
    for (const stream of [...this.#streams])
      stream.disconnected(reason, orderly && !this.#behind.has(stream));
    this.#behind.clear();
    this.#streams.clear();
    this.#options.left(this);
  }
}

/**
 * Speaks HTTP/2 on a transport: after ALPN has chosen it, or when a client begins with the preface on clear text. The caller makes
 * the connection the transport's user and feeds it what has been read, preface included.
 */
export function attachHttp2(options: Http2Options, transport: Transport): Http2Connection {
  return new Http2Connection(options, transport);
}

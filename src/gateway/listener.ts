/** Takes clients in: one listening socket, and the front that each connection speaks. */
import type { Socket, SocketHandler, SocketListener } from "bun";
import type { LogSink } from "../model/log.ts";
import type { Accept, Refusal, RequestHead } from "./client.ts";
import { connectionLimit } from "./file-limit.ts";
import { flushAll } from "./flush.ts";
import { Connection } from "./http1/connection.ts";
import { type Shared, shareHttp1 } from "./http1/shared.ts";
import { attachHttp2, type Http2Options } from "./http2/front.ts";
import { removeStaleSocket, toListenError } from "./listen-error.ts";
import type { FrontSettings } from "./settings.ts";
import type { EVENTS } from "./signals.ts";
import { type LocalEnd, SocketTransport } from "./socket-transport.ts";
import { Ticker, tickInterval } from "./ticker.ts";
import type { Transport } from "./transport.ts";

/** Everything a listener is told at its start. */
export interface ListenerOptions {
  readonly settings: FrontSettings;
  readonly accept: Accept;
  /** A request was refused before the pipeline saw it. */
  readonly refused: (refusal: Refusal) => void;
  /** A client connection was accepted, and one was closed. */
  readonly opened?: () => void;
  readonly closed?: () => void;
  /** Files that connections to instances have open, or will soon: so many clients fewer are taken. */
  readonly instanceFiles?: () => number;
  readonly log: LogSink;
}

/** Protocols offered by ALPN, in the wire's length-prefixed form. */
const ALPN_H2 = Buffer.from("\x02h2\x08http/1.1", "latin1");
const ALPN_H1 = Buffer.from("\x08http/1.1", "latin1");

/** At most this often, in milliseconds, is a connection that was turned away logged. */
const FULL_LOG_MS = 10_000;

/** However many instances there are, some clients are taken. */
const FEWEST = 16;

const NOTHING = new Uint8Array(0);

/** A front's connection, as far as the listener has to do with it. */
interface Draining {
  shutdown(): void;
  destroy(): void;
}

/** One listening socket and its connections. */
export class Listener {
  /** Port that is listened on; 0 for a Unix socket. */
  readonly port: number;
  private readonly shared: Shared;
  private readonly http2: Http2Options;
  private readonly ticker: Ticker;
  private readonly local: LocalEnd;
  private readonly server: SocketListener<SocketTransport>;
  private readonly open = new Set<SocketTransport>();
  private readonly fronts = new Set<Draining>();
  private readonly most = connectionLimit();
  /** TLS connections that are not through their handshake, and since when. */
  private readonly handshakes = new Map<SocketTransport, number>();
  private readonly handshakeLimit = { tick: (now: number): void => this.checkHandshakes(now) };
  private draining = false;
  private emptied: (() => void) | null = null;
  private fullLogged = Number.NEGATIVE_INFINITY;

  /**
   * Starts to listen.
   * @throws ListenError when the port is taken, the address or the certificate is not usable
   */
  static async start(options: ListenerOptions): Promise<Listener> {
    if (options.settings.uds !== "") await removeStaleSocket(options.settings.uds);
    return new Listener(options);
  }

  private constructor(private readonly options: ListenerOptions) {
    const { settings } = options;
    const { http } = settings;
    this.ticker = new Ticker(
      tickInterval([http.headerTimeoutMs, http.bodyTimeoutMs, http.sendTimeoutMs, http.idleTimeoutMs]),
    );
    this.local = { uds: settings.uds, secure: settings.tlsCert !== "" };
    this.shared = shareHttp1(settings, {
      ticker: this.ticker,
      accept: options.accept,
      refused: options.refused,
      badResponse: (exchange) => this.badResponse(exchange.head, exchange.status),
      preface: (transport, bytes) => this.toHttp2(transport, bytes),
      left: (connection) => this.fronts.delete(connection),
    });
    this.http2 = {
      limits: http,
      websocket: settings.websocket,
      ticker: this.ticker,
      accept: options.accept,
      refused: options.refused,
      badResponse: (head, status) => this.badResponse(head, status),
      left: (connection) => this.fronts.delete(connection),
    };
    this.server = this.listen();
    if (this.local.secure && http.headerTimeoutMs > 0) this.ticker.join(this.handshakeLimit);
    this.port = "port" in this.server ? Number(this.server.port) : 0;
  }

  /** Client connections that are open. */
  connections(): number {
    return this.open.size;
  }

  /**
   * Takes no more connections, closes the idle ones, lets the others finish what they have begun. Resolves when there are none left;
   * {@link close} ends the wait.
   */
  drain(): Promise<void> {
    if (!this.draining) {
      this.draining = true;
      this.server.stop(false);
      for (const front of this.fronts) front.shutdown();
      for (const transport of [...this.handshakes.keys()]) transport.destroy(true);
      flushAll();
    }
    if (this.open.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const before = this.emptied;
      this.emptied = () => {
        before?.();
        resolve();
      };
    });
  }

  /** Stops listening and cuts every connection. */
  close(): void {
    this.draining = true;
    this.server.stop(false);
    this.ticker.leave(this.handshakeLimit);
    for (const front of [...this.fronts]) front.destroy();
    for (const transport of [...this.open]) transport.destroy(true);
  }

  private listen(): SocketListener<SocketTransport> {
    const { settings } = this.options;
    const common = { socket: this.handlers(), allowHalfOpen: true, ...tlsOf(settings) };
    try {
      if (settings.uds !== "") return Bun.listen<SocketTransport>({ ...common, unix: settings.uds });
      const tcp = { ...common, hostname: settings.host, port: settings.port, reusePort: settings.reusePort };
      return Bun.listen<SocketTransport>(tcp);
    } catch (error) {
      throw toListenError(error, settings);
    }
  }

  /** One set of handlers for all sockets. What is read is not flushed at once: other sockets may have something to add. */
  private handlers(): SocketHandler<SocketTransport> {
    const { secure } = this.local;
    return {
      binaryType: "uint8array",
      open: (socket) => this.opened(socket, secure),
      handshake: (socket, done) => {
        this.shaken(socket, done);
        flushAll();
      },
      data: (socket, chunk) => socket.data.onData(chunk),
      drain: (socket) => {
        socket.data.onDrain();
        flushAll();
      },
      end: (socket) => {
        socket.data.onEnd();
        flushAll();
      },
      close: (socket, error) => {
        this.closed(socket.data, error !== undefined);
        flushAll();
      },
      error: (socket, error) => this.failed(socket.data, error),
    };
  }

  private opened(socket: Socket<SocketTransport>, secure: boolean): void {
    const transport = new SocketTransport(socket, this.local, this.ticker);
    socket.data = transport;
    if (this.open.size >= this.limit()) {
      this.full();
      socket.terminate();
      return;
    }
    this.open.add(transport);
    this.options.opened?.();
    if (secure) this.handshakes.set(transport, this.ticker.now);
    else this.speakHttp1(transport);
  }

  private speakHttp1(transport: SocketTransport): void {
    const connection = new Connection(this.shared, transport);
    transport.user = connection;
    this.fronts.add(connection);
    if (this.draining) connection.shutdown();
  }

  /** The one place where a connection changes to HTTP/2: after ALPN, or when it began with the preface. */
  private toHttp2(transport: Transport, bytes: Uint8Array): void {
    const connection = attachHttp2(this.http2, transport);
    (transport as SocketTransport).user = connection;
    this.fronts.add(connection);
    if (bytes.length > 0) connection.data(bytes);
    if (this.draining) connection.shutdown();
  }

  private closed(transport: SocketTransport | undefined, reset: boolean): void {
    // A connection that was turned away has never been counted.
    if (transport === undefined || !this.open.delete(transport)) return;
    this.handshakes.delete(transport);
    transport.onClose(reset);
    this.options.closed?.();
    if (this.open.size === 0) this.emptied?.();
  }

  private shaken(socket: Socket<SocketTransport>, done: boolean): void {
    const transport = socket.data;
    this.handshakes.delete(transport);
    // A handshake that failed is followed by the close of its socket.
    if (!done || transport.isClosed || transport.user !== null) return;
    if (socket.alpnProtocol === "h2") this.toHttp2(transport, NOTHING);
    else this.speakHttp1(transport);
  }

  /** Cuts connections whose TLS handshake takes too long. */
  private checkHandshakes(now: number): void {
    for (const [transport, since] of this.handshakes) {
      if (now - since >= this.options.settings.http.headerTimeoutMs) transport.destroy(true);
    }
  }

  private badResponse(head: RequestHead, status: number): void {
    this.log("warn", "gateway.bad_response", "The app's response cannot be sent as HTTP.", {
      method: head.method,
      target: Buffer.from(head.target).toString("latin1"),
      status,
    });
  }

  /** TLS went wrong, or a handler threw: then its connection is in a state that nobody knows. */
  private failed(transport: SocketTransport | undefined, error: Error): void {
    if ((error as { code?: string }).code === "EPROTO" || String(error.message).includes("SSL")) return;
    this.log("error", "gateway.connection_failed", "A connection failed and was cut.", {
      error: String(error.stack ?? error),
    });
    transport?.destroy(true);
    flushAll();
  }

  /** How many client connections are taken now. */
  private limit(): number {
    return Math.max(FEWEST, this.most - (this.options.instanceFiles?.() ?? 0));
  }

  private full(): void {
    if (this.ticker.now - this.fullLogged < FULL_LOG_MS) return;
    this.fullLogged = this.ticker.now;
    this.log(
      "error",
      "gateway.connections_full",
      "Connections are turned away: this process is near its limit of open files.",
      {
        connections: this.open.size,
        limit: this.limit(),
      },
    );
  }

  private log(
    level: "warn" | "error",
    event: keyof typeof EVENTS,
    message: string,
    fields: Record<string, string | number>,
  ): void {
    this.options.log({ time: Date.now(), level, event, message, fields });
  }
}

function tlsOf({ tlsCert, tlsKey, http2 }: FrontSettings): { tls?: Bun.TLSOptions } {
  return tlsCert === ""
    ? {}
    : { tls: { cert: tlsCert, key: tlsKey, ALPNProtocols: http2 ? ALPN_H2 : ALPN_H1 } };
}

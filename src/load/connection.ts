/** One HTTP/1.1 connection, over a raw socket: writes a request, reads its answer, checks it, goes on. */

import type { Socket } from "bun";
import { systemCode } from "../base/errors.ts";
import { failureOfAnswer, type Matcher } from "./expect.ts";
import type { Exchange, Link, LinkOwner, LinkState } from "./link.ts";
import type { Failure } from "./messages.ts";
import type { Destination, OriginPlan } from "./plan.ts";
import type { Random } from "./random.ts";
import type { Recorder } from "./recorder.ts";
import { type HeadMemory, ResponseReader } from "./response.ts";

/** What all connections of a process share. */
export interface ConnectionShared {
  readonly recorder: Recorder;
  readonly memory: HeadMemory;
  readonly random: Random;
  readonly matcher: Matcher;
  readonly keepAlive: boolean;
  /** What stands in the file of trusted authorities; null for those of the system. */
  readonly ca: string | null;
}

/** Where one connection goes. */
export interface Way {
  readonly origin: number;
  readonly plan: OriginPlan;
  readonly to: Destination;
  /** Null: the system chooses. */
  readonly from: Destination | null;
}

export class Connection implements Link {
  state: LinkState = "connecting";
  connected = false;
  served = 0;
  readonly origin: number;
  readonly #shared: ConnectionShared;
  readonly #owner: LinkOwner;
  readonly #reader: ResponseReader;
  readonly #tls: OriginPlan["tls"];
  /** Closed by a reset: a port that is bound to a source address would be kept for a minute (TIME_WAIT), and ports are scarce there. */
  readonly #freesPort: boolean;
  readonly #startedAt = performance.now();
  /** Connects from another port, when the one that was named is taken. */
  #again: (() => void) | null = null;
  #socket: Socket<Connection> | null = null;
  #exchange: Exchange | null = null;
  /** What the socket did not take yet. */
  #unsent: Buffer | null = null;

  constructor(way: Way, shared: ConnectionShared, owner: LinkOwner) {
    this.origin = way.origin;
    this.#shared = shared;
    this.#owner = owner;
    const { tls } = way.plan;
    this.#tls = tls;
    this.#freesPort = way.from !== null;
    this.#reader = new ResponseReader(shared.memory);
    this.#connect(way, way.from?.port ?? 0);
  }

  /** @param localPort 0: one that is free. To look for one takes the system milliseconds once it has given out ten thousand */
  #connect(way: Way, localPort: number): void {
    const { tls } = way.plan;
    const from = way.from === null ? {} : { localAddress: way.from.host };
    const options = {
      hostname: way.to.host,
      port: way.to.port,
      ...from,
      ...(localPort === 0 ? {} : { localPort }),
      ...(tls === null ? {} : { tls: tlsOptions(tls, this.#shared.ca) }),
      data: this as Connection,
      socket: handlers,
    };
    this.#again = null;
    if (localPort !== 0) this.#again = () => this.#connect(way, 0);
    // The failure is told to connectError too, with its code.
    Bun.connect<Connection>(options).catch((error: unknown) => {
      if (localPort === 0 || !isTaken(error)) this.#lost(error);
      else this.#again?.();
    });
  }

  send(exchange: Exchange): void {
    exchange.link = this;
    this.#exchange = exchange;
    this.state = "busy";
    this.#reader.begin(exchange.request.headOnly, this.#shared.matcher.needsBody);
    const bytes = exchange.request.bytes({ seq: exchange.seq, random: this.#shared.random });
    exchange.sentAt = performance.now();
    this.#write(bytes);
  }

  abort(failure: Failure): void {
    this.#end(failure, true);
  }

  close(): void {
    this.#leave(null, this.#freesPort);
  }

  // What the socket says.

  opened(socket: Socket<Connection>): void {
    this.#socket = socket;
    // Given up while it connected.
    if (this.state === "gone") socket.terminate();
    else if (this.#tls === null) this.#connected();
  }

  shaken(ok: boolean): void {
    if (this.state !== "connecting") return;
    // The runtime looks at the name in a certificate even where it is told to take any. Without a cipher there was no handshake.
    const taken = this.#tls?.insecure === true && (this.#socket?.getCipher().name ?? null) !== null;
    if (ok || taken) this.#connected();
    else this.#leave("tls", true);
  }

  received(piece: Buffer): void {
    this.#shared.recorder.bytesIn += piece.length;
    const exchange = this.#exchange;
    if (exchange === null) {
      // Bytes that nobody asked for; what comes after them cannot be told apart from an answer.
      this.#leave(null, true);
      return;
    }
    if (exchange.firstByteAt === 0) exchange.firstByteAt = performance.now();
    const fed = this.#reader.feed(piece);
    if (fed === "malformed") this.#end("malformed", true);
    else if (fed === "done") this.#answered(exchange);
  }

  drained(): void {
    const rest = this.#unsent;
    if (rest === null) return;
    this.#unsent = null;
    this.#write(rest);
  }

  /** The other side will send no more. */
  finished(): void {
    const exchange = this.#exchange;
    if (exchange !== null && this.#reader.begun && this.#reader.closed()) this.#answered(exchange);
    else this.#end(this.#reader.begun ? "cut" : "closed", true);
  }

  closed(error: unknown): void {
    if (this.state === "gone") return;
    if (this.state === "connecting") this.#lost(error);
    else if (systemCode(error) === "ECONNRESET") this.#end("reset", true);
    else this.finished();
  }

  failedToConnect(error: unknown): void {
    this.#lost(error);
  }

  #connected(): void {
    this.connected = true;
    this.#again = null;
    this.state = "idle";
    this.#socket?.setNoDelay(true);
    this.#owner.ready(this, performance.now() - this.#startedAt);
  }

  #lost(error: unknown): void {
    if (this.state !== "connecting") return;
    if (this.#again !== null && isTaken(error)) {
      this.#again();
      return;
    }
    this.#leave(this.#tls !== null && this.#socket !== null ? "tls" : connectFailure(error), true);
  }

  #write(bytes: Buffer): void {
    const written = this.#socket?.write(bytes) ?? 0;
    if (written > 0) this.#shared.recorder.bytesOut += written;
    if (written < bytes.length) this.#unsent = written > 0 ? bytes.subarray(written) : bytes;
  }

  #answered(exchange: Exchange): void {
    const reader = this.#reader;
    exchange.status = reader.status;
    const failure = failureOfAnswer(reader, this.#shared.matcher);
    const again = reader.keepAlive && this.#shared.keepAlive && this.#unsent === null;
    this.served++;
    this.#exchange = null;
    exchange.link = null;
    reader.body = null;
    if (again) this.state = "idle";
    else this.#part(false);
    this.#owner.ended(this, exchange, failure);
    if (!again) this.#owner.gone(this, null);
  }

  /** Ends the exchange, if there is one, and the connection. */
  #end(failure: Failure, cut: boolean): void {
    if (this.state === "gone") return;
    const exchange = this.#exchange;
    if (exchange === null) {
      this.#leave(this.state === "connecting" ? failure : null, cut);
      return;
    }
    this.#exchange = null;
    exchange.link = null;
    this.#part(cut);
    this.#owner.ended(this, exchange, failure);
    this.#owner.gone(this, null);
  }

  #leave(failure: Failure | null, cut: boolean): void {
    if (this.state === "gone") return;
    this.#part(cut);
    this.#owner.gone(this, failure);
  }

  #part(cut: boolean): void {
    this.state = "gone";
    this.#unsent = null;
    if (cut) this.#socket?.terminate();
    else this.#socket?.end();
  }
}

function isTaken(error: unknown): boolean {
  return systemCode(error) === "EADDRINUSE";
}

/** One object for all sockets: a connection costs no closures. */
const handlers = {
  open: (socket: Socket<Connection>) => socket.data.opened(socket),
  handshake: (socket: Socket<Connection>, ok: boolean) => socket.data.shaken(ok),
  data: (socket: Socket<Connection>, piece: Buffer) => socket.data.received(piece),
  drain: (socket: Socket<Connection>) => socket.data.drained(),
  end: (socket: Socket<Connection>) => socket.data.finished(),
  close: (socket: Socket<Connection>, error?: Error) => socket.data.closed(error),
  connectError: (socket: Socket<Connection>, error: Error) => socket.data.failedToConnect(error),
  error: (socket: Socket<Connection>, error: Error) => socket.data.closed(error),
};

export function tlsOptions(tls: NonNullable<OriginPlan["tls"]>, ca: string | null) {
  return {
    serverName: tls.serverName,
    rejectUnauthorized: !tls.insecure,
    ...(ca === null ? {} : { ca }),
  };
}

/** Why there is no connection. Running out of files or ports is the generator's own fault. */
export function connectFailure(error: unknown): Failure {
  switch (systemCode(error)) {
    case "ECONNREFUSED":
      return "refused";
    case "ECONNRESET":
      return "reset";
    case "ETIMEDOUT":
      return "connect_timeout";
    case "EMFILE":
    case "ENFILE":
      return "files";
    case "EADDRNOTAVAIL":
    case "EADDRINUSE":
      return "ports";
    default:
      return "connect";
  }
}

import type { Socket, TCPSocketListener } from "bun";
import type { ExchangeSide, Peers } from "../../client.ts";
import type { WebSocketSettings } from "../../settings.ts";
import { Ticker } from "../../ticker.ts";
import type { Transport } from "../../transport.ts";
import { negotiate, upgradeResponse } from "../handshake.ts";
import { WebSocketSession } from "../session.ts";

/** A WebSocket echo server made of real sessions over a minimal transport, for tests. */

export const SETTINGS: WebSocketSettings = {
  maxMessage: 16 * 1024 * 1024,
  pingIntervalMs: 0,
  pingTimeoutMs: 0,
  deflate: true,
};

const PEERS: Peers = {
  clientHost: "",
  clientPort: 0,
  serverHost: "",
  serverPort: 0,
  secure: false,
  tls: "",
};

/** What one connection of the echo server went through. */
export interface EchoRecord {
  closedCode: number;
  closedReason: string;
  messages: number;
  /** Most bytes passed on without having been granted: must stay 0. */
  overdrawn: number;
  session: WebSocketSession;
}

export interface EchoOptions {
  readonly settings?: Partial<WebSocketSettings>;
  /** Credit of a connection; 64 KiB by default. */
  readonly window?: number;
  readonly ticker?: Ticker;
  /** Called in place of the echo. */
  readonly onMessage?: (session: WebSocketSession, text: boolean, chunk: Uint8Array, more: boolean) => void;
}

/** A transport over one Bun socket: a queue, no lingering close. */
class PlainTransport implements Transport {
  readonly peers = PEERS;
  taken = 0;
  session: WebSocketSession | null = null;
  head = "";
  readonly #socket: Socket<PlainTransport>;
  #queue: Array<{ chunk: Uint8Array; counted: number }> = [];
  #queued = 0;
  #ending = false;

  constructor(socket: Socket<PlainTransport>) {
    this.#socket = socket;
  }

  get queued(): number {
    return this.#queued;
  }

  write(chunk: Uint8Array, counted: number): void {
    this.#queue.push({ chunk, counted });
    this.#queued += chunk.length;
    if (this.#queue.length === 1) queueMicrotask(() => this.flush());
  }

  flush(): void {
    let sent = 0;
    while (this.#queue.length > 0) {
      const first = this.#queue[0]!;
      const written = Math.max(0, this.#socket.write(first.chunk));
      this.taken += written;
      this.#queued -= written;
      if (written < first.chunk.length) {
        first.chunk = first.chunk.subarray(written);
        break;
      }
      sent += first.counted;
      this.#queue.shift();
    }
    if (sent > 0) this.session?.sent(sent);
    if (this.#queue.length > 0) return;
    if (this.#ending) this.#socket.end();
    else this.session?.drained();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#ending = true;
    if (this.#queue.length === 0) this.#socket.end();
  }

  destroy(): void {
    this.#socket.terminate();
  }
}

export class EchoServer {
  readonly records: EchoRecord[] = [];
  readonly #options: EchoOptions;
  readonly #ticker: Ticker;
  readonly #settings: WebSocketSettings;
  readonly #listener: TCPSocketListener<PlainTransport>;
  #waiters: Array<() => void> = [];

  constructor(options: EchoOptions = {}) {
    this.#options = options;
    this.#ticker = options.ticker ?? new Ticker(20);
    this.#settings = { ...SETTINGS, ...options.settings };
    this.#listener = Bun.listen<PlainTransport>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (socket) => {
          socket.data = new PlainTransport(socket);
        },
        data: (socket, chunk) => this.#data(socket.data, new Uint8Array(chunk)),
        drain: (socket) => socket.data.flush(),
        end: (socket) => socket.data.session?.ended(),
        close: (socket) => socket.data.session?.closed(false),
      },
    });
  }

  get port(): number {
    return this.#listener.port;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/`;
  }

  stop(): void {
    this.#listener.stop(true);
  }

  /** Waits until connection `index` is closed. */
  async closed(index: number): Promise<EchoRecord> {
    while ((this.records[index]?.closedCode ?? 0) === 0) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
    return this.records[index]!;
  }

  #data(transport: PlainTransport, chunk: Uint8Array): void {
    if (transport.session !== null) {
      transport.session.data(chunk);
      return;
    }
    transport.head += Buffer.from(chunk).toString("latin1");
    const end = transport.head.indexOf("\r\n\r\n");
    if (end < 0) return;
    const lines = transport.head.slice(0, end).split("\r\n").slice(1);
    const text = lines
      .map((line) => line.replace(/^([^:]+):\s*/, (_, name) => `${name.toLowerCase()}\0`))
      .join("\0");
    const handshake = negotiate(Buffer.from(text, "latin1"), this.#settings);
    if (handshake === null) {
      transport.write(Buffer.from("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"), 0);
      transport.end();
      return;
    }
    transport.write(upgradeResponse(handshake, handshake.subprotocols[0] ?? "", new Uint8Array(0)), 0);
    this.#open(transport, handshake.deflate);
    const rest = Buffer.from(transport.head.slice(end + 4), "latin1");
    if (rest.length > 0) transport.session!.data(new Uint8Array(rest));
  }

  #open(
    transport: PlainTransport,
    deflate: ConstructorParameters<typeof WebSocketSession>[0]["deflate"],
  ): void {
    let granted = this.#options.window ?? 65536;
    const exchange: ExchangeSide = {
      body: () => {},
      gone: () => {},
      finished: () => {},
      sent: (bytes) => {
        granted += bytes;
        record.session.grant(bytes);
      },
      message: (text, chunk, more) => {
        granted -= chunk.length;
        if (granted < 0) record.overdrawn = Math.max(record.overdrawn, -granted);
        if (!more) record.messages++;
        if (this.#options.onMessage !== undefined) this.#options.onMessage(record.session, text, chunk, more);
        else record.session.message(text, chunk, more);
      },
      closed: (code, reason) => {
        record.closedCode = code;
        record.closedReason = reason;
        for (const waiter of this.#waiters.splice(0)) waiter();
      },
    };
    const session = new WebSocketSession({
      transport,
      exchange,
      settings: this.#settings,
      deflate,
      ticker: this.#ticker,
    });
    const record: EchoRecord = { closedCode: 0, closedReason: "", messages: 0, overdrawn: 0, session };
    this.records.push(record);
    transport.session = session;
    session.grant(granted);
  }
}

import type { SocketListener } from "bun";
import type { ClientSide, ExchangeSide, Refusal, RequestHead } from "../../client.ts";
import { flushAll } from "../../flush.ts";
import type { HttpLimits, WebSocketSettings } from "../../settings.ts";
import { SocketTransport } from "../../socket-transport.ts";
import { Ticker } from "../../ticker.ts";
import { attachHttp2, type Http2Connection } from "../front.ts";

/** HTTP/2 on a real socket with a small app in place of the pipeline, for tests. */

export const LIMITS: HttpLimits = {
  requestLine: 8192,
  headerBytes: 16_384,
  headerCount: 50,
  bodyBytes: 0,
  headerTimeoutMs: 0,
  bodyTimeoutMs: 0,
  sendTimeoutMs: 0,
  idleTimeoutMs: 0,
  discardBytes: 100_000,
  http2Streams: 20,
};

export const WEBSOCKET: WebSocketSettings = {
  maxMessage: 1 << 20,
  pingIntervalMs: 0,
  pingTimeoutMs: 0,
  deflate: true,
};

/** One request as the app saw it. */
export class Seen implements ExchangeSide {
  readonly head: RequestHead;
  readonly client: ClientSide;
  readonly events: string[] = [];
  bodyBytes = 0;
  ended = false;
  sentBytes = 0;
  /** Response bytes given and not reported as sent, at most. */
  mostUnsent = 0;
  given = 0;
  onBody: ((chunk: Uint8Array, end: boolean) => void) | null = null;
  onSent: (() => void) | null = null;
  readonly #notify: () => void;

  constructor(head: RequestHead, client: ClientSide, notify: () => void) {
    this.head = head;
    this.client = client;
    this.#notify = notify;
  }

  give(chunk: Uint8Array, end: boolean): void {
    this.given += chunk.length;
    this.mostUnsent = Math.max(this.mostUnsent, this.given - this.sentBytes);
    this.client.body(chunk, end);
  }

  body(chunk: Uint8Array, end: boolean): void {
    this.bodyBytes += chunk.length;
    this.ended ||= end;
    this.onBody?.(chunk, end);
    this.#notify();
  }
  sent(bytes: number): void {
    this.sentBytes += bytes;
    this.onSent?.();
    this.#notify();
  }
  message(text: boolean, chunk: Uint8Array, more: boolean): void {
    this.client.message(text, chunk, more);
  }
  closed(code: number, reason: string): void {
    this.#event(`closed ${code} ${reason}`.trim());
  }
  gone(reason: string): void {
    this.#event(`gone ${reason}`);
  }
  finished(): void {
    this.#event("finished");
  }
  #event(event: string): void {
    this.events.push(event);
    this.#notify();
  }
}

export function pairs(...list: string[]): Uint8Array {
  return Buffer.from(list.join("\0"), "latin1");
}

export type App = (seen: Seen) => void;

export interface ServerOptions {
  readonly limits?: Partial<HttpLimits>;
  readonly app?: App;
  readonly ticker?: Ticker;
}

export class Http2TestServer {
  readonly seen: Seen[] = [];
  readonly refusals: Refusal[] = [];
  readonly connections: Http2Connection[] = [];
  readonly bad: number[] = [];
  left = 0;
  readonly #listener: SocketListener<SocketTransport>;
  #waiters: Array<() => void> = [];

  constructor({ limits = {}, app = defaultApp, ticker = new Ticker(10) }: ServerOptions = {}) {
    const notify = () => {
      for (const waiter of this.#waiters.splice(0)) waiter();
    };
    const options = {
      limits: { ...LIMITS, ...limits },
      websocket: WEBSOCKET,
      ticker,
      accept: (head: RequestHead, client: ClientSide) => {
        const seen = new Seen(head, client, notify);
        this.seen.push(seen);
        app(seen);
        notify();
        return seen;
      },
      refused: (refusal: Refusal) => {
        this.refusals.push(refusal);
        notify();
      },
      badResponse: (_head: RequestHead, status: number) => {
        this.bad.push(status);
      },
      left: () => {
        this.left++;
        notify();
      },
    };
    this.#listener = Bun.listen<SocketTransport>({
      hostname: "127.0.0.1",
      port: 0,
      allowHalfOpen: true,
      socket: {
        binaryType: "uint8array",
        open: (socket) => {
          const transport = new SocketTransport(socket, { uds: "", secure: false }, ticker);
          socket.data = transport;
          const connection = attachHttp2(options, transport);
          transport.user = connection;
          this.connections.push(connection);
          flushAll();
        },
        data: (socket, chunk) => {
          socket.data.onData(chunk);
          flushAll();
        },
        drain: (socket) => {
          socket.data.onDrain();
          flushAll();
        },
        end: (socket) => {
          socket.data.onEnd();
          flushAll();
        },
        close: (socket, error) => socket.data.onClose(error !== undefined),
      },
    });
  }

  get port(): number {
    return (this.#listener as unknown as { port: number }).port;
  }

  stop(): void {
    this.#listener.stop(true);
  }

  /** Waits for something that the server's side brings about. */
  async until(condition: () => boolean): Promise<void> {
    const deadline = AbortSignal.timeout(20_000);
    while (!condition()) {
      if (deadline.aborted)
        throw new Error(`deadline: ${JSON.stringify(this.seen.map((one) => one.events))}`);
      await new Promise<void>((resolve) => {
        this.#waiters.push(resolve);
        deadline.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }
}

/** `/` says hello, `/echo` echoes. */
export const defaultApp: App = (seen) => {
  const { client, head } = seen;
  const path = Buffer.from(head.target).toString();
  if (path === "/echo") {
    echo(seen);
    return;
  }
  if (head.bodyLength !== 0) {
    // Answers once the body is complete.
    client.takeBody(65_536);
    seen.onBody = (chunk, end) => {
      client.takeBody(chunk.length);
      if (end) hello(seen);
    };
    return;
  }
  // As the pipeline does: never from inside `accept`.
  queueMicrotask(() => hello(seen));
};

function hello(seen: Seen): void {
  seen.client.respond(200, pairs("content-type", "text/plain"), false, false);
  seen.give(Buffer.from("hello"), true);
}

/** Echoes the request body, granting as the client takes the response. */
export function echo(seen: Seen, window = 65_536): void {
  const { client } = seen;
  client.respond(200, new Uint8Array(0), false, false);
  let returned = 0;
  seen.onBody = (chunk, end) => seen.give(chunk, end);
  seen.onSent = () => {
    client.takeBody(seen.sentBytes - returned);
    returned = seen.sentBytes;
  };
  client.takeBody(window);
}

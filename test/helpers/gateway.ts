/** Both neighbours of the gateway's pipeline, played by a test: the client behind a front, and an instance. */

import type { Socket, UnixSocketListener } from "bun";
import type { Accept, ClientSide, ExchangeSide, Peers, RequestHead } from "../../src/gateway/client.ts";
import type { Core } from "../../src/gateway/core.ts";
import { createPipeline } from "../../src/gateway/pipeline.ts";
import { Split } from "../../src/gateway/route/split.ts";
import type { AdmissionSettings, GatewaySettings } from "../../src/gateway/settings.ts";
import type { SlotTable } from "../../src/gateway/table.ts";
import { splitPairs } from "../../src/protocol/fields.ts";
import { Flag, HEADER_SIZE, Type, VERSION, writeHeader } from "../../src/protocol/frame.ts";

export function testSettings(
  admission: Partial<AdmissionSettings> = {},
  trustedProxies: readonly string[] = [],
): GatewaySettings {
  return {
    host: "127.0.0.1",
    port: 0,
    uds: "",
    reusePort: false,
    tlsCert: "",
    tlsKey: "",
    http2: true,
    http: {
      requestLine: 8192,
      headerBytes: 65_536,
      headerCount: 100,
      bodyBytes: 1 << 30,
      headerTimeoutMs: 10_000,
      bodyTimeoutMs: 10_000,
      sendTimeoutMs: 10_000,
      idleTimeoutMs: 10_000,
      discardBytes: 65_536,
      http2Streams: 100,
    },
    websocket: { maxMessage: 1 << 24, pingIntervalMs: 20_000, pingTimeoutMs: 20_000, deflate: true },
    admission: {
      slots: 80,
      lineDepth: 100,
      lineWaitMs: 10_000,
      timeoutMs: 10_000,
      graceMs: 10_000,
      healthPaths: [],
      scaled: false,
      shed: true,
      limits: [],
      priorities: { header: "", routes: [] },
      ...admission,
    },
    trustedProxies,
    affinity: null,
    window: 65_536,
    serverTiming: false,
    service: "test",
    revision: "rev-1",
    key: "test-1",
    accessLog: "off",
  };
}

/** The pipeline of a gateway that knows one revision, to which everything goes. */
export function acceptFor(core: Core, trustedProxies: readonly string[] = [], internal = false): Accept {
  const split = new Split([{ to: core, name: "rev-1", weight: 1 }]);
  const find = () =>
    ({ kind: "service", split, rewrite: null, splitBy: null, shadow: null, tags: new Map() }) as const;
  const { access } = core.ports;
  return createPipeline({ entrance: { find }, meter: core.meter, access, trustedProxies, internal });
}

export function requestHead(head: Partial<RequestHead> = {}): RequestHead {
  return {
    method: "GET",
    target: Buffer.from("/"),
    fields: new Uint8Array(0),
    seen: 0,
    version: 11,
    bodyLength: 0,
    expectContinue: false,
    websocket: false,
    ...head,
  };
}

const PEERS: Peers = {
  clientHost: "10.0.0.9",
  clientPort: 4711,
  serverHost: "127.0.0.1",
  serverPort: 8080,
  secure: false,
  tls: "",
};

interface Answer {
  status: number;
  pairs: [string, string][];
  body: string;
  /** Whole, or cut off. */
  ended: boolean;
}

/** A client that sends its request at once and keeps what it is sent. */
export class FakeClient implements ClientSide {
  readonly peers = PEERS;
  exchange!: ExchangeSide;
  /** While true, body bytes are received but not taken. */
  stalled = false;
  granted = 0;
  closeCode = 0;
  readonly #done = Promise.withResolvers<Answer>();
  readonly #granted = Promise.withResolvers<void>();
  readonly #begun = Promise.withResolvers<void>();
  readonly #accepted = Promise.withResolvers<{ subprotocol: string; pairs: [string, string][] }>();
  readonly #closing = Promise.withResolvers<void>();
  #answer: Answer = { status: 0, pairs: [], body: "", ended: false };
  #bytes = 0;
  #untaken = 0;
  #awaited: { bytes: number; resolve: () => void }[] = [];

  constructor(accept: Accept, head: RequestHead) {
    this.exchange = accept(head, this);
  }

  readonly done = this.#done.promise;
  readonly begun = this.#begun.promise;
  readonly accepted = this.#accepted.promise;
  readonly closing = this.#closing.promise;
  readonly grantedSome = this.#granted.promise;

  /** Resolves once this many body or message bytes have come. */
  received(bytes: number): Promise<void> {
    if (this.#bytes >= bytes) return Promise.resolve();
    return new Promise((resolve) => this.#awaited.push({ bytes, resolve }));
  }

  /** Takes what it has received. */
  take(): void {
    const bytes = this.#untaken;
    this.#untaken = 0;
    // Refused at once: there is no exchange yet to tell, as with a front, whose bytes leave later.
    this.exchange?.sent(bytes);
  }

  leave(): void {
    this.exchange.gone("closed");
  }

  takeBody(bytes: number): void {
    this.granted += bytes;
    this.#granted.resolve();
  }

  inform(): void {}

  respond(status: number, fields: Uint8Array, end: boolean): void {
    this.#answer = { ...this.#answer, status, pairs: splitPairs(fields) };
    this.#begun.resolve();
    if (end) this.#finish();
  }

  body(chunk: Uint8Array, end: boolean): void {
    this.#answer.body += Buffer.from(chunk).toString("latin1");
    this.#receive(chunk.length);
    if (end) this.#finish();
  }

  trailers(): void {
    this.#finish();
  }

  file(): void {
    this.#finish();
  }

  abort(): void {
    this.#done.resolve(this.#answer);
  }

  acceptWebSocket(subprotocol: string, fields: Uint8Array): void {
    this.#accepted.resolve({ subprotocol, pairs: splitPairs(fields) });
  }

  message(_text: boolean, chunk: Uint8Array): void {
    this.#receive(chunk.length);
  }

  closeWebSocket(code: number): void {
    this.closeCode = code;
    this.#closing.resolve();
  }

  #receive(bytes: number): void {
    this.#bytes += bytes;
    this.#untaken += bytes;
    if (!this.stalled) this.take();
    for (const waiter of this.#awaited) if (this.#bytes >= waiter.bytes) waiter.resolve();
  }

  #finish(): void {
    this.#answer.ended = true;
    queueMicrotask(() => {
      this.exchange.finished(100);
      this.#done.resolve(this.#answer);
    });
  }
}

export interface GotFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export interface GotRequest extends GotFrame {
  /** method, target, peers, request id, timeout, tls */
  readonly fields: string[];
  readonly pairs: [string, string][];
}

/** An instance that listens where a gateway expects one, and does what the test says. */
export class FakeInstance {
  static readonly WINDOW = 50_000;
  readonly requests: GotRequest[] = [];
  #listener: UnixSocketListener<undefined>;
  #socket: Socket<undefined> | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #out: Buffer = Buffer.alloc(0);
  #frames: GotFrame[] = [];
  #waiters: { type: number; resolve: (frame: GotFrame) => void }[] = [];
  #pings = 0;

  constructor(
    readonly id: string,
    readonly path: string,
    readonly row: number,
  ) {
    this.#listener = Bun.listen<undefined>({
      unix: path,
      socket: {
        open: (socket) => {
          this.#socket = socket;
          const hello = Buffer.alloc(16);
          hello.write("HRWP");
          hello.writeUInt16BE(VERSION, 4);
          hello.writeUInt32BE(FakeInstance.WINDOW, 12);
          this.frame(Type.HELLO, 0, 0, hello);
        },
        data: (_socket, chunk) => this.#read(chunk),
        drain: () => this.#flush(),
      },
    });
  }

  /** The next frame of this type, once it is there. */
  next(type: number): Promise<GotFrame> {
    const at = this.#frames.findIndex((frame) => frame.type === type);
    if (at !== -1) return Promise.resolve(this.#frames.splice(at, 1)[0]!);
    return new Promise((resolve) => this.#waiters.push({ type, resolve }));
  }

  pending(type: number): number {
    return this.#frames.filter((frame) => frame.type === type).length;
  }

  async request(): Promise<GotRequest> {
    const frame = await this.next(Type.REQUEST);
    const flat = frame.payload.toString("latin1").split("\0");
    const pairs: [string, string][] = [];
    for (let i = 6; i < flat.length; i += 2) pairs.push([flat[i]!, flat[i + 1]!]);
    const request = { ...frame, fields: flat.slice(0, 6), pairs };
    this.requests.push(request);
    return request;
  }

  frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array(0)): void {
    const out = Buffer.alloc(HEADER_SIZE + payload.length);
    writeHeader(out, 0, payload.length, stream, type, flags);
    out.set(payload, HEADER_SIZE);
    this.#out = Buffer.concat([this.#out, out]);
    this.#flush();
  }

  #flush(): void {
    const written = this.#socket!.write(this.#out);
    if (written > 0) this.#out = this.#out.subarray(written);
  }

  /** A whole response, and the app has returned. */
  respond(request: GotRequest, status: number, fields: Uint8Array, body: string): void {
    const head = Buffer.alloc(2 + fields.length);
    head.writeUInt16BE(status);
    head.set(fields, 2);
    this.frame(Type.RESPONSE, 0, request.stream, head);
    this.frame(Type.DATA, Flag.END | Flag.DONE, request.stream, Buffer.from(body));
  }

  credit(stream: number, bytes: number): void {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(bytes);
    this.frame(Type.CREDIT, 0, stream, payload);
  }

  reset(stream: number, code: number): void {
    this.frame(Type.RESET, Flag.DONE, stream, Buffer.from([code >> 8, code & 255]));
  }

  ping(): void {
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(++this.#pings, 4);
    this.frame(Type.PING, 0, 0, payload);
  }

  /** Resolves once the gateway has read all that was sent so far. */
  async settled(): Promise<void> {
    this.ping();
    await this.next(Type.PONG);
  }

  /** Says, as a worker does, that the app has seen all streams up to this one. */
  markBegun(table: SlotTable, stream: number, column = 0): void {
    const memory = Bun.mmap(table.path, { shared: true });
    new DataView(memory.buffer, memory.byteOffset).setUint32(
      table.begunOffset(this.row) + column * 4,
      stream,
      true,
    );
  }

  /** Ends as a killed process does: connection and listener at once. */
  kill(): void {
    this.#listener.stop(true);
    this.#socket?.terminate();
  }

  close(): void {
    this.kill();
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= HEADER_SIZE) {
      const length = this.#rest.readUInt32BE(0);
      if (this.#rest.length < HEADER_SIZE + length) return;
      this.#got({
        stream: this.#rest.readUInt32BE(4),
        type: this.#rest[8]!,
        flags: this.#rest[9]!,
        payload: this.#rest.subarray(HEADER_SIZE, HEADER_SIZE + length),
      });
      this.#rest = this.#rest.subarray(HEADER_SIZE + length);
    }
  }

  #got(frame: GotFrame): void {
    const at = this.#waiters.findIndex((waiter) => waiter.type === frame.type);
    if (at === -1) this.#frames.push(frame);
    else this.#waiters.splice(at, 1)[0]!.resolve(frame);
  }
}

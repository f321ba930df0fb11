/**
 * A data connection to one instance: many requests over one Unix socket (docs/spec/worker-protocol.md).
 *
 * ```
 *   connecting ──HELLO──▶ ready ──DRAIN──▶ draining
 *       ▲                   │                 │
 *       └── after a pause ──┴── lost ◀────────┘        closed (by us, for good)
 * ```
 * `lost` hands every stream back to its exchange with what is known about it: begun or not.
 */

import type { Socket } from "bun";
import {
  Flag,
  HEADER_SIZE,
  MAX_PAYLOAD,
  MAX_STREAM,
  ProtocolError,
  Type,
  writeHeader,
} from "../protocol/frame.ts";
import { decodeHello, encodeHello } from "../protocol/hello.ts";
import { FrameReader } from "../protocol/reader.ts";
import { type Flushable, flushAll, markDirty } from "./flush.ts";
import type { SlotTable } from "./table.ts";

/** A request as the upstream sees it. */
export interface Stream {
  /** One frame of this stream, to be read from `reader`. Throws ProtocolError when it is not allowed now. */
  frame(reader: FrameReader): void;
  /** The connection is gone. `begun`: whether the app may have seen the request. */
  lost(begun: boolean): void;
}

/** What a stream is opened with; texts are ASCII. */
export interface RequestFrame {
  readonly flags: number;
  readonly method: string;
  readonly target: Uint8Array;
  /** `HOST SP PORT SP HOST SP PORT` */
  readonly peers: string;
  readonly requestId: string;
  /** Milliseconds left, empty for no limit. */
  readonly timeout: string;
  readonly tls: string;
  readonly fields: Uint8Array;
}

/** Where an instance is reached. */
export interface Address {
  readonly id: string;
  /** Its row in the shared table. */
  readonly row: number;
  /** Path of its Unix socket. */
  readonly socket: string;
  /** How it started, while that is news: requests may have waited for it. */
  readonly start?: InstanceStart;
}

export interface InstanceStart {
  /** Unix milliseconds. */
  readonly readyAt: number;
  /** Milliseconds by phase; together from the asking to `readyAt`. */
  readonly phases: Readonly<Record<string, number>>;
}

export interface UpstreamPorts {
  readonly table: SlotTable;
  readonly column: number;
  readonly gateway: number;
  /** Window granted to instances on each stream, bytes. */
  readonly window: number;
  /** It can take requests now. */
  ready(upstream: Upstream): void;
  /** It cannot any more. `protocolError` tells why we closed it, empty when the other side did. */
  lost(upstream: Upstream, protocolError: string): void;
  /** A try to connect failed; another one follows. */
  unreachable(upstream: Upstream): void;
}

type State = "connecting" | "ready" | "draining" | "lost" | "closed";

const INITIAL_BUFFER = 64 * 1024;
const RECONNECT_MS = 50;

export class Upstream implements Flushable {
  readonly address: Address;
  /** Credit that each new stream has towards the instance, from its HELLO. */
  peerWindow = 0;
  readonly #ports: UpstreamPorts;
  readonly #streams = new Map<number, Stream>();
  #state: State = "connecting";
  #socket: Socket | undefined;
  #reader = new FrameReader();
  #lastStream = 0;
  #out = Buffer.allocUnsafeSlow(INITIAL_BUFFER);
  /** `#out[#sent..#filled)` waits to be written. */
  #sent = 0;
  #filled = 0;
  #dirty = false;
  #blocked = false;

  constructor(address: Address, ports: UpstreamPorts) {
    this.address = address;
    this.#ports = ports;
    this.#connect();
  }

  get id(): string {
    return this.address.id;
  }

  get state(): State {
    return this.#state;
  }

  /** Slots taken on the instance, over all gateways. */
  get inFlight(): number {
    return this.#ports.table.inFlight(this.address.row);
  }

  get slots(): number {
    return this.#ports.table.limit(this.address.row);
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  /** Opens a stream and answers its number. Only while ready. */
  open(stream: Stream, request: RequestFrame): number {
    const id = ++this.#lastStream;
    this.#streams.set(id, stream);
    const { method, target, peers, requestId, timeout, tls, fields } = request;
    const texts = method.length + peers.length + requestId.length + timeout.length + tls.length;
    const length = texts + target.length + 5 + (fields.length > 0 ? 1 + fields.length : 0);
    let at = this.#reserve(HEADER_SIZE + length);
    const out = this.#out;
    writeHeader(out, at, length, id, Type.REQUEST, request.flags);
    at = putText(out, at + HEADER_SIZE, method);
    at = putBytes(out, putNul(out, at), target);
    at = putText(out, putNul(out, at), peers);
    at = putText(out, putNul(out, at), requestId);
    at = putText(out, putNul(out, at), timeout);
    at = putText(out, putNul(out, at), tls);
    if (fields.length > 0) at = putBytes(out, putNul(out, at), fields);
    this.#filled = at;
    if (id === MAX_STREAM) this.#state = "draining";
    return id;
  }

  /** Sends one or more frames of body or message bytes, none longer than the protocol allows. `flags` go with the last one. */
  data(id: number, type: number, flags: { each: number; last: number }, chunk: Uint8Array): void {
    let start = 0;
    do {
      const end = Math.min(chunk.length, start + MAX_PAYLOAD);
      const part = start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end);
      const at = this.#reserve(HEADER_SIZE + part.length);
      writeHeader(this.#out, at, part.length, id, type, end === chunk.length ? flags.last : flags.each);
      this.#out.set(part, at + HEADER_SIZE);
      this.#filled = at + HEADER_SIZE + part.length;
      start = end;
    } while (start < chunk.length);
  }

  /** Sends RESET or WS_CLOSE: a code and a text. */
  code(id: number, type: number, code: number, reason: string): void {
    const text = Buffer.from(reason, "utf8").subarray(0, type === Type.RESET ? 1024 : 123);
    const at = this.#reserve(HEADER_SIZE + 2 + text.length);
    writeHeader(this.#out, at, 2 + text.length, id, type, 0);
    this.#out.writeUInt16BE(code, at + HEADER_SIZE);
    this.#out.set(text, at + HEADER_SIZE + 2);
    this.#filled = at + HEADER_SIZE + 2 + text.length;
  }

  credit(id: number, bytes: number): void {
    const at = this.#reserve(HEADER_SIZE + 4);
    writeHeader(this.#out, at, 4, id, Type.CREDIT, 0);
    this.#out.writeUInt32BE(bytes, at + HEADER_SIZE);
    this.#filled = at + HEADER_SIZE + 4;
  }

  /** Forgets a stream that is DONE. */
  drop(id: number): void {
    this.#streams.delete(id);
  }

  /** Closes for good: the platform has taken the instance out. Streams that are left are lost. */
  close(): void {
    if (this.#state === "closed") return;
    const wasLost = this.#state === "lost";
    this.#state = "closed";
    this.#socket?.end();
    if (!wasLost) this.#handBack();
  }

  flush(): void {
    this.#dirty = false;
    if (this.#socket === undefined || this.#blocked) return;
    const waiting = this.#filled - this.#sent;
    if (waiting === 0) return;
    const written = this.#socket.write(this.#out, this.#sent, waiting);
    if (written < 0) return;
    this.#sent += written;
    if (this.#sent < this.#filled) {
      this.#blocked = true;
      return;
    }
    this.#sent = 0;
    this.#filled = 0;
    // One huge upload must not hold its buffer for ever.
    if (this.#out.length > 16 * INITIAL_BUFFER) this.#out = Buffer.allocUnsafeSlow(INITIAL_BUFFER);
  }

  /** Makes room for `size` bytes and answers where they begin. */
  #reserve(size: number): number {
    if (!this.#dirty) {
      this.#dirty = true;
      markDirty(this);
    }
    if (this.#filled + size > this.#out.length) this.#grow(size);
    return this.#filled;
  }

  #grow(size: number): void {
    const waiting = this.#filled - this.#sent;
    let capacity = this.#out.length;
    while (capacity < waiting + size) capacity *= 2;
    const out = capacity === this.#out.length ? this.#out : Buffer.allocUnsafeSlow(capacity);
    this.#out.copy(out, 0, this.#sent, this.#filled);
    this.#out = out;
    this.#sent = 0;
    this.#filled = waiting;
  }

  #connect(): void {
    this.#state = "connecting";
    const { table, column } = this.#ports;
    table.clearBegun(this.address.row, column);
    const gone = (): void => this.#lost("");
    Bun.connect({
      unix: this.address.socket,
      socket: {
        open: (socket) => {
          if (this.#state === "closed") {
            socket.end();
            return;
          }
          this.#socket = socket;
          const hello = encodeHello({ column, gateway: this.#ports.gateway, window: this.#ports.window });
          this.#filled = this.#reserve(hello.length) + hello.length;
          this.#out.set(hello, this.#filled - hello.length);
          this.flush();
        },
        data: (_socket, chunk) => this.#read(chunk),
        drain: () => {
          this.#blocked = false;
          this.flush();
        },
        close: gone,
        end: gone,
        error: gone,
        connectError: gone,
      },
    }).catch(gone);
  }

  #read(chunk: Uint8Array): void {
    const reader = this.#reader;
    try {
      reader.push(chunk);
      while (reader.next()) {
        if (reader.stream === 0) this.#ownFrame(reader);
        else this.#streams.get(reader.stream)?.frame(reader);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#lost(error.message);
    }
    flushAll();
  }

  #ownFrame(reader: FrameReader): void {
    const payload = reader.chunk.subarray(reader.start, reader.end);
    switch (reader.type) {
      case Type.HELLO:
        if (this.#state !== "connecting") throw new ProtocolError("a second HELLO");
        this.peerWindow = decodeHello(payload).window;
        this.#state = "ready";
        this.#ports.ready(this);
        return;
      case Type.PING: {
        const at = this.#reserve(HEADER_SIZE + 8);
        writeHeader(this.#out, at, 8, 0, Type.PONG, 0);
        this.#out.set(payload, at + HEADER_SIZE);
        this.#filled = at + HEADER_SIZE + 8;
        return;
      }
      case Type.DRAIN:
        if (this.#state === "ready") this.#state = "draining";
        return;
      default:
    }
  }

  #lost(protocolError: string): void {
    if (this.#state === "lost" || this.#state === "closed") return;
    const connected = this.#state !== "connecting";
    this.#state = "lost";
    this.#socket?.terminate();
    this.#socket = undefined;
    this.#reader = new FrameReader();
    this.#sent = 0;
    this.#filled = 0;
    this.#blocked = false;
    if (connected) this.#ports.lost(this, protocolError);
    else this.#ports.unreachable(this);
    this.#handBack();
    this.#lastStream = 0;
    // Until the platform says that the instance is gone, it may only have been this connection.
    setTimeout(() => {
      if (this.#state === "lost") this.#connect();
    }, RECONNECT_MS).unref();
  }

  #handBack(): void {
    const begun = this.#ports.table.begun(this.address.row, this.#ports.column);
    const streams = [...this.#streams];
    this.#streams.clear();
    for (const [id, stream] of streams) stream.lost(id <= begun);
  }
}

function putNul(out: Uint8Array, at: number): number {
  out[at] = 0;
  return at + 1;
}

function putText(out: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) out[at + i] = text.charCodeAt(i);
  return at + text.length;
}

function putBytes(out: Uint8Array, at: number, bytes: Uint8Array): number {
  if (bytes.length <= 64) for (let i = 0; i < bytes.length; i++) out[at + i] = bytes[i]!;
  else out.set(bytes, at);
  return at + bytes.length;
}

/** Flags of data frames. */
export const BODY_MORE = { each: 0, last: 0 } as const;
export const BODY_END = { each: 0, last: Flag.END } as const;

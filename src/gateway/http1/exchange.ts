/**
 * One request and its response on an HTTP/1.1 connection: the client's side as the pipeline sees it.
 *
 * ```
 *  WAITING ──respond──▶ HELD ──first body bytes, or the end of the I/O callback──▶ STREAMING ──last bytes queued──▶ ENDED ──taken──▶ OVER
 *     │                  │ └── end of the response ──────────────────────────────────────────────────────────────▶ ENDED
 *     ├──acceptWebSocket──▶ UPGRADED ──closed──▶ OVER
 *     └──abort, client gone (from every state)──▶ OVER
 * ```
 *
 * A head is held for a moment so that it leaves in one write with the body, and with a content-length when the body is complete.
 */
import type { ClientSide, ExchangeSide, Fields, GoneReason, Peers, RequestHead } from "../client.ts";
import { Seen } from "../client.ts";
import { type Flushable, markDirty } from "../flush.ts";
import type { Transport } from "../transport.ts";
import { FileSender } from "./file.ts";
import { Framing, type ResponseWriter } from "./response.ts";
import { assertPhase, Phase } from "./states.ts";

/** Up to here a chunk is copied behind its framing into one write; above, writing it apart is cheaper. */
const COPY = 8 * 1024;
/** Chunk framing: size, two CRLF, last chunk. */
const FRAMING_ROOM = 32;
const NO_FIELDS = new Uint8Array(0);

/** What an exchange needs of its connection. */
export interface ExchangeOwner {
  readonly transport: Transport;
  readonly writer: ResponseWriter;
  /** The pipeline has granted body bytes. */
  wantBody(exchange: Exchange): void;
  /** Whether the connection has to be closed after the response whose head is about to be written. */
  closesAfter(exchange: Exchange): boolean;
  /** The response is queued completely. `close`: its head said that the connection closes. */
  responded(exchange: Exchange, close: boolean): void;
  /** The response is not valid HTTP, or cannot be completed. */
  broken(exchange: Exchange): void;
  /** The pipeline has given up on the response. */
  aborted(exchange: Exchange): void;
  upgrade(exchange: Exchange, subprotocol: string, fields: Fields): void;
  message(text: boolean, chunk: Uint8Array, more: boolean): void;
  closeWebSocket(code: number, reason: string): void;
}

/** See the head of this file. */
export class Exchange implements ClientSide, Flushable {
  readonly peers: Peers;
  phase: number = Phase.WAITING;
  /** The pipeline's side; null until `accept` has returned it. */
  side: ExchangeSide | null = null;
  /** Body bytes that may still be delivered. */
  granted = 0;
  /** Bytes queued so far for this response. */
  wire = 0;
  /** Status of the response once its head is written, else 0. */
  status = 0;
  private fields: Fields = NO_FIELDS;
  private trailing = false;
  private framing: number = Framing.NONE;
  /** Bytes that the body still has to have when its length was told. */
  private left = 0;
  private close = false;
  /** A WebSocket that was accepted before `accept` had returned. */
  private accepted: { readonly subprotocol: string; readonly fields: Fields } | null = null;
  private goneFor: GoneReason | null = null;
  private sender: FileSender | null = null;

  constructor(
    private readonly owner: ExchangeOwner,
    readonly head: RequestHead,
    readonly keepAlive: boolean,
  ) {
    this.peers = owner.transport.peers;
  }

  /** Moves on, asserting that the edge exists. */
  enter(phase: number): void {
    assertPhase(this.phase, phase);
    this.phase = phase;
  }

  takeBody(bytes: number): void {
    if (this.phase === Phase.OVER) return;
    this.granted += bytes;
    this.owner.wantBody(this);
  }

  inform(status: number, fields: Fields): void {
    if (this.phase !== Phase.WAITING || this.head.version !== 11) return;
    const { writer } = this.owner;
    if (status >= 102 && status < 200 && writer.interim(status, fields)) this.write(writer.take(), 0);
  }

  respond(status: number, fields: Fields, end: boolean, trailers: boolean): void {
    if (this.phase !== Phase.WAITING) return;
    this.status = status;
    this.fields = fields;
    this.trailing = trailers && (this.head.seen & Seen.TE_TRAILERS) !== 0;
    if (end) {
      // The length of what HEAD would have been is not known here.
      if (this.writeHead(0)) this.finishWith(this.owner.writer.take(), 0);
      return;
    }
    this.enter(Phase.HELD);
    markDirty(this);
  }

  /** The I/O callback is over and no body came with the head: it goes alone. */
  flush(): void {
    if (this.phase !== Phase.HELD || this.sender !== null) return;
    if (!this.writeHead(-1)) return;
    this.enter(Phase.STREAMING);
    this.write(this.owner.writer.take(), 0);
  }

  body(chunk: Uint8Array, end: boolean): void {
    if (this.phase === Phase.HELD) this.firstBody(chunk, end);
    else if (this.phase === Phase.STREAMING) this.moreBody(chunk, end);
  }

  trailers(fields: Fields): void {
    if (this.phase === Phase.HELD) this.flush();
    if (this.phase !== Phase.STREAMING) return;
    const { writer } = this.owner;
    if (this.framing !== Framing.CHUNKED) {
      this.complete(NO_FIELDS);
      return;
    }
    if (!this.trailing || !writer.lastChunk(fields)) writer.lastChunk(NO_FIELDS);
    this.finishWith(writer.take(), 0);
  }

  file(path: string): void {
    if (this.sender !== null || (this.phase !== Phase.HELD && this.phase !== Phase.STREAMING)) return;
    this.sender = new FileSender(path, {
      opened: (size) => this.fileOpened(size),
      chunk: (chunk, end) => this.fileChunk(chunk, end),
      failed: () => this.owner.broken(this),
    });
  }

  abort(): void {
    if (this.phase === Phase.OVER) return;
    this.over();
    this.owner.aborted(this);
  }

  acceptWebSocket(subprotocol: string, fields: Fields): void {
    if (this.phase !== Phase.WAITING || !this.head.websocket) return;
    // The session reports to the pipeline's side, so it has to be there.
    if (this.side === null) this.accepted = { subprotocol, fields };
    else this.owner.upgrade(this, subprotocol, fields);
  }

  message(text: boolean, chunk: Uint8Array, more: boolean): void {
    if (this.phase === Phase.UPGRADED) this.owner.message(text, chunk, more);
  }

  closeWebSocket(code: number, reason: string): void {
    if (this.phase === Phase.UPGRADED) this.owner.closeWebSocket(code, reason);
  }

  /** Takes the pipeline's side, which may have answered already, and may have failed in it. */
  bind(side: ExchangeSide): void {
    this.side = side;
    if (this.goneFor !== null) side.gone(this.goneFor);
    else if (this.accepted !== null) this.acceptWebSocket(this.accepted.subprotocol, this.accepted.fields);
  }

  /** Nothing of a final response has been queued yet. */
  get answerable(): boolean {
    return this.phase === Phase.WAITING || this.phase === Phase.HELD;
  }

  /** Ends the exchange because the client is gone or was sent away. */
  leave(reason: GoneReason): void {
    if (this.phase === Phase.OVER) return;
    this.over();
    this.goneFor = reason;
    this.side?.gone(reason);
  }

  /** Ends the exchange without a word: its WebSocket has said everything. */
  forget(): void {
    if (this.phase !== Phase.OVER) this.over();
  }

  /** Ends the exchange because its response has been taken by the socket. */
  finish(): void {
    this.over();
    this.side?.finished(this.wire);
  }

  /** The transport has room again. */
  drained(): void {
    if (this.sender !== null && this.phase !== Phase.ENDED) this.sender.pull();
  }

  /** Queues bytes of this exchange that are not part of its response, as interim responses are. */
  write(bytes: Uint8Array, counted: number): void {
    this.wire += bytes.length;
    // The bytes of a file have never been the pipeline's to count.
    this.owner.transport.write(bytes, this.sender === null ? counted : 0);
  }

  private over(): void {
    this.enter(Phase.OVER);
    this.fields = NO_FIELDS;
    this.sender?.close();
  }

  /** Writes the head into the writer. False when it cannot be sent, and then the exchange is over. */
  private writeHead(knownLength: number): boolean {
    const { writer } = this.owner;
    const { version, method } = this.head;
    const close = !this.keepAlive || this.owner.closesAfter(this);
    const valid =
      this.status >= 200 &&
      writer.head(
        {
          status: this.status,
          v11: version === 11,
          headOnly: method === "HEAD",
          knownLength: method === "HEAD" ? -1 : knownLength,
          trailers: this.trailing,
          close,
          keepAlive10: version === 10 && !close,
        },
        this.fields,
      );
    this.fields = NO_FIELDS;
    if (!valid) {
      this.owner.broken(this);
      return false;
    }
    this.framing = writer.framing;
    this.left = writer.framing === Framing.LENGTH ? writer.length : 0;
    this.close = writer.close;
    return true;
  }

  private firstBody(chunk: Uint8Array, end: boolean): void {
    if (!this.writeHead(end ? chunk.length : -1)) return;
    this.enter(Phase.STREAMING);
    const { writer } = this.owner;
    if (this.framing !== Framing.NONE && chunk.length <= COPY && writer.fits(chunk.length + FRAMING_ROOM)) {
      this.append(chunk, end);
      return;
    }
    this.write(writer.take(), 0);
    this.moreBody(chunk, end);
  }

  private moreBody(chunk: Uint8Array, end: boolean): void {
    if (this.framing === Framing.NONE) {
      if (chunk.length > 0 && this.sender === null) this.side?.sent(chunk.length);
      if (end && this.phase === Phase.STREAMING) this.finishWith(NO_FIELDS, 0);
      return;
    }
    if (this.framing === Framing.CHUNKED && chunk.length <= COPY) {
      this.owner.writer.restart();
      this.append(chunk, end);
      return;
    }
    if (!this.account(chunk.length)) return;
    if (this.framing === Framing.CHUNKED) {
      const { writer } = this.owner;
      writer.restart();
      writer.chunkSize(chunk.length);
      this.write(writer.take(), 0);
      this.write(chunk, chunk.length);
      writer.restart();
      writer.chunkEnd(end);
      if (end) this.finishWith(writer.take(), 0);
      else this.write(writer.take(), 0);
    } else if (end) this.complete(chunk);
    else if (chunk.length > 0) this.write(chunk, chunk.length);
  }

  /** Puts a small chunk behind what the writer holds, and queues both. */
  private append(chunk: Uint8Array, end: boolean): void {
    const { writer } = this.owner;
    if (!this.account(chunk.length)) return;
    if (this.framing === Framing.CHUNKED) {
      if (chunk.length > 0) {
        writer.chunkSize(chunk.length);
        writer.put(chunk);
        writer.chunkEnd(end);
      } else if (end) writer.lastChunk(NO_FIELDS);
    } else writer.put(chunk);
    if (!end) this.write(writer.take(), chunk.length);
    else if (this.left > 0) this.owner.broken(this);
    else this.finishWith(writer.take(), chunk.length);
  }

  /** Holds the body to the length its head told. */
  private account(bytes: number): boolean {
    if (this.framing !== Framing.LENGTH) return true;
    this.left -= bytes;
    if (this.left >= 0) return true;
    this.owner.broken(this);
    return false;
  }

  /** Queues the last bytes of a body that is not chunked. A body shorter than its head told is cut off, not ended. */
  private complete(chunk: Uint8Array): void {
    if (this.left > 0) this.owner.broken(this);
    else this.finishWith(chunk, chunk.length);
  }

  private finishWith(bytes: Uint8Array, counted: number): void {
    // Also when there is nothing to write: the transport reports it taken, and that ends the exchange.
    this.write(bytes, counted);
    this.enter(Phase.ENDED);
    this.owner.responded(this, this.close);
  }

  private fileOpened(size: number): boolean {
    if (this.phase === Phase.HELD) {
      if (!this.writeHead(size)) return false;
      this.enter(Phase.STREAMING);
      this.write(this.owner.writer.take(), 0);
    }
    if (this.phase !== Phase.STREAMING) return false;
    if (this.framing !== Framing.NONE) return true;
    this.finishWith(NO_FIELDS, 0);
    return false;
  }

  private fileChunk(chunk: Uint8Array, end: boolean): void {
    if (this.phase === Phase.STREAMING) this.moreBody(chunk, end);
  }
}

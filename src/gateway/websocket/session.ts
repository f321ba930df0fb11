import type { ExchangeSide } from "../client.ts";
import type { WebSocketSettings } from "../settings.ts";
import type { Ticked, Ticker } from "../ticker.ts";
import type { Transport, TransportUser } from "../transport.ts";
import { closePayload, parseClose } from "./close.ts";
import { type DeflateParams, MessageDeflater } from "./deflate.ts";
import { CloseCode, Found, FrameDecoder, Opcode } from "./frame.ts";
import { controlFrame, firstByte, frame, frameHead } from "./frame-writer.ts";
import { Inbox } from "./inbox.ts";
import { PingWatch } from "./ping-watch.ts";

export interface WebSocketOptions {
  readonly transport: Transport;
  readonly exchange: ExchangeSide;
  readonly settings: WebSocketSettings;
  readonly deflate: DeflateParams | null;
  /** The clock that pings and time limits go by. */
  readonly ticker: Ticker;
}

/** How long the client has to answer our close frame, in milliseconds. */
export const CLOSE_TIMEOUT_MS = 10_000;
/** A message shorter than this gains nothing from compression. */
const COMPRESS_FROM = 256;
/** Up to here head and payload are copied into one write. */
const COPY_UP_TO = 16 * 1024;
/** With more than this unsent, pongs wait: a client that pings and does not read must not fill our memory. */
const PONG_BACKLOG = 64 * 1024;

const PING_PAYLOAD = Uint8Array.of(0x68, 0x72);

type State = "open" | "closing" | "closed";

/**
 * One WebSocket connection after its handshake: frames on one side, messages of the pipeline on the other.
 *
 * ```
 *          close() by the pipeline               client's close frame,
 *  open ─────────────────────────▶ closing ──── no answer in time, ────▶ closed
 *   │                                           connection lost           ▲
 *   └── client's close frame (answered), rule broken, ping unanswered, ───┘
 *       connection lost
 * ```
 *
 * In `open` messages go both ways. In `closing` our close frame is sent and what the client still sends is dropped.
 * `closed` is reported to the pipeline exactly once, when it is entered; afterwards the transport only empties
 * itself. Messages are passed on as far as {@link grant} allows; without credit the transport is paused.
 */
export class WebSocketSession implements TransportUser, Ticked {
  readonly #transport: Transport;
  readonly #exchange: ExchangeSide;
  readonly #decoder: FrameDecoder;
  readonly #inbox: Inbox;
  readonly #deflater: MessageDeflater | null;
  readonly #ticker: Ticker;
  #state: State = "open";
  #credit = 0;
  #paused = false;
  #finReceived = false;
  #pumping = false;
  #sendingMessage = false;
  #sendingCompressed = false;
  #pendingPong: Uint8Array | null = null;
  readonly #pings: PingWatch;
  #closeAt = 0;

  constructor(options: WebSocketOptions) {
    const { settings, deflate } = options;
    this.#transport = options.transport;
    this.#exchange = options.exchange;
    this.#decoder = new FrameDecoder(settings.maxMessage, deflate !== null);
    this.#inbox = new Inbox(settings.maxMessage, deflate);
    this.#deflater = deflate === null ? null : new MessageDeflater(deflate);
    this.#ticker = options.ticker;
    this.#ticker.join(this);
    this.#pings = new PingWatch(settings.pingIntervalMs, settings.pingTimeoutMs, this.#ticker.now);
  }

  get state(): State {
    return this.#state;
  }

  // What the transport reports.

  data(chunk: Uint8Array): void {
    if (this.#state === "closed") return;
    this.#pings.alive(this.#ticker.now);
    this.#decoder.push(chunk);
    this.#pump();
  }

  sent(counted: number): void {
    if (this.#state === "closed") return;
    this.#pings.alive(this.#ticker.now);
    if (counted > 0) this.#exchange.sent(counted);
  }

  drained(): void {
    this.#pings.alive(this.#ticker.now);
    const payload = this.#pendingPong;
    if (payload === null || this.#state === "closed") return;
    this.#pendingPong = null;
    this.#transport.write(controlFrame(Opcode.PONG, payload), 0);
  }

  ended(): void {
    this.#finReceived = true;
    this.#pump();
  }

  closed(_reset: boolean): void {
    if (this.#state === "closed") return;
    // A close frame may stand behind messages for which there was no credit any more.
    let found = this.#decoder.next(Number.MAX_SAFE_INTEGER);
    while (found === Found.DATA || found === Found.CONTROL) {
      if (found === Found.CONTROL && this.#decoder.opcode === Opcode.CLOSE) {
        const { code, reason, bad } = parseClose(this.#decoder.payload);
        if (!bad) {
          this.#enterClosed(code, reason);
          return;
        }
      }
      found = this.#decoder.next(Number.MAX_SAFE_INTEGER);
    }
    this.#enterClosed(CloseCode.ABNORMAL, "connection lost");
  }

  // What the pipeline asks for.

  /** Lets `bytes` more of the client's messages come. */
  grant(bytes: number): void {
    this.#credit += bytes;
    this.#pump();
  }

  /** Sends (a part of) a message. Its bytes come back as `sent`, also when they were dropped. */
  message(text: boolean, chunk: Uint8Array, more: boolean): void {
    if (this.#state !== "open") {
      if (this.#state === "closing" && chunk.length > 0) this.#exchange.sent(chunk.length);
      return;
    }
    const first = !this.#sendingMessage;
    if (first) this.#sendingCompressed = this.#deflater !== null && (more || chunk.length >= COMPRESS_FROM);
    this.#sendingMessage = more;
    const opcode = first ? (text ? Opcode.TEXT : Opcode.BINARY) : Opcode.CONTINUATION;
    if (!this.#sendingCompressed || this.#deflater === null) {
      this.#writeFrame(firstByte(opcode, !more, false), chunk, chunk.length);
      return;
    }
    const packed = this.#deflater.run(chunk, !more);
    if (first && !more && packed.length >= chunk.length) {
      this.#writeFrame(firstByte(opcode, true, false), chunk, chunk.length);
    } else {
      this.#writeFrame(firstByte(opcode, !more, first), packed, chunk.length);
    }
  }

  /** Starts the closing handshake. */
  close(code: number, reason: string): void {
    if (this.#state !== "open") return;
    this.#enter("closing");
    this.#closeAt = this.#ticker.now + CLOSE_TIMEOUT_MS;
    this.#transport.write(controlFrame(Opcode.CLOSE, closePayload(code, reason)), 0);
    // What waits for credit will not be read any more, but the client's close frame stands behind it.
    this.#inbox.close();
    this.#pump();
  }

  /** Called by the ticker. */
  tick(now: number): void {
    if (this.#state === "closing") {
      if (now < this.#closeAt) return;
      this.#enterClosed(CloseCode.ABNORMAL, "close handshake timed out");
      this.#transport.destroy(false);
      return;
    }
    if (this.#state === "closed") return;
    const advice = this.#pings.look(now, this.#paused);
    if (advice === "ping") {
      this.#transport.write(controlFrame(Opcode.PING, PING_PAYLOAD), 0);
    } else if (advice === "give-up") {
      this.#fail(CloseCode.INTERNAL_ERROR, "keepalive ping timeout", CloseCode.ABNORMAL);
    }
  }

  // From frames to messages.

  #pump(): void {
    // The pipeline may grant or close from inside `message`: the loop that is running sees what it changed.
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#step()) {
      // Everything happens in the step.
    }
    this.#pumping = false;
  }

  #step(): boolean {
    if (this.#state === "closed") return false;
    const { waiting } = this.#inbox;
    if (waiting >= 0) {
      if (waiting > 0 && this.#credit === 0) return this.#wait();
      this.#pass(this.#inbox.take(this.#credit));
      return true;
    }
    const discard = this.#state === "closing";
    switch (this.#decoder.next(discard ? Number.MAX_SAFE_INTEGER : this.#credit)) {
      case Found.DATA:
        if (!discard) this.#receive();
        return true;
      case Found.CONTROL:
        this.#control(this.#decoder.opcode, this.#decoder.payload);
        return true;
      case Found.BLOCKED:
        return this.#wait();
      case Found.FAILED:
        this.#fail(this.#decoder.code, this.#decoder.reason);
        return false;
      case Found.NOTHING:
        if (this.#finReceived) this.#lost();
        else this.#read();
        return false;
    }
  }

  #read(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#transport.resume();
  }

  #wait(): false {
    if (!this.#paused) {
      this.#paused = true;
      this.#transport.pause();
    }
    return false;
  }

  #receive(): void {
    const decoder = this.#decoder;
    this.#inbox.put(decoder.text, decoder.compressed, decoder.payload, decoder.end);
    this.#judge();
  }

  #pass(piece: Uint8Array): void {
    this.#credit -= piece.length;
    // Taking it out has looked at what follows.
    const bad = this.#inbox.problem !== 0;
    this.#exchange.message(this.#inbox.text, piece, this.#inbox.more);
    if (bad) this.#judge();
  }

  #judge(): void {
    const { problem } = this.#inbox;
    if (problem === 0 || this.#state !== "open") return;
    this.#fail(problem, problem === CloseCode.TOO_BIG ? "message is too big" : "message is not valid");
  }

  #control(opcode: number, payload: Uint8Array): void {
    if (opcode === Opcode.PONG) {
      this.#pings.pong();
    } else if (opcode === Opcode.PING) {
      if (this.#state !== "open") return;
      if (this.#transport.queued > PONG_BACKLOG) this.#pendingPong = payload;
      else this.#transport.write(controlFrame(Opcode.PONG, payload), 0);
    } else {
      this.#peerClosed(payload);
    }
  }

  #peerClosed(payload: Uint8Array): void {
    const { code, reason, bad } = parseClose(payload);
    if (bad) {
      this.#fail(code, reason);
      return;
    }
    if (this.#state === "open") {
      this.#transport.write(controlFrame(Opcode.CLOSE, closePayload(code, "")), 0);
    }
    this.#enterClosed(code, reason);
    this.#end();
  }

  /** Fails the connection (RFC 6455 §7.1.7). The pipeline is told `reported`, by default what the client is told. */
  #fail(code: number, reason: string, reported = code): void {
    if (this.#state === "open") {
      this.#transport.write(controlFrame(Opcode.CLOSE, closePayload(code, reason)), 0);
    }
    this.#enterClosed(reported, reason);
    this.#end();
  }

  #end(): void {
    // The transport reads on until the client's FIN, so it must not stay paused.
    this.#read();
    this.#transport.end();
  }

  #lost(): void {
    this.#enterClosed(CloseCode.ABNORMAL, "connection lost");
    this.#end();
  }

  #enterClosed(code: number, reason: string): void {
    this.#enter("closed");
    this.#ticker.leave(this);
    this.#inbox.close();
    this.#deflater?.close();
    this.#pendingPong = null;
    this.#exchange.closed(code, reason);
  }

  #enter(next: State): void {
    const from = this.#state;
    const allowed = next === "closing" ? from === "open" : next === "closed" && from !== "closed";
    if (!allowed) throw new Error(`websocket session: no edge from ${from} to ${next}`);
    this.#state = next;
  }

  #writeFrame(first: number, payload: Uint8Array, counted: number): void {
    if (payload.length <= COPY_UP_TO) {
      this.#transport.write(frame(first, payload), counted);
    } else {
      this.#transport.write(frameHead(first, payload.length), 0);
      this.#transport.write(payload, counted);
    }
  }
}

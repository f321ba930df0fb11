/**
 * One client's HTTP/1.1 connection: requests one after the other, each an {@link Exchange} with the pipeline.
 *
 * ```
 *            first byte        head complete, with a body        body complete
 *  ┌─▶ IDLE ───────────▶ HEAD ───────────────────────────▶ BODY ────────────────▶ ANSWERING ──┐
 *  │                      │ └── head complete, no body ──────│───────────────────▶   │  │      │ response taken
 *  │                      │                    response taken│                   101 │  │      │
 *  │                      │                                  ▼                       ▼  │      │
 *  └──────────────────────│──── body complete ────────── DISCARDING              UPGRADED      │
 *  └──────────────────────│────────────────────────────────────────────────────────────────────┘
 *                         │ refused, timed out, told to close, shut down (from every state)
 *                         ▼
 *                      CLOSING ── socket closed (from every state) ──▶ CLOSED
 * ```
 *
 * The next request is looked at when the socket has taken the whole response before it; until then what the client sends
 * stays in {@link Input}, and above {@link UNREAD} bytes the socket is not read.
 */
import type { Fields, GoneReason } from "../client.ts";
import type { Ticked } from "../ticker.ts";
import type { Transport, TransportUser } from "../transport.ts";
import { type Handshake, negotiate, upgradeResponse } from "../websocket/handshake.ts";
import { WebSocketSession } from "../websocket/session.ts";
import { Read } from "./body.ts";
import { type HttpError, HttpErrors } from "./errors.ts";
import { Exchange, type ExchangeOwner } from "./exchange.ts";
import { errorResponse, refusalOf } from "./refusal.ts";
import { Parsed } from "./request-line.ts";
import { RequestReader } from "./request-reader.ts";
import type { ResponseWriter } from "./response.ts";
import type { Shared } from "./shared.ts";
import { assertEdge, Phase, State } from "./states.ts";
import { probe, TimeLimits } from "./time-limits.ts";

/** Bytes that may wait unread before the socket is paused. */
const UNREAD = 64 * 1024;

/** See the head of this file. */
export class Connection implements TransportUser, ExchangeOwner, Ticked {
  state: number = State.IDLE;
  readonly writer: ResponseWriter;
  exchange: Exchange | null = null;
  /** The client has sent FIN. */
  clientEnded = false;
  private readonly reader: RequestReader;
  private session: WebSocketSession | null = null;
  private handshake: Handshake | null = null;
  private first = true;
  private advancing = false;
  private paused = false;
  private draining = false;
  /** `100 Continue` is still to be sent before the body is asked for. */
  private continueDue = false;
  private closeAfterResponse = false;
  /** Bytes of a body that came after the response. */
  private discarded = 0;
  private readonly clocks: TimeLimits;

  constructor(
    private readonly shared: Shared,
    readonly transport: Transport,
  ) {
    this.writer = shared.writer;
    this.reader = new RequestReader(shared.parser, shared.limits);
    this.clocks = new TimeLimits(shared.limits, shared.ports.ticker);
    shared.ports.ticker.join(this);
  }

  private enter(state: number): void {
    assertEdge(this.state, state);
    this.state = state;
    this.clocks.restart();
  }

  // What the transport reports.

  data(chunk: Uint8Array): void {
    if (this.session !== null) {
      this.session.data(chunk);
      return;
    }
    if (this.state >= State.CLOSING) return;
    this.clocks.progress();
    this.reader.input.push(chunk);
    this.advance();
  }

  sent(counted: number): void {
    if (this.session !== null) this.session.sent(counted);
    else this.exchange?.side?.sent(counted);
  }

  drained(): void {
    if (this.session !== null) {
      this.session.drained();
      return;
    }
    const exchange = this.exchange;
    if (exchange === null) return;
    if (exchange.phase === Phase.ENDED) this.responseTaken(exchange);
    else exchange.drained();
  }

  ended(): void {
    this.clientEnded = true;
    this.clocks.clientEnded();
    if (this.session !== null) {
      this.session.ended();
      return;
    }
    this.advance();
  }

  closed(reset: boolean): void {
    if (this.state === State.CLOSED) return;
    this.enter(State.CLOSED);
    this.shared.ports.ticker.leave(this);
    this.reader.clear();
    this.session?.closed(reset);
    this.endExchange(reset ? "reset" : "closed");
    this.shared.ports.left(this);
  }

  /** The client is gone. A WebSocket tells the pipeline itself. */
  private endExchange(reason: GoneReason): void {
    if (this.session === null) this.exchange?.leave(reason);
    else this.exchange?.forget();
    this.exchange = null;
  }

  // What the exchange asks for.

  wantBody(exchange: Exchange): void {
    if (this.session !== null) {
      this.session.grant(exchange.granted);
      exchange.granted = 0;
      return;
    }
    if (this.state !== State.BODY) return;
    this.clocks.progress();
    // Whoever sends a body unasked need not be asked.
    if (this.reader.input.length > 0) this.continueDue = false;
    if (this.continueDue && exchange.answerable) {
      this.continueDue = false;
      exchange.write(CONTINUE, 0);
    }
    this.advance();
  }

  closesAfter(_exchange: Exchange): boolean {
    if (this.draining) return true;
    const { body } = this.reader;
    if (this.state !== State.BODY || body === null) return false;
    // Whether a client that was not told to continue will send its body is anybody's guess.
    return this.continueDue || body.left > this.shared.limits.discardBytes;
  }

  responded(_exchange: Exchange, close: boolean): void {
    this.closeAfterResponse = close;
  }

  broken(exchange: Exchange): void {
    this.shared.ports.badResponse(exchange);
    this.failWith(exchange, HttpErrors.response, "protocol-error");
  }

  aborted(_exchange: Exchange): void {
    this.exchange = null;
    this.cut();
  }

  upgrade(exchange: Exchange, subprotocol: string, fields: Fields): void {
    const { handshake } = this;
    if (handshake === null || !this.writer.interim(101, fields)) {
      this.broken(exchange);
      return;
    }
    exchange.enter(Phase.UPGRADED);
    exchange.write(upgradeResponse(handshake, subprotocol, fields), 0);
    this.enter(State.UPGRADED);
    const { settings, ports } = this.shared;
    this.session = new WebSocketSession({
      transport: this.transport,
      exchange: exchange.side!,
      settings: settings.websocket,
      deflate: handshake.deflate,
      ticker: ports.ticker,
    });
    this.handshake = null;
    this.wantBody(exchange);
    if (this.clientEnded) this.session.ended();
  }

  message(text: boolean, chunk: Uint8Array, more: boolean): void {
    this.session?.message(text, chunk, more);
  }

  closeWebSocket(code: number, reason: string): void {
    this.session?.close(code, reason);
  }

  // What the listener asks for.

  /** Closes when idle, else after the response that is under way. WebSockets are closed by the pipeline. */
  shutdown(): void {
    this.draining = true;
    if (this.state === State.IDLE || this.state === State.DISCARDING) this.close();
  }

  /** Closes at once, whatever is under way. */
  destroy(): void {
    if (this.state === State.CLOSED) return;
    this.endExchange("shutdown");
    this.transport.destroy(true);
  }

  tick(now: number): void {
    if (this.clocks.sendingStalled(this.transport, now)) {
      this.endExchange("slow-read");
      this.cut();
      return;
    }
    if (this.state === State.ANSWERING) {
      if (this.clientEnded && this.exchange !== null) this.lookForClient(this.exchange, now);
    } else if (this.clocks.over(this.state, this.exchange, now)) this.timedOut();
  }

  private lookForClient(exchange: Exchange, now: number): void {
    const verdict = probe(exchange, this.clocks, now);
    if (verdict === "ask") exchange.write(CONTINUE, 0);
    else if (verdict === "gone") {
      exchange.leave("closed");
      this.cut();
    }
  }

  private timedOut(): void {
    if (this.state === State.BODY) this.fail(HttpErrors.bodyTimeout, "slow-body");
    // An empty line that was left over is no request.
    else if (this.state === State.HEAD && this.reader.partialBytes > 2) {
      this.refuse(HttpErrors.headerTimeout, false);
    } else this.close();
  }

  // The input.

  /** Does what can be done with the input, then decides whether more of it is wanted. */
  private advance(): void {
    // Whoever is called on the way may call back here: the loop that is running sees what it changed.
    if (this.advancing) return;
    this.advancing = true;
    while (this.step()) {
      // Everything happens in the step.
    }
    this.advancing = false;
    if (this.clientEnded) this.inputEnded();
    const pause = this.state < State.UPGRADED && this.reader.input.length > UNREAD;
    if (pause !== this.paused) {
      this.paused = pause;
      if (pause) this.transport.pause();
      else this.transport.resume();
    }
  }

  /** One step; false when there is nothing to do before something else happens. */
  private step(): boolean {
    switch (this.state) {
      case State.IDLE:
      case State.HEAD:
        return this.reader.input.ready() && this.readHead();
      case State.BODY:
        return this.reader.input.ready() && this.readBody();
      case State.DISCARDING:
        return this.reader.input.ready() && this.discardBody();
      case State.ANSWERING:
        return this.checkEarly();
      default:
        this.reader.input.clear();
        return false;
    }
  }

  private readHead(): boolean {
    switch (this.reader.readHead()) {
      case Parsed.INCOMPLETE:
        if (this.state === State.IDLE) this.enter(State.HEAD);
        return true;
      case Parsed.REFUSED:
        this.refuse(this.shared.parser.error, true);
        return false;
      case Parsed.PREFACE:
        this.toHttp2();
        return false;
      default:
        this.first = false;
        this.begin();
        return true;
    }
  }

  /** The head is complete and valid: the pipeline gets it. */
  private begin(): void {
    const { parser, settings, ports } = this.shared;
    const head = parser.head!;
    if (head.websocket) {
      this.handshake = negotiate(head.fields, settings.websocket);
      if (this.handshake === null) {
        this.refuse(HttpErrors.websocketHandshake, true);
        return;
      }
    }
    const exchange = new Exchange(this, head, parser.keepAlive);
    this.exchange = exchange;
    this.reader.expect(head.bodyLength);
    this.continueDue = head.expectContinue;
    this.enter(head.bodyLength === 0 ? State.ANSWERING : State.BODY);
    exchange.bind(ports.accept(head, exchange));
  }

  private readBody(): boolean {
    const exchange = this.exchange!;
    const body = this.reader.body!;
    this.continueDue = false;
    if (exchange.granted === 0 || exchange.side === null) return false;
    const before = body.bytes;
    const read = this.reader.readBody(exchange.granted, this.takeBody);
    exchange.granted -= body.bytes - before;
    if (this.state !== State.BODY) return true;
    if (read === Read.REFUSED) {
      this.fail(body.error, body.error === HttpErrors.bodySize ? "too-large" : "protocol-error");
      return false;
    }
    if (read === Read.END) this.enter(State.ANSWERING);
    return true;
  }

  /** One function for all bodies of the connection. */
  private readonly takeBody = (chunk: Uint8Array, end: boolean): void => {
    const exchange = this.exchange;
    if (exchange !== null && exchange.phase !== Phase.OVER) exchange.side!.body(chunk, end);
  };

  private discardBody(): boolean {
    const body = this.reader.body!;
    const before = body.bytes;
    const read = this.reader.readBody(Number.MAX_SAFE_INTEGER, DROP);
    this.discarded += body.bytes - before;
    const tooMuch = this.discarded > this.shared.limits.discardBytes;
    if (read === Read.REFUSED || tooMuch) this.close();
    else if (read === Read.END) this.enter(State.IDLE);
    return true;
  }

  /** Between a WebSocket handshake and its answer the client has to wait (RFC 6455 §4.1). */
  private checkEarly(): boolean {
    if (this.handshake !== null && this.exchange?.phase === Phase.WAITING && this.reader.input.ready()) {
      this.fail(HttpErrors.websocketEarly, "protocol-error");
    }
    return false;
  }

  /** The client has sent FIN, and everything before it that can be used now has been. */
  private inputEnded(): void {
    if (this.state === State.HEAD) this.refuse(HttpErrors.truncated, false);
    else if (this.state === State.BODY && this.reader.input.length === 0)
      this.fail(HttpErrors.truncated, "closed");
    else if (this.state === State.IDLE || this.state === State.DISCARDING) this.close();
    else if (this.handshake !== null && this.exchange?.phase === Phase.WAITING) {
      // There is no WebSocket with half a connection.
      this.endExchange("closed");
      this.cut();
    }
  }

  private toHttp2(): void {
    if (!this.first) {
      this.refuse(HttpErrors.preface, true);
      return;
    }
    const { chunk, at } = this.reader.input;
    this.enter(State.CLOSED);
    this.shared.ports.ticker.leave(this);
    this.shared.ports.left(this);
    this.shared.ports.preface(this.transport, chunk.subarray(at));
    this.reader.clear();
  }

  // Ends.

  private responseTaken(exchange: Exchange): void {
    this.exchange = null;
    this.handshake = null;
    exchange.finish();
    if (this.closeAfterResponse || this.draining) this.close();
    else if (this.state === State.BODY) {
      this.discarded = 0;
      this.enter(State.DISCARDING);
    } else if (this.state === State.ANSWERING) this.enter(State.IDLE);
    this.advance();
  }

  /** Refuses what is not a request yet. `parsed`: the parser has just said what it is. */
  private refuse(error: HttpError, parsed: boolean): void {
    const line = parsed ? this.shared.parser.line : null;
    const refusal = refusalOf(error, this.transport.peers, line, this.reader.input.chunk);
    this.shared.ports.refused(refusal);
    this.answerError(error, refusal.method);
  }

  /** Ends a request that has become impossible: with an error while nothing has been answered, else by cutting it off. */
  private fail(error: HttpError, reason: GoneReason): void {
    const exchange = this.exchange;
    if (exchange === null) {
      this.close();
      return;
    }
    if (exchange.phase === Phase.ENDED) {
      // Its answer is complete and on its way; only the rest of the request is lost.
      this.closeAfterResponse = true;
      return;
    }
    this.failWith(exchange, error, reason);
  }

  private failWith(exchange: Exchange, error: HttpError, reason: GoneReason): void {
    const { answerable } = exchange;
    exchange.leave(reason);
    if (answerable) this.answerError(error, exchange.head.method);
    else this.cut();
  }

  private answerError(error: HttpError, method: string): void {
    this.transport.write(errorResponse(error, method === "HEAD"), 0);
    this.close();
  }

  /** Sends what is queued, then closes. */
  private close(): void {
    if (this.state >= State.CLOSING) return;
    this.exchange = null;
    this.reader.clear();
    this.enter(State.CLOSING);
    this.transport.end();
  }

  private cut(): void {
    this.exchange = null;
    this.transport.destroy(true);
  }
}

const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n", "latin1");
const DROP = (): void => undefined;

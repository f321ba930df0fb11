/**
 * One request from its head to its record: the state machine between a client ({@link ClientSide}) and a stream of an instance.
 *
 * ```
 *            admit            place              RESPONSE               response ended          DONE
 *   arrived ──────▶ waiting ────────▶ placed ───────────────▶ responding ─────────────▶ answered ────▶ closed
 *      │               │  ▲             │ │                        │                       ▲
 *      │               │  └─ not begun ─┘ └──── deadline: 504 ─────┼───────────────────────┤
 *      └── refused ────┴── refused, or the client left ────────────┴── client left, cut ───┘
 * ```
 * `answered` says that the client has all it will get; the slot is held until the app has returned (`closed`). Client and slot end
 * independently: `#settle` records the request when the client is through, `#release` gives the slot back.
 */

import { DeadlineList, type DeadlineNode } from "../base/deadline-list.ts";
import { latin1 } from "../protocol/fields.ts";
import { Flag, ProtocolError, Reset, Type } from "../protocol/frame.ts";
import { acceptance, creditAmount, leadingNumber, pairsFrom, payloadFrom } from "../protocol/payload.ts";
import type { FrameReader } from "../protocol/reader.ts";
import type { Limited } from "./admission/bulkheads.ts";
import type { Dismissal, Place } from "./admission/line.ts";
import type { ClientSide, ExchangeSide, GoneReason, Peers, RequestHead } from "./client.ts";
import type { Core } from "./core.ts";
import type { GatewayErrorCode } from "./errors.ts";
import { DISMISSED, DISMISSED_AT_LIMIT, GATEWAY_ERRORS } from "./errors.ts";
import { problem } from "./problem.ts";
import { peersText, requestFlags } from "./request-frame.ts";
import { responseFields, withAffinity } from "./response-fields.ts";
import { BODY_END, BODY_MORE, type InstanceStart, type Stream, type Upstream } from "./upstream.ts";

export type ExchangeState = "arrived" | "waiting" | "placed" | "responding" | "answered" | "closed";

const EMPTY = new Uint8Array(0);

/** WebSocket close code (IANA registry). */
const SERVICE_RESTART = 1012;

/** Status recorded for a client that was sent away by its front before a response began. */
const GONE_STATUS: Readonly<Partial<Record<GoneReason, number>>> = { "slow-body": 408, "too-large": 413 };

export class Exchange implements ExchangeSide, Stream, Limited, DeadlineNode {
  readonly head: RequestHead;
  readonly client: ClientSide;
  /** Header pairs for the app, after the pipeline's additions. */
  fields: Uint8Array;
  /** The target as the app sees it: the client's, or what its route made of it. */
  target: Uint8Array;
  /** The client as the app sees it: the socket's peer, or what a trusted proxy said. */
  peers: Peers;
  requestId = "";
  traceparent = "";
  /** How long the client will wait; 0: it did not say. */
  timeoutMs = 0;
  /** Its class: 0 critical, 1 default, 2 bulk. */
  rank = 1;
  /** The class of the request that its caller works for; -1: it carries none over. */
  carried = -1;
  /** It passes by the line and takes no slot. */
  exempt = false;
  state: ExchangeState = "arrived";
  limit = -1;
  permit = false;
  /** By which it belongs to an instance; empty: it does not. */
  key = "";

  place: Place | null = null;
  dueAt = 0;
  duePrev: DeadlineNode | null = null;
  dueNext: DeadlineNode | null = null;
  dueIn: DeadlineList | null = null;

  // performance.now() of the rungs; 0: not reached.
  readonly arrivedAt: number;
  placedAt = 0;
  respondedAt = 0;
  /** Sent to the client; 0: nothing yet. */
  status = 0;
  /** Code of a refusal or failure. */
  reason: GatewayErrorCode | "" = "";
  responseBytes = 0;
  /** The instance it was placed on last. */
  instance = "";
  /** The start of its instance, when it waited for that. */
  instanceStart: InstanceStart | null = null;

  readonly #core: Core;
  #upstream: Upstream | null = null;
  #stream = 0;
  #retries = 0;
  /** The client is through: answered completely, or gone. */
  #clientDone = false;
  #webSocket = false;
  /** The app's response is complete, and so is its side of a WebSocket. */
  #responseEnded = false;
  /** Response bytes that the instance may still send. */
  #peerCredit = 0;
  /** Bytes the client has taken and the instance has not been granted anew. */
  #ungranted = 0;
  /** Request body sent while the app may not have begun, for another instance; null once it has begun or is over. */
  #replay: Uint8Array[] | null = null;
  #bodyEnded: boolean;

  constructor(core: Core, head: RequestHead, client: ClientSide) {
    this.#core = core;
    this.head = head;
    this.client = client;
    this.fields = head.fields;
    this.target = head.target;
    this.peers = client.peers;
    this.arrivedAt = performance.now();
    this.#bodyEnded = head.bodyLength === 0;
  }

  // From admission.

  /** Hands the request over to an instance on which a slot has been taken (unless it is exempt). */
  start(upstream: Upstream): void {
    const { head } = this;
    const now = performance.now();
    this.state = "placed";
    this.placedAt = now;
    this.#upstream = upstream;
    this.instance = upstream.address.id;
    const { start } = upstream.address;
    const waited = start !== undefined && start.readyAt > performance.timeOrigin + this.arrivedAt;
    this.instanceStart = waited ? start : null;
    this.#peerCredit = this.#core.settings.window;
    this.#stream = upstream.open(this, {
      flags: requestFlags(head, this.peers.secure),
      method: head.method,
      target: this.target,
      peers: peersText(this.peers),
      requestId: this.requestId,
      timeout: this.dueIn === null ? "" : String(Math.max(1, Math.round(this.dueAt - now))),
      tls: this.peers.tls,
      fields: this.fields,
    });
    this.#sendBody(upstream);
  }

  #sendBody(upstream: Upstream): void {
    if (this.#replay !== null) {
      const chunks = this.#replay;
      for (let i = 0; i < chunks.length; i++) {
        const last = this.#bodyEnded && i === chunks.length - 1;
        upstream.data(this.#stream, Type.DATA, last ? BODY_END : BODY_MORE, chunks[i]!);
      }
      return;
    }
    if (this.head.websocket) {
      this.#replay = [];
      this.client.takeBody(upstream.peerWindow);
    } else if (this.head.bodyLength !== 0) {
      this.#replay = [];
      if (!this.head.expectContinue) this.client.takeBody(upstream.peerWindow);
    }
  }

  /** Answers without an instance. */
  refuse(code: GatewayErrorCode, retryAfterS = 0): void {
    this.state = "answered";
    DeadlineList.leave(this);
    this.reason = code;
    this.status = GATEWAY_ERRORS[code].status;
    const { fields, body } = problem(code, this.requestId, retryAfterS);
    this.client.respond(this.status, fields, false, false);
    this.client.body(body, true);
  }

  remaining(now: number): number {
    return this.dueIn === null ? Number.POSITIVE_INFINITY : this.dueAt - now;
  }

  dismissed(why: Dismissal): void {
    const atLimit = this.limit !== -1 && !this.permit;
    this.refuse((atLimit ? DISMISSED_AT_LIMIT : DISMISSED)[why], this.#core.retryAfter());
    this.#core.leaveLine(this);
  }

  /** Its time is over. */
  deadline(): void {
    if (this.state === "waiting") {
      this.#core.leaveLine(this);
      this.refuse("HR_DEADLINE");
      return;
    }
    if (this.state !== "placed") return;
    this.#core.meter.add("headrace_deadlines_missed_total", 1);
    this.refuse("HR_DEADLINE");
    this.#upstream?.code(this.#stream, Type.RESET, Reset.DEADLINE, "deadline");
    this.#core.overdue.enter(this, performance.now());
  }

  /** Over its time, and the app still has not returned. */
  stuck(): void {
    if (this.#upstream !== null) this.#core.ports.stuck(this.instance, this.requestId);
  }

  /** The gateway stops: an open WebSocket is told so on both sides (1012, service restart). */
  goAway(): void {
    if (!this.#webSocket || this.#responseEnded) return;
    this.#responseEnded = true;
    this.#upstream?.code(this.#stream, Type.WS_CLOSE, SERVICE_RESTART, "");
    this.client.closeWebSocket(SERVICE_RESTART, "");
  }

  // From the client.

  body(chunk: Uint8Array, end: boolean): void {
    this.#bodyEnded = end;
    if (this.state === "answered" || this.state === "closed") return;
    if (this.#replay !== null) this.#replay.push(chunk);
    if (this.#upstream !== null && this.state !== "waiting") {
      this.#upstream.data(this.#stream, Type.DATA, end ? BODY_END : BODY_MORE, chunk);
    }
  }

  sent(bytes: number): void {
    if (this.#responseEnded || this.#upstream === null) return;
    this.#ungranted += bytes;
    if (this.#ungranted * 2 < this.#core.settings.window) return;
    this.#peerCredit += this.#ungranted;
    this.#upstream.credit(this.#stream, this.#ungranted);
    this.#ungranted = 0;
  }

  message(text: boolean, chunk: Uint8Array, more: boolean): void {
    if (this.#upstream === null || this.#responseEnded) return;
    const kind = text ? Flag.TEXT : 0;
    const flags = { each: kind | Flag.MORE, last: more ? kind | Flag.MORE : kind };
    this.#upstream.data(this.#stream, Type.WS_MESSAGE, flags, chunk);
  }

  closed(code: number, reason: string): void {
    if (this.#clientDone) return;
    if (!this.#responseEnded) this.#upstream?.code(this.#stream, Type.WS_CLOSE, code, reason);
    this.#settle();
  }

  gone(reason: GoneReason): void {
    if (this.#clientDone) return;
    if (this.state === "waiting") this.#core.leaveLine(this);
    if (this.status === 0) this.status = GONE_STATUS[reason] ?? 0;
    if (this.reason === "") this.reason = "HR_CLIENT_GONE";
    if ((this.state === "placed" || this.state === "responding") && !this.#responseEnded) {
      const code = reason === "shutdown" ? Reset.SHUTDOWN : Reset.CLIENT_GONE;
      this.#upstream?.code(this.#stream, Type.RESET, code, reason);
    }
    this.#settle();
  }

  finished(bytes: number): void {
    if (this.#clientDone) return;
    this.responseBytes = bytes;
    this.#settle();
  }

  // From the instance.

  frame(reader: FrameReader): void {
    const { flags } = reader;
    switch (reader.type) {
      case Type.RESPONSE:
        this.#onResponse(reader);
        break;
      case Type.DATA:
        this.#onData(reader);
        break;
      case Type.DONE:
        this.#onDone();
        return;
      case Type.CREDIT:
        this.#onCredit(reader);
        return;
      case Type.TRAILERS:
        this.#expect(this.state === "responding" && !this.#webSocket, "TRAILERS");
        this.#endResponse();
        if (!this.#clientDone) this.client.trailers(pairsFrom(reader, 0));
        break;
      case Type.FILE:
        this.#expect(this.state === "responding" && !this.#webSocket, "FILE");
        this.#endResponse();
        if (!this.#clientDone) this.client.file(Buffer.from(payloadFrom(reader, 0)).toString());
        break;
      case Type.INFORM:
        if (this.state === "placed") this.client.inform(leadingNumber(reader), pairsFrom(reader, 2));
        return;
      case Type.RESET:
        // Refused, it may be with another instance by now: the flags are about the one that is left.
        if (this.#onRefused(reader)) return;
        this.#onReset();
        break;
      default:
        this.#webSocketFrame(reader);
    }
    if ((flags & Flag.DONE) !== 0) this.#onDone();
  }

  #onResponse(reader: FrameReader): void {
    // The client has its 504, or is gone: what the app says now goes nowhere.
    if (this.state === "answered" || this.#clientDone) return;
    this.#expect(this.state === "placed", "RESPONSE");
    this.#replay = null;
    this.#begins();
    this.state = "responding";
    DeadlineList.leave(this);
    const { flags } = reader;
    const end = (flags & Flag.END) !== 0;
    this.status = leadingNumber(reader);
    if (end) this.#endResponse();
    if (this.instanceStart !== null) this.#core.coldStart(this);
    const fields = responseFields(this, pairsFrom(reader, 2), this.#core);
    this.client.respond(this.status, fields, end, (flags & Flag.TRAILERS) !== 0);
  }

  /** The response does. */
  #begins(): void {
    this.respondedAt = performance.now();
    this.#core.meter.move("headrace_requests_unanswered", -1);
  }

  #onData(reader: FrameReader): void {
    if (this.state === "answered" || this.#clientDone) return;
    this.#expect(this.state === "responding" && !this.#webSocket, "DATA");
    const end = (reader.flags & Flag.END) !== 0;
    this.#spend(reader.end - reader.start);
    if (end) this.#endResponse();
    this.client.body(reader.chunk.subarray(reader.start, reader.end), end);
  }

  #onCredit(reader: FrameReader): void {
    this.#replay = null;
    if (this.#clientDone || this.#responseEnded) return;
    this.client.takeBody(creditAmount(reader));
  }

  /** Not begun: the instance drains. */
  #onRefused(reader: FrameReader): boolean {
    if (leadingNumber(reader) !== Reset.REFUSED || this.state !== "placed") return false;
    // It goes on with its permit to another instance.
    const { permit } = this;
    this.permit = false;
    this.#release();
    this.permit = permit;
    this.#again();
    return true;
  }

  #onReset(): void {
    if (this.#clientDone || this.state === "answered") return;
    this.#endResponse();
    this.#cut("HR_APP_INCOMPLETE", 1011);
  }

  #webSocketFrame(reader: FrameReader): void {
    if (this.#clientDone || this.state === "answered") return;
    if (reader.type === Type.WS_ACCEPT) {
      this.#expect(this.head.websocket && this.state === "placed", "WS_ACCEPT");
      this.#replay = null;
      this.#webSocket = true;
      this.state = "responding";
      this.status = 101;
      this.#begins();
      DeadlineList.leave(this);
      const { subprotocol, pairs } = acceptance(reader);
      this.#core.webSockets.add(this);
      this.#core.meter.move("headrace_websockets", 1);
      this.client.acceptWebSocket(latin1(subprotocol), withAffinity(this, pairs, this.#core));
    } else if (reader.type === Type.WS_MESSAGE) {
      this.#expect(this.#webSocket && !this.#responseEnded, "WS_MESSAGE");
      this.#spend(reader.end - reader.start);
      const { flags } = reader;
      this.client.message((flags & Flag.TEXT) !== 0, payloadFrom(reader, 0), (flags & Flag.MORE) !== 0);
    } else if (reader.type === Type.WS_CLOSE) {
      this.#expect(this.head.websocket, "WS_CLOSE");
      this.#responseEnded = true;
      if (this.#webSocket)
        this.client.closeWebSocket(
          leadingNumber(reader),
          Buffer.from(payloadFrom(reader, 2)).toString("utf8"),
        );
      else this.#deny();
    }
  }

  /** Closed before it was accepted: the handshake is answered with 403 (ASGI, Close). */
  #deny(): void {
    this.state = "answered";
    DeadlineList.leave(this);
    this.status = 403;
    this.client.respond(403, EMPTY, true, false);
  }

  lost(begun: boolean): void {
    if (this.state === "closed") return;
    const wasPlaced = this.state === "placed";
    // The instance's slots are given back all together, once it is certain that nothing of ours runs there.
    this.#core.orphan(this.#upstream!, this);
    this.#upstream = null;
    if (this.#clientDone || this.state === "answered") {
      this.#close();
      return;
    }
    if (wasPlaced && !begun && (this.#replay !== null || this.#bodyless) && this.#core.mayRetry()) {
      this.#again();
      return;
    }
    if (wasPlaced) this.refuse("HR_INSTANCE_LOST");
    else this.#cut("HR_INSTANCE_LOST", 1011);
  }

  get #bodyless(): boolean {
    return this.head.bodyLength === 0 || this.head.websocket;
  }

  /** Not begun: it goes to the head of the line, for another instance. */
  #again(): void {
    this.#retries++;
    this.#core.meter.add("headrace_retries_total", 1);
    if (this.#retries > this.#core.maxRetries) {
      this.refuse("HR_INSTANCE_LOST");
      this.#core.leaveLine(this);
      return;
    }
    this.state = "waiting";
    this.#core.readmit(this);
  }

  /** Ends a response that has begun so that the client can tell that it is not whole. */
  #cut(code: GatewayErrorCode, closeCode: number): void {
    this.reason = code;
    if (this.#webSocket) {
      this.#responseEnded = true;
      this.client.closeWebSocket(closeCode, "");
      return;
    }
    if (this.state === "placed") {
      this.refuse(code);
      return;
    }
    this.state = "answered";
    this.client.abort();
    this.#settle();
  }

  #endResponse(): void {
    this.#responseEnded = true;
    DeadlineList.leave(this);
  }

  #onDone(): void {
    if (this.state === "closed") return;
    const orderly = this.#responseEnded || this.#clientDone || this.state === "answered";
    this.#release();
    if (!orderly && this.state !== "waiting") this.#cut("HR_APP_INCOMPLETE", 1011);
    if (this.#clientDone) this.#close();
  }

  /** Gives the slot back; the stream is over. */
  #release(): void {
    const upstream = this.#upstream;
    if (upstream === null) return;
    this.#upstream = null;
    DeadlineList.leave(this);
    upstream.drop(this.#stream);
    this.#core.release(upstream, this);
  }

  /** The client is through. */
  #settle(): void {
    this.#clientDone = true;
    this.#replay = null;
    if (this.#webSocket) {
      this.#core.webSockets.delete(this);
      this.#core.meter.move("headrace_websockets", -1);
    }
    if (this.dueIn !== this.#core.overdue) DeadlineList.leave(this);
    this.#core.record(this);
    if (this.#upstream === null) this.#close();
    else this.state = "answered";
  }

  #close(): void {
    this.state = "closed";
  }

  #spend(bytes: number): void {
    this.#peerCredit -= bytes;
    if (this.#peerCredit < 0) throw new ProtocolError(`stream ${this.#stream}: more bytes than were granted`);
  }

  #expect(allowed: boolean, what: string): void {
    if (!allowed) throw new ProtocolError(`stream ${this.#stream}: ${what} while ${this.state}`);
  }
}

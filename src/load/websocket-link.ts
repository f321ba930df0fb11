/**
 * A WebSocket connection: a request is a message sent, its answer is the next message that comes. The protocol itself is the
 * runtime's client.
 */

import { systemCode } from "../base/errors.ts";
import { type ConnectionShared, connectFailure, tlsOptions, type Way } from "./connection.ts";
import { failureOfAnswer } from "./expect.ts";
import type { Exchange, Link, LinkOwner, LinkState } from "./link.ts";
import type { Failure } from "./messages.ts";

/** A good answer has this status in the figures: 101, what the handshake was answered with. */
const SWITCHED = 101;
/** Code of a close in peace. */
const NORMAL = 1000;

/** What a WebSocket is opened with. */
export interface Opening {
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
}

export class WebSocketLink implements Link {
  state: LinkState = "connecting";
  connected = false;
  served = 0;
  readonly origin: number;
  readonly #shared: ConnectionShared;
  readonly #owner: LinkOwner;
  readonly #socket: WebSocket;
  readonly #startedAt = performance.now();
  #exchange: Exchange | null = null;

  constructor(
    way: Way,
    with_: { readonly shared: ConnectionShared; readonly opening: Opening },
    owner: LinkOwner,
  ) {
    this.origin = way.origin;
    this.#shared = with_.shared;
    this.#owner = owner;
    const { tls } = way.plan;
    const { host, port } = way.to;
    const address = host.includes(":") ? `[${host}]` : host;
    const url = `${tls === null ? "ws" : "wss"}://${address}:${port}${with_.opening.path}`;
    const options = {
      headers: Object.fromEntries(with_.opening.headers),
      ...(tls === null ? {} : { tls: tlsOptions(tls, this.#shared.ca) }),
    };
    // The runtime takes options where the standard has protocols.
    this.#socket = new WebSocket(url, options as unknown as string[]);
    this.#socket.binaryType = "nodebuffer";
    this.#socket.onopen = () => this.#opened();
    this.#socket.onmessage = (event) => this.#received(event.data as string | Buffer);
    this.#socket.onclose = () => this.#end("closed");
    this.#socket.onerror = (event) =>
      this.#end(this.state === "connecting" ? openingFailure(event as ErrorEvent) : "reset");
  }

  send(exchange: Exchange): void {
    exchange.link = this;
    this.#exchange = exchange;
    this.state = "busy";
    exchange.sentAt = performance.now();
    const message = exchange.request.message({ seq: exchange.seq, random: this.#shared.random });
    this.#shared.recorder.bytesOut += Buffer.byteLength(message);
    this.#socket.send(message);
  }

  abort(failure: Failure): void {
    this.#end(failure);
  }

  close(): void {
    if (this.state === "gone") return;
    this.state = "gone";
    this.#socket.close(NORMAL);
    this.#owner.gone(this, null);
  }

  #opened(): void {
    if (this.state !== "connecting") return;
    this.connected = true;
    this.state = "idle";
    this.#owner.ready(this, performance.now() - this.#startedAt);
  }

  #received(data: string | Buffer): void {
    const body = typeof data === "string" ? Buffer.from(data) : data;
    this.#shared.recorder.bytesIn += body.length;
    const exchange = this.#exchange;
    // A service may send unasked; only what comes after a message is its answer.
    if (exchange === null) return;
    exchange.firstByteAt = performance.now();
    exchange.status = SWITCHED;
    const { matcher, keepAlive } = this.#shared;
    const failure = failureOfAnswer(
      { status: SWITCHED, bodyBytes: body.length, body: [body], coding: "" },
      matcher,
    );
    this.#exchange = null;
    exchange.link = null;
    this.served++;
    this.state = keepAlive ? "idle" : "gone";
    if (!keepAlive) this.#socket.close(NORMAL);
    this.#owner.ended(this, exchange, failure);
    if (!keepAlive) this.#owner.gone(this, null);
  }

  #end(failure: Failure): void {
    if (this.state === "gone") return;
    const connecting = this.state === "connecting";
    const exchange = this.#exchange;
    this.#exchange = null;
    this.state = "gone";
    this.#socket.terminate();
    if (exchange !== null) {
      exchange.link = null;
      this.#owner.ended(this, exchange, failure);
    }
    this.#owner.gone(this, connecting ? (failure === "closed" ? "connect" : failure) : null);
  }
}

/** Why there is no WebSocket. What the runtime knows of an answer that is none stands in its message only. */
function openingFailure({ error, message }: ErrorEvent): Failure {
  if (message.includes("TLS handshake failed")) return "tls";
  if (message.includes("Expected 101 status code")) return "status";
  if (systemCode(error).startsWith("HPE_")) return "malformed";
  return connectFailure(error);
}

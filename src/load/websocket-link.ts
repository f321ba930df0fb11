/**
 * A WebSocket connection: a request is a message sent, its answer is the next message that comes. The protocol itself is the
 * runtime's client.
 */

import type { ConnectionShared, Way } from "./connection.ts";
import { failureOfAnswer } from "./expect.ts";
import type { Exchange, Link, LinkOwner, LinkState } from "./link.ts";
import type { Failure } from "./messages.ts";
import type { RequestPlan } from "./request.ts";

/** A good answer has this status in the figures: 101, what the handshake was answered with. */
const SWITCHED = 101;

export class WebSocketLink implements Link {
  state: LinkState = "connecting";
  connected = false;
  served = 0;
  readonly origin: number;
  readonly #shared: ConnectionShared;
  readonly #owner: LinkOwner;
  readonly #socket: WebSocket;
  readonly #startedAt = performance.now();
  readonly #message: Buffer;
  #exchange: Exchange | null = null;

  constructor(
    way: Way,
    with_: { readonly shared: ConnectionShared; readonly opening: RequestPlan },
    owner: LinkOwner,
  ) {
    this.origin = way.origin;
    this.#shared = with_.shared;
    this.#owner = owner;
    this.#message = Buffer.from(with_.opening.body ?? "", "base64");
    const { tls, port } = way.plan;
    const address = way.address.includes(":") ? `[${way.address}]` : way.address;
    const url = `${tls === null ? "ws" : "wss"}://${address}:${port}${with_.opening.path}`;
    const options = {
      headers: Object.fromEntries(with_.opening.headers),
      ...(tls === null
        ? {}
        : {
            tls: {
              serverName: tls.serverName,
              rejectUnauthorized: !tls.insecure,
              ca: this.#shared.ca ?? undefined,
            },
          }),
    };
    // The runtime takes options where the standard has protocols.
    this.#socket = new WebSocket(url, options as unknown as string[]);
    this.#socket.binaryType = "nodebuffer";
    this.#socket.onopen = () => this.#opened();
    this.#socket.onmessage = (event) => this.#received(event.data as string | Buffer);
    this.#socket.onclose = () => this.#end("closed");
    this.#socket.onerror = () => this.#end(this.#exchange === null ? "connect" : "reset");
  }

  send(exchange: Exchange): void {
    exchange.link = this;
    this.#exchange = exchange;
    this.state = "busy";
    exchange.sentAt = performance.now();
    this.#shared.recorder.bytesOut += this.#message.length;
    this.#socket.send(this.#message.length === 0 ? "ping" : this.#message);
  }

  abort(failure: Failure): void {
    this.#end(failure);
  }

  close(): void {
    if (this.state === "gone") return;
    this.state = "gone";
    this.#socket.close(1000);
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
    const { matcher } = this.#shared;
    const failure = failureOfAnswer({ status: SWITCHED, bodyBytes: body.length, body: [body] }, matcher);
    this.#exchange = null;
    exchange.link = null;
    this.served++;
    this.state = "idle";
    this.#owner.ended(this, exchange, failure);
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

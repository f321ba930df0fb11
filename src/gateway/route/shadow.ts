/**
 * The shadow of a service: a share of its requests is also sent to a revision whose answers nobody gets, and the two answers are
 * compared, status and body. The request itself goes its way as ever: it waits for nothing here, and what becomes of the mirrored one
 * is no matter to it.
 *
 * Only requests that are safe by their method (RFC 9110 §9.2.1) and have no body are mirrored: the app works twice for them.
 */

import { systemClock } from "../../base/clock.ts";
import { joinPairs } from "../../protocol/fields.ts";
import type { ClientSide, ExchangeSide, Fields, GoneReason, Peers, RequestHead } from "../client.ts";
import type { Core } from "../core.ts";
import { Exchange } from "../exchange.ts";
import type { Counter } from "../signals.ts";

const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);
/** Of a body, so much is compared; of the shadow's, no more is read. */
const COMPARED_BYTES = 1 << 20;
/** Mirrored requests that are under way in one gateway. */
const MOST_UNDER_WAY = 64;
/** Once the request has its answer, the shadow may take so long for its own. */
const GRACE_MS = 30_000;
/** Tells the app of the shadow that nobody waits for the answer. */
const MARK = joinPairs([["headrace-shadow", "1"]]);

/** Told of answers that are not alike: one sentence. */
export type Differs = (text: string, revision: string) => void;

type Result = "same" | "status" | "body" | "failed";

const COUNTED: Readonly<Record<Result, Counter>> = {
  same: "headrace_shadow_same_total",
  status: "headrace_shadow_status_differences_total",
  body: "headrace_shadow_body_differences_total",
  failed: "headrace_shadow_failures_total",
};

/** The shadow of one service in one gateway process. */
export class Shadow {
  readonly core: Core;
  readonly #percent: number;
  readonly #differs: Differs;
  #sum = 0;
  #underWay = 0;

  /** @param percent whole, of the requests that may be mirrored */
  constructor(core: Core, percent: number, differs: Differs) {
    this.core = core;
    this.#percent = percent;
    this.#differs = differs;
  }

  /** Whether this request is mirrored. */
  takes(head: RequestHead): boolean {
    if (!SAFE.has(head.method) || head.bodyLength !== 0 || head.websocket) return false;
    this.#sum += this.#percent;
    if (this.#sum < 100) return false;
    this.#sum -= 100;
    if (this.#underWay < MOST_UNDER_WAY) return true;
    this.core.meter.add("headrace_shadow_skipped_total", 1);
    return false;
  }

  /** Begins to watch a request that it {@link takes}. */
  mirror(client: ClientSide): Mirror {
    this.#underWay++;
    return new Mirror(this.core, client, (result, text) => {
      this.#underWay--;
      if (result === null) return;
      this.core.meter.add(COUNTED[result], 1);
      if (result !== "same") this.#differs(text, this.core.settings.revision);
    });
  }
}

/** An answer, as far as it is compared. */
class Seen {
  status = 0;
  #hash: Bun.CryptoHasher | null = new Bun.CryptoHasher("sha1");
  #left = COMPARED_BYTES;
  #digest = "";

  /** False once there is enough of it. */
  add(chunk: Uint8Array): boolean {
    if (this.#left > 0) this.#hash?.update(chunk.subarray(0, this.#left));
    this.#left -= chunk.length;
    return this.#left > 0;
  }

  get digest(): string {
    if (this.#hash !== null) {
      this.#digest = this.#hash.digest("hex");
      this.#hash = null;
    }
    return this.#digest;
  }
}

/**
 * One request and its shadow.
 *
 * ```
 *  both under way ──one has its answer──▶ one under way ──the other, too──▶ compared
 *        └── the client left, or the shadow's time is over ──────────────▶ given up
 * ```
 */
export class Mirror {
  readonly #core: Core;
  readonly #client: ClientSide;
  readonly #done: (result: Result | null, text: string) => void;
  readonly #own = new Seen();
  readonly #other = new Seen();
  #shadow: Exchange | null = null;
  #ownEnded = false;
  #otherEnded = false;
  #over = false;
  #cancelGrace = () => {};
  #what = "";

  constructor(core: Core, client: ClientSide, done: (result: Result | null, text: string) => void) {
    this.#core = core;
    this.#client = client;
    this.#done = done;
  }

  /** The client of the request itself: passes all on, and sees it. */
  client(): ClientSide {
    return new WatchedClient(this.#client, this.#own, () => this.#end("own"));
  }

  /** Sends the mirrored request. The other one has been identified. */
  send(original: Exchange): void {
    const { head } = original;
    const path = Buffer.from(original.target.buffer, original.target.byteOffset, original.target.length);
    this.#what = `${head.method} ${path.toString("latin1")}`;
    const client = new ShadowClient(original.peers, this.#other, (failed) => {
      if (failed) this.#finish("failed");
      else this.#end("other");
    });
    const shadow = new Exchange(this.#core, head, client);
    client.exchange = shadow;
    this.#shadow = shadow;
    shadow.target = original.target;
    shadow.fields = marked(original.fields);
    shadow.requestId = original.requestId;
    shadow.traceparent = original.traceparent;
    shadow.timeoutMs = original.timeoutMs;
    this.#core.admit(shadow);
  }

  /** What the front reports to: passes all on, and sees when the client leaves. */
  side(exchange: ExchangeSide): ExchangeSide {
    return {
      body: (chunk, end) => exchange.body(chunk, end),
      sent: (bytes) => exchange.sent(bytes),
      message: (text, chunk, more) => exchange.message(text, chunk, more),
      closed: (code, reason) => exchange.closed(code, reason),
      gone: (reason) => {
        exchange.gone(reason);
        this.#finish(null);
      },
      finished: (bytes) => {
        exchange.finished(bytes);
        if (!this.#ownEnded) this.#finish(null);
      },
    };
  }

  #end(which: "own" | "other"): void {
    if (which === "own") this.#ownEnded = true;
    else this.#otherEnded = true;
    if (this.#ownEnded && this.#otherEnded) this.#compare();
    else if (this.#ownEnded) this.#cancelGrace = systemClock.after(GRACE_MS, () => this.#finish("failed"));
  }

  #compare(): void {
    const [own, other] = [this.#own, this.#other];
    if (this.#shadow !== null && this.#shadow.reason !== "") this.#finish("failed");
    else if (own.status !== other.status) this.#finish("status");
    else this.#finish(own.digest === other.digest ? "same" : "body");
  }

  #finish(result: Result | null): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelGrace();
    if (!this.#otherEnded) this.#shadow?.gone("closed");
    this.#done(result, this.#text(result));
  }

  #text(result: Result | null): string {
    const { status } = this.#own;
    switch (result) {
      case "status":
        return `${this.#what} was answered with ${status}, by the shadow with ${this.#other.status}`;
      case "body":
        return `${this.#what} was answered with ${status}, by the shadow as well, with another body`;
      case "failed":
        return `${this.#what} was not answered by the shadow's app (${this.#shadow?.reason || "too late"})`;
      default:
        return "";
    }
  }
}

function marked(fields: Uint8Array): Uint8Array {
  if (fields.length === 0) return MARK;
  return Buffer.concat([fields, Buffer.from([0]), MARK]);
}

/** A client that is watched. */
class WatchedClient implements ClientSide {
  readonly #client: ClientSide;
  readonly #seen: Seen;
  readonly #ended: () => void;

  constructor(client: ClientSide, seen: Seen, ended: () => void) {
    this.#client = client;
    this.#seen = seen;
    this.#ended = ended;
  }

  get peers(): Peers {
    return this.#client.peers;
  }

  takeBody(bytes: number): void {
    this.#client.takeBody(bytes);
  }

  inform(status: number, fields: Fields): void {
    this.#client.inform(status, fields);
  }

  respond(status: number, fields: Fields, end: boolean, trailers: boolean): void {
    this.#seen.status = status;
    if (end) this.#ended();
    this.#client.respond(status, fields, end, trailers);
  }

  body(chunk: Uint8Array, end: boolean): void {
    // Before it is handed on: from then on it is another's.
    this.#seen.add(chunk);
    if (end) this.#ended();
    this.#client.body(chunk, end);
  }

  trailers(fields: Fields): void {
    this.#ended();
    this.#client.trailers(fields);
  }

  file(path: string): void {
    this.#seen.add(Buffer.from(path));
    this.#ended();
    this.#client.file(path);
  }

  abort(): void {
    this.#client.abort();
  }

  acceptWebSocket(subprotocol: string, fields: Fields): void {
    this.#client.acceptWebSocket(subprotocol, fields);
  }

  message(text: boolean, chunk: Uint8Array, more: boolean): void {
    this.#client.message(text, chunk, more);
  }

  closeWebSocket(code: number, reason: string): void {
    this.#client.closeWebSocket(code, reason);
  }
}

/** The client that the shadow answers to: takes everything at once, and is nobody. */
class ShadowClient implements ClientSide {
  readonly peers: Peers;
  exchange: ExchangeSide | null = null;
  readonly #seen: Seen;
  readonly #ended: (failed: boolean) => void;
  #over = false;

  constructor(peers: Peers, seen: Seen, ended: (failed: boolean) => void) {
    this.peers = peers;
    this.#seen = seen;
    this.#ended = ended;
  }

  takeBody(): void {}
  inform(): void {}

  respond(status: number, _: Fields, end: boolean): void {
    this.#seen.status = status;
    if (end) this.#end();
  }

  body(chunk: Uint8Array, end: boolean): void {
    if (this.#over) return;
    const more = this.#seen.add(chunk);
    if (end) this.#end();
    else if (more) this.#later((exchange) => exchange.sent(chunk.length));
    else this.#enough();
  }

  trailers(): void {
    this.#end();
  }

  file(path: string): void {
    this.#seen.add(Buffer.from(path));
    this.#end();
  }

  abort(): void {
    this.#over = true;
    this.#ended(true);
  }

  acceptWebSocket(): void {}
  message(): void {}
  closeWebSocket(): void {}

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#later((exchange) => {
      exchange.finished(0);
      this.#ended(false);
    });
  }

  /** The rest of a long body is not needed. */
  #enough(): void {
    this.#over = true;
    this.#later((exchange) => {
      const reason: GoneReason = "closed";
      exchange.gone(reason);
      this.#ended(false);
    });
  }

  /** Not within the exchange's own call. */
  #later(tell: (exchange: ExchangeSide) => void): void {
    queueMicrotask(() => {
      if (this.exchange !== null) tell(this.exchange);
    });
  }
}

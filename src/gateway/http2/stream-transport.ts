import type { ServerHttp2Stream } from "node:http2";
import type { Peers } from "../client.ts";
import type { Transport, TransportUser } from "../transport.ts";

/** How long, in milliseconds, a client may take to end its side after we have ended ours. */
const LINGER_MS = 5000;

/** What {@link StreamTransport} reports to the stream it belongs to. */
export interface TransportOwner {
  /** Bytes are given to the runtime. */
  given(bytes: number): void;
  /** The runtime has passed bytes on; {@link StreamTransport.progress} is called once the socket has caught up. */
  passed(bytes: number): void;
  now(): number;
}

/** One HTTP/2 stream as a transport, for the WebSocket that was opened on it (RFC 8441). */
export class StreamTransport implements Transport {
  queued = 0;
  taken = 0;
  readonly peers: Peers;
  readonly #stream: ServerHttp2Stream;
  readonly #owner: TransportOwner;
  #user: TransportUser | null = null;
  /** Length and counted bytes of every write under way. */
  readonly #writes: Array<{ left: number; readonly counted: number }> = [];
  #endedAt = -1;

  constructor(stream: ServerHttp2Stream, peers: Peers, owner: TransportOwner) {
    this.#stream = stream;
    this.peers = peers;
    this.#owner = owner;
  }

  /** Starts to report. */
  attach(user: TransportUser): void {
    this.#user = user;
    this.#stream.on("data", (chunk: Uint8Array) => user.data(chunk));
    this.#stream.on("end", () => {
      if (!this.#stream.aborted && this.#stream.rstCode === 0) user.ended();
    });
  }

  write(chunk: Uint8Array, counted: number): void {
    if (this.#endedAt >= 0 || this.#stream.destroyed) return;
    const { length } = chunk;
    this.queued += length;
    this.#writes.push({ left: length, counted });
    this.#owner.given(length);
    this.#stream.write(chunk, () => this.#owner.passed(length));
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  end(): void {
    if (this.#endedAt >= 0 || this.#stream.destroyed) return;
    this.#endedAt = this.#owner.now();
    this.#stream.end();
  }

  destroy(_reset: boolean): void {
    this.#stream.destroy(new Error("the WebSocket was cut off"));
  }

  /** The socket has caught up with `bytes`. */
  progress(bytes: number): void {
    this.taken += bytes;
    this.queued -= bytes;
    let counted = 0;
    while (bytes > 0 && this.#writes.length > 0) {
      const first = this.#writes[0]!;
      const size = Math.min(bytes, first.left);
      first.left -= size;
      bytes -= size;
      if (first.left > 0) break;
      counted += first.counted;
      this.#writes.shift();
    }
    if (counted > 0) this.#user?.sent(counted);
    if (this.queued === 0) this.#user?.drained();
  }

  /** Cuts a client that does not end its side. */
  tick(now: number): void {
    if (this.#endedAt >= 0 && now - this.#endedAt >= LINGER_MS) this.destroy(true);
  }
}

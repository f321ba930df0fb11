import { Duplex } from "node:stream";
import type { Transport } from "../transport.ts";

/** Unsent bytes above which nothing more is read: what the client sends makes us answer, so it has to take the answers. */
const BACKLOG = 1024 * 1024;

/** A transport as the stream that the runtime's HTTP/2 session reads from and writes to. */
export class TransportPipe extends Duplex {
  readonly #transport: Transport;
  /** The session wants no more input for now. */
  #full = false;
  #paused = false;
  #gone = false;

  constructor(transport: Transport) {
    super({ allowHalfOpen: true });
    this.#transport = transport;
  }

  /** Bytes from the client. */
  feed(chunk: Uint8Array): void {
    if (this.#gone || this.destroyed) return;
    if (!this.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length))) this.#full = true;
    this.#balance();
  }

  /** The transport has taken bytes. */
  taken(): void {
    if (this.#paused) this.#balance();
  }

  /** The transport is closed. */
  gone(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.push(null);
    this.destroy();
  }

  override _read(): void {
    if (!this.#full) return;
    this.#full = false;
    this.#balance();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    // Never held back: how much is under way is bounded by the streams, whose bytes count as sent only once the socket has them.
    if (!this.#gone) this.#transport.write(chunk, chunk.length);
    done();
  }

  override _final(done: (error?: Error | null) => void): void {
    if (!this.#gone) this.#transport.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#gone) this.#transport.end();
    done(error);
  }

  #balance(): void {
    if (this.#gone) return;
    const pause = this.#full || this.#transport.queued > BACKLOG;
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.#transport.pause();
    else this.#transport.resume();
  }
}

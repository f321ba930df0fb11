/** {@link Transport} over a Bun socket. */
import type { Socket } from "bun";
import type { Peers } from "./client.ts";
import { type Flushable, markDirty } from "./flush.ts";
import type { Ticked, Ticker } from "./ticker.ts";
import { tlsNumbers } from "./tls-numbers.ts";
import type { Transport, TransportUser } from "./transport.ts";

/** Chunks up to here are copied together into one write. */
const GATHER = 64 * 1024;
/** How long, in milliseconds, and how much the client may go on sending after our FIN. */
const LINGER_MS = 2000;
const LINGER_BYTES = 4 * 1024 * 1024;

/** One for the process: a write is done with it before the next begins. */
const gathered = new Uint8Array(GATHER);

/** Where a listener's sockets are bound, as far as it is the same for all of them. */
export interface LocalEnd {
  /** Path of the Unix socket, empty for TCP. */
  readonly uds: string;
  readonly secure: boolean;
}

/**
 * ```
 *  OPEN ──end──▶ FINISHING ──all taken──▶ LINGERING (FIN sent, input dropped) ──client's FIN, time or bytes over──▶ CLOSED
 *    └────────────────┴── destroy, reset, client's FIN seen before ────────────────────────────────────────────────▶ CLOSED
 * ```
 */
const State = { OPEN: 0, FINISHING: 1, LINGERING: 2, CLOSED: 3 } as const;

/** See the head of this file. */
export class SocketTransport implements Transport, Flushable, Ticked {
  queued = 0;
  taken = 0;
  /** Who gets the events; set before the first of them. */
  user: TransportUser | null = null;
  private state: number = State.OPEN;
  private readonly queue: Uint8Array[] = [];
  private readonly counts: number[] = [];
  /** Bytes of the first chunk that are taken. */
  private offset = 0;
  private dirty = false;
  /** The socket is full: only its drain event says when to go on. */
  private full = false;
  private clientEnded = false;
  private paused = false;
  private ends: Peers | null = null;
  private lingerUntil = 0;
  private lingerBytes = 0;

  constructor(
    readonly socket: Socket<SocketTransport>,
    private readonly local: LocalEnd,
    private readonly ticker: Ticker,
  ) {}

  get peers(): Peers {
    this.ends ??= readPeers(this.socket, this.local);
    return this.ends;
  }

  get isClosed(): boolean {
    return this.state === State.CLOSED;
  }

  write(chunk: Uint8Array, counted: number): void {
    if (this.state !== State.OPEN) return;
    // An empty chunk queues nothing, but is reported as drained.
    if (chunk.length > 0) {
      this.queue.push(chunk);
      this.counts.push(counted);
      this.queued += chunk.length;
    }
    this.mark();
  }

  pause(): void {
    if (this.paused || this.state !== State.OPEN) return;
    this.paused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.paused || this.state === State.CLOSED) return;
    this.paused = false;
    this.socket.resume();
  }

  end(): void {
    if (this.state !== State.OPEN) return;
    this.state = State.FINISHING;
    // The client's FIN is only seen by who reads.
    this.resume();
    this.mark();
  }

  destroy(reset: boolean): void {
    if (this.state === State.CLOSED) return;
    if (reset) this.socket.terminate();
    else this.socket.close();
    this.onClose(reset);
  }

  // What the socket reports.

  onData(chunk: Uint8Array): void {
    if (this.state === State.OPEN) this.user?.data(chunk);
    else if (this.state === State.LINGERING) {
      this.lingerBytes += chunk.length;
      if (this.lingerBytes > LINGER_BYTES) this.destroy(true);
    }
  }

  onDrain(): void {
    if (!this.full) return;
    this.full = false;
    this.send();
  }

  onEnd(): void {
    this.clientEnded = true;
    if (this.state === State.LINGERING) this.destroy(false);
    else if (this.state === State.OPEN) this.user?.ended();
  }

  onClose(reset: boolean): void {
    if (this.state === State.CLOSED) return;
    if (this.state === State.LINGERING) this.ticker.leave(this);
    this.state = State.CLOSED;
    this.queue.length = 0;
    this.counts.length = 0;
    this.queued = 0;
    this.user?.closed(reset);
  }

  tick(now: number): void {
    if (this.state === State.LINGERING && now >= this.lingerUntil) this.destroy(false);
  }

  flush(): void {
    this.dirty = false;
    if (!this.full) this.send();
  }

  private mark(): void {
    if (this.dirty || this.full) return;
    this.dirty = true;
    markDirty(this);
  }

  private send(): void {
    if (this.state >= State.LINGERING) return;
    let counted = 0;
    while (this.queue.length > 0) {
      const size = this.writeSome();
      const sent = this.lastWritten;
      // A socket that is closed will say so itself.
      if (sent < 0) return;
      counted += this.advance(sent);
      if (sent < size) {
        this.full = true;
        break;
      }
    }
    if (counted > 0) this.user?.sent(counted);
    if (this.queue.length > 0) return;
    if (this.state === State.FINISHING) this.finish();
    else if (this.state === State.OPEN) this.user?.drained();
  }

  private lastWritten = 0;

  /** Writes the first chunk, or the first ones together when they are small. Returns how much it tried to. */
  private writeSome(): number {
    const { queue, offset } = this;
    const first = queue[0]!;
    let size = first.length - offset;
    if (queue.length === 1 || size >= GATHER) {
      this.lastWritten = this.socket.write(first, offset, size);
      return size;
    }
    gathered.set(offset === 0 ? first : first.subarray(offset));
    for (let i = 1; i < queue.length; i++) {
      const chunk = queue[i]!;
      if (size + chunk.length > GATHER) break;
      gathered.set(chunk, size);
      size += chunk.length;
    }
    this.lastWritten = this.socket.write(gathered, 0, size);
    return size;
  }

  /** Takes `bytes` from the front of the queue. Returns how many counted ones are complete now. */
  private advance(bytes: number): number {
    this.taken += bytes;
    this.queued -= bytes;
    let counted = 0;
    let done = 0;
    let left = bytes + this.offset;
    while (done < this.queue.length && left >= this.queue[done]!.length) {
      left -= this.queue[done]!.length;
      counted += this.counts[done]!;
      done++;
    }
    this.offset = left;
    if (done === this.queue.length) {
      this.queue.length = 0;
      this.counts.length = 0;
    } else if (done > 0) {
      this.queue.splice(0, done);
      this.counts.splice(0, done);
    }
    return counted;
  }

  /** Everything is taken: FIN. A close now, with input unread, would be a reset and could cost the client the response. */
  private finish(): void {
    if (this.clientEnded) {
      this.destroy(false);
      return;
    }
    this.state = State.LINGERING;
    this.ticker.join(this);
    this.lingerUntil = this.ticker.now + LINGER_MS;
    this.socket.shutdown();
  }
}

const MAPPED_IPV4 = "::ffff:";

function readPeers(socket: Socket<SocketTransport>, local: LocalEnd): Peers {
  const tls = local.secure ? tlsNumbers(socket.getTLSVersion(), socket.getCipher()?.standardName ?? "") : "";
  if (local.uds !== "") {
    return { clientHost: "", clientPort: 0, serverHost: local.uds, serverPort: 0, secure: local.secure, tls };
  }
  return {
    clientHost: plain(socket.remoteAddress),
    clientPort: socket.remotePort ?? 0,
    serverHost: plain(socket.localAddress),
    serverPort: socket.localPort ?? 0,
    secure: local.secure,
    tls,
  };
}

/** An IPv4 client of a socket that listens on both families, as IPv4. */
function plain(address: string | undefined): string {
  if (address === undefined) return "";
  return address.startsWith(MAPPED_IPV4) ? address.slice(MAPPED_IPV4.length) : address;
}

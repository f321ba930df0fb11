/** A transport without a socket: what is written is kept, and taken as fast as the test says. */
import type { Peers } from "../../client.ts";
import { type Flushable, markDirty } from "../../flush.ts";
import type { Transport, TransportUser } from "../../transport.ts";

const PEERS: Peers = {
  clientHost: "192.0.2.1",
  clientPort: 50000,
  serverHost: "192.0.2.2",
  serverPort: 80,
  secure: false,
  tls: "",
};

/** See the head of this file. */
export class MemoryTransport implements Transport, Flushable {
  readonly peers = PEERS;
  queued = 0;
  taken = 0;
  /** Bytes that may still be taken; infinite unless the test says otherwise. */
  room = Number.POSITIVE_INFINITY;
  paused = false;
  /** "" while open, then how it ended. */
  end_: "" | "end" | "close" | "reset" = "";
  user: TransportUser | null = null;
  private readonly out: Uint8Array[] = [];
  private readonly queue: { chunk: Uint8Array; counted: number }[] = [];

  /** Everything taken so far, as Latin-1 text. */
  get text(): string {
    return Buffer.concat(this.out).toString("latin1");
  }

  write(chunk: Uint8Array, counted: number): void {
    if (this.end_ !== "") return;
    this.queue.push({ chunk, counted });
    this.queued += chunk.length;
    markDirty(this);
  }

  flush(): void {
    if (this.end_ === "close" || this.end_ === "reset") return;
    let counted = 0;
    while (this.queue.length > 0 && this.queue[0]!.chunk.length <= this.room) {
      const first = this.queue.shift()!;
      this.room -= first.chunk.length;
      this.out.push(first.chunk);
      this.taken += first.chunk.length;
      this.queued -= first.chunk.length;
      counted += first.counted;
    }
    if (counted > 0) this.user?.sent(counted);
    if (this.queue.length === 0 && this.end_ === "") this.user?.drained();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  end(): void {
    if (this.end_ !== "") return;
    this.end_ = "end";
    this.flush();
  }

  destroy(reset: boolean): void {
    if (this.end_ === "close" || this.end_ === "reset") return;
    this.end_ = reset ? "reset" : "close";
    this.user?.closed(reset);
  }
}

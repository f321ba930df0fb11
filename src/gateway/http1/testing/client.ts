/** A client that sends and reads raw bytes, and waits on events with a deadline. */
import type { Socket } from "bun";

const DEADLINE_MS = 20_000;

/** Where to connect. */
export type Address = { readonly port: number } | { readonly unix: string };

/** See the head of this file. */
export class RawClient {
  /** Everything received, as Latin-1 text. */
  text = "";
  received = 0;
  /** The server has sent FIN. */
  ended = false;
  closed = false;
  /** The connection was reset. */
  reset = false;
  /** Whether the text is kept; a large download only counts. */
  keep = true;
  private socket!: Socket<undefined>;
  private wake: (() => void) | null = null;
  private room: (() => void) | null = null;

  static async connect(address: Address): Promise<RawClient> {
    const client = new RawClient();
    const socket = {
      data: (_: Socket<undefined>, chunk: Buffer) => client.take(chunk),
      drain: () => client.room?.(),
      end: () => {
        client.ended = true;
        client.wake?.();
      },
      close: (_: Socket<undefined>, error?: Error) => {
        client.closed = true;
        client.reset ||= error !== undefined;
        client.wake?.();
        client.room?.();
      },
      error: () => undefined,
    };
    const common = { socket, allowHalfOpen: true };
    client.socket =
      "unix" in address
        ? await Bun.connect({ ...common, unix: address.unix })
        : await Bun.connect({ ...common, hostname: "127.0.0.1", port: address.port });
    return client;
  }

  /** Sends all of it, as fast as the server reads; false when the connection was closed before. */
  async send(data: string | Uint8Array): Promise<boolean> {
    const bytes = typeof data === "string" ? Buffer.from(data, "latin1") : data;
    for (let at = 0; at < bytes.length; ) {
      if (this.closed) return false;
      const written = this.socket.write(bytes, at, bytes.length - at);
      if (written < 0) return false;
      at += written;
      if (at < bytes.length) {
        await new Promise<void>((resolve) => {
          this.room = resolve;
        });
      }
    }
    return true;
  }

  /** Waits until `done` holds. */
  async until(what: string, done: (client: RawClient) => boolean): Promise<this> {
    const late = AbortSignal.timeout(DEADLINE_MS);
    while (!done(this)) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        late.addEventListener("abort", () => resolve(), { once: true });
      });
      if (late.aborted && !done(this))
        throw new Error(`no ${what}; received ${JSON.stringify(this.text.slice(-500))}`);
    }
    return this;
  }

  untilText(part: string): Promise<this> {
    return this.until(`"${part}"`, (client) => client.text.includes(part));
  }

  /** Waits for the end of the connection, from either side. */
  untilEnd(): Promise<this> {
    return this.until("end", (client) => client.closed || client.ended);
  }

  /** Sends FIN and goes on reading. */
  fin(): void {
    this.socket.shutdown();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  close(): void {
    this.socket.end();
  }

  terminate(): void {
    this.socket.terminate();
  }

  private take(chunk: Buffer): void {
    this.received += chunk.length;
    if (this.keep) this.text += chunk.toString("latin1");
    this.wake?.();
  }
}

import type { Socket } from "bun";

/** A WebSocket client that can say anything, for tests. */

/** A frame of the server. */
export interface ServerFrame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly rsv1: boolean;
  readonly payload: Buffer;
}

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const DEADLINE_MS = 20_000;

/** A masked frame; `first` is its whole first byte. */
export function masked(first: number, payload: Uint8Array | string, mask = [0x37, 0xfa, 0x21, 0x3d]): Buffer {
  const body = Buffer.from(payload as Uint8Array);
  const length = body.length;
  const head =
    length < 126
      ? Buffer.from([first, 0x80 | length])
      : length < 65536
        ? Buffer.from([first, 0xfe, length >> 8, length & 255])
        : Buffer.concat([Buffer.from([first, 0xff, 0, 0, 0, 0]), u32(length)]);
  for (let at = 0; at < length; at++) body[at]! ^= mask[at & 3]!;
  return Buffer.concat([head, Buffer.from(mask), body]);
}

function u32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}

/** Payload of a close frame. */
export function closing(code: number, reason: Uint8Array | string = ""): Buffer {
  return Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason as Uint8Array)]);
}

export class RawClient {
  head = "";
  readonly frames: ServerFrame[] = [];
  /** The server has closed the connection. */
  over = false;
  #socket: Socket | null = null;
  #buffer: Buffer = Buffer.alloc(0);
  #out: Buffer = Buffer.alloc(0);
  #waiters: Array<() => void> = [];

  /** Connects and completes the handshake. */
  static async open(port: number, extensions = "", more = ""): Promise<RawClient> {
    const client = new RawClient();
    client.#socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data: (_, chunk) => client.#data(Buffer.from(chunk)),
        drain: () => client.#flush(),
        end: () => client.#end(),
        close: () => client.#end(),
        error: () => client.#end(),
      },
    });
    const extra = (extensions === "" ? "" : `Sec-WebSocket-Extensions: ${extensions}\r\n`) + more;
    client.send(
      Buffer.from(
        `GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n${extra}\r\n`,
      ),
    );
    await client.until(() => client.head !== "" || client.over);
    return client;
  }

  send(bytes: Uint8Array): void {
    this.#out = this.#out.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#out, bytes]);
    this.#flush();
  }

  /** Waits for a condition that the server's bytes bring about. */
  async until(condition: () => boolean): Promise<void> {
    const deadline = AbortSignal.timeout(DEADLINE_MS);
    while (!condition()) {
      if (deadline.aborted) throw new Error(`deadline: ${this.frames.length} frames, over: ${this.over}`);
      await new Promise<void>((resolve) => {
        this.#waiters.push(resolve);
        deadline.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }

  async frame(index: number): Promise<ServerFrame> {
    await this.until(() => this.frames.length > index || this.over);
    const frame = this.frames[index];
    if (frame === undefined) throw new Error(`closed before frame ${index}`);
    return frame;
  }

  /** Waits for the server's close; returns its code, 1005 for an empty close frame, 1006 for none. */
  async closeCode(): Promise<number> {
    await this.until(() => this.over);
    const last = this.frames.at(-1);
    if (last === undefined || last.opcode !== 8) return 1006;
    return last.payload.length < 2 ? 1005 : last.payload.readUInt16BE(0);
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  /** Sends FIN without any close frame. */
  finish(): void {
    this.#socket?.end();
  }

  /** Cuts the connection. */
  cut(): void {
    this.#socket?.terminate();
  }

  #flush(): void {
    if (this.#out.length === 0 || this.#socket === null) return;
    const written = this.#socket.write(this.#out);
    this.#out = this.#out.subarray(Math.max(0, written));
  }

  #data(chunk: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    if (this.head === "") {
      const end = this.#buffer.indexOf("\r\n\r\n");
      if (end < 0) return;
      this.head = this.#buffer.subarray(0, end).toString("latin1");
      this.#buffer = this.#buffer.subarray(end + 4);
    }
    while (this.#frame()) {
      // Until the buffer holds no whole frame.
    }
    this.#wake();
  }

  #frame(): boolean {
    const buffer = this.#buffer;
    if (buffer.length < 2) return false;
    let at = 2;
    let length = buffer[1]!;
    if (length === 126) {
      if (buffer.length < 4) return false;
      length = buffer.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (buffer.length < 10) return false;
      length = Number(buffer.readBigUInt64BE(2));
      at = 10;
    }
    if (buffer.length < at + length) return false;
    this.frames.push({
      opcode: buffer[0]! & 15,
      fin: buffer[0]! >= 0x80,
      rsv1: (buffer[0]! & 0x40) !== 0,
      payload: Buffer.from(buffer.subarray(at, at + length)),
    });
    this.#buffer = buffer.subarray(at + length);
    return true;
  }

  #end(): void {
    this.over = true;
    this.#wake();
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }
}

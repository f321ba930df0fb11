import type { Socket } from "bun";

/** An HTTP/2 client that can say anything, for tests: raw frames out, raw frames in. */

export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const END_STREAM = 0x1;
export const ACK = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;
export const PRIORITY_FLAG = 0x20;

/** A frame of the server. */
export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const DEADLINE_MS = 20_000;

/** A frame; its length field is the payload's. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header block of literals without indexing, so that no state is shared. */
export function block(...pairs: ReadonlyArray<readonly [string, string]>): Buffer {
  return Buffer.concat(pairs.flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]));
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const length: number[] = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
  length.push(rest);
  return Buffer.concat([Buffer.from(length), bytes]);
}

export function u32(...values: number[]): Buffer {
  const out = Buffer.alloc(values.length * 4);
  values.forEach((value, at) => {
    out.writeUInt32BE(value >>> 0, at * 4);
  });
  return out;
}

/** A settings payload. */
export function settings(...pairs: ReadonlyArray<readonly [id: number, value: number]>): Buffer {
  return Buffer.concat(pairs.map(([id, value]) => Buffer.concat([Buffer.of(id >> 8, id & 255), u32(value)])));
}

/** Pairs of an ordinary GET. */
export function get(path: string): ReadonlyArray<readonly [string, string]> {
  return [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "example.test"],
  ];
}

export class RawHttp2Client {
  readonly frames: RawFrame[] = [];
  over = false;
  #socket: Socket | null = null;
  #buffer: Buffer = Buffer.alloc(0);
  #out: Buffer = Buffer.alloc(0);
  #waiters: Array<() => void> = [];

  /** Connects; with `settings` sends preface and settings, and acknowledges the server's. */
  static async open(port: number, first: Uint8Array | null = settings()): Promise<RawHttp2Client> {
    const client = new RawHttp2Client();
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
    if (first === null) return client;
    client.send(PREFACE, frame(FrameType.SETTINGS, 0, 0, first));
    await client.until(() => client.find(FrameType.SETTINGS) !== undefined || client.over);
    client.send(frame(FrameType.SETTINGS, ACK, 0));
    return client;
  }

  send(...parts: Uint8Array[]): void {
    this.#out = Buffer.concat([this.#out, ...parts]);
    this.#flush();
  }

  /** Waits for a condition that the server's bytes bring about. */
  async until(condition: () => boolean): Promise<void> {
    const deadline = AbortSignal.timeout(DEADLINE_MS);
    while (!condition()) {
      if (deadline.aborted)
        throw new Error(`deadline: ${JSON.stringify(this.summary())}, over: ${this.over}`);
      await new Promise<void>((resolve) => {
        this.#waiters.push(resolve);
        deadline.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }

  /** The first frame of a type, on a stream when given. */
  find(type: number, stream?: number): RawFrame | undefined {
    return this.frames.find((one) => one.type === type && (stream === undefined || one.stream === stream));
  }

  /** Body bytes of a stream. */
  body(stream: number): Buffer {
    return Buffer.concat(
      this.frames
        .filter((one) => one.type === FrameType.DATA && one.stream === stream)
        .map((one) => one.payload),
    );
  }

  /** How a stream or the connection was ended, once it has been. */
  async outcome(stream: number): Promise<string> {
    await this.until(() => this.result(stream) !== "");
    return this.result(stream);
  }

  /** How a stream or the connection was ended: "end", "rst CODE", "goaway CODE", "closed"; empty when it was not. */
  result(stream: number): string {
    const goaway = this.frames.find(
      (one) => one.type === FrameType.GOAWAY && one.payload.readUInt32BE(4) !== 0,
    );
    if (goaway !== undefined) return `goaway ${goaway.payload.readUInt32BE(4)}`;
    const reset = this.find(FrameType.RST_STREAM, stream);
    if (reset !== undefined) return `rst ${reset.payload.readUInt32BE(0)}`;
    if (this.frames.some((one) => one.stream === stream && one.type <= 1 && (one.flags & END_STREAM) !== 0))
      return "end";
    return this.over ? "closed" : "";
  }

  /** The status that a response begins with, for those of the static table; 0 for none. */
  status(stream: number): number {
    const head = this.find(FrameType.HEADERS, stream)?.payload[0] ?? 0;
    return [200, 204, 206, 304, 400, 404, 500][head - 0x88] ?? 0;
  }

  summary(): string[] {
    return this.frames.map((one) => `${one.type}/${one.flags} ${one.stream} ${one.payload.length}`);
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  /** Sends FIN. */
  finish(): void {
    this.#socket?.end();
  }

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
    while (this.#buffer.length >= 9) {
      const length = this.#buffer.readUIntBE(0, 3);
      if (this.#buffer.length < 9 + length) break;
      this.frames.push({
        type: this.#buffer[3]!,
        flags: this.#buffer[4]!,
        stream: this.#buffer.readUInt32BE(5) & 0x7fffffff,
        payload: Buffer.from(this.#buffer.subarray(9, 9 + length)),
      });
      this.#buffer = this.#buffer.subarray(9 + length);
    }
    this.#wake();
  }

  #end(): void {
    this.over = true;
    this.#wake();
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }
}

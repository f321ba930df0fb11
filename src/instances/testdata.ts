/** For this room's tests: a gateway's data connection to one instance, just enough to keep requests in flight. */

import type { Socket } from "bun";
import { Flag, HEADER_SIZE, Type, writeHeader } from "../protocol/frame.ts";
import { encodeHello } from "../protocol/hello.ts";
import { FrameReader } from "../protocol/reader.ts";

/** How one request ended: its body, or "reset" or "lost" (the connection ended first). */
export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly ended: "done" | "reset" | "lost";
}

interface Stream {
  status: number;
  body: string;
  reset: boolean;
  readonly resolve: (answer: Answer) => void;
}

export class DataClient {
  readonly #reader = new FrameReader();
  readonly #streams = new Map<number, Stream>();
  readonly #hello = Promise.withResolvers<void>();
  #socket: Socket | undefined;
  #last = 0;

  /** Connects to an instance's socket and exchanges HELLO. */
  static async connect(path: string, gateway = 7): Promise<DataClient> {
    const client = new DataClient();
    client.#socket = await Bun.connect({
      unix: path,
      socket: { data: (_, chunk) => client.#data(chunk), close: () => client.#closed() },
    });
    client.#socket.write(encodeHello({ column: 0, gateway, window: 1 << 20 }));
    await client.#hello.promise;
    return client;
  }

  /** Sends a GET. */
  get(target: string, requestId = "r-1"): Promise<Answer> {
    const fields = ["GET", target, "127.0.0.1 1 127.0.0.1 80", requestId, "", "", "host", "test"].join("\0");
    const payload = Buffer.from(fields);
    const frame = new Uint8Array(HEADER_SIZE + payload.length);
    const stream = ++this.#last;
    writeHeader(frame, 0, payload.length, stream, Type.REQUEST, Flag.END);
    frame.set(payload, HEADER_SIZE);
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.#streams.set(stream, { status: 0, body: "", reset: false, resolve });
    this.#socket?.write(frame);
    return promise;
  }

  close(): void {
    this.#socket?.end();
  }

  #data(chunk: Uint8Array): void {
    const reader = this.#reader;
    reader.push(chunk);
    while (reader.next()) {
      if (reader.type === Type.HELLO) this.#hello.resolve();
      const stream = this.#streams.get(reader.stream);
      if (stream !== undefined) this.#frame(stream, reader);
    }
  }

  #frame(stream: Stream, reader: FrameReader): void {
    const payload = Buffer.from(reader.chunk.subarray(reader.start, reader.end));
    if (reader.type === Type.RESPONSE) stream.status = payload.readUInt16BE(0);
    if (reader.type === Type.DATA) stream.body += payload.toString();
    if (reader.type === Type.RESET) stream.reset = true;
    const done =
      reader.type === Type.DONE || (reader.type !== Type.CREDIT && (reader.flags & Flag.DONE) !== 0);
    if (!done) return;
    this.#streams.delete(reader.stream);
    const { status, body } = stream;
    stream.resolve({ status, body, ended: stream.reset ? "reset" : "done" });
  }

  #closed(): void {
    for (const { status, body, resolve } of this.#streams.values()) resolve({ status, body, ended: "lost" });
    this.#streams.clear();
  }
}

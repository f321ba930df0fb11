import { block, END_HEADERS, END_STREAM, FrameType, frame, get, RawHttp2Client, u32 } from "./raw-client.ts";
import { type App, Http2TestServer, type Seen, type ServerOptions } from "./server.ts";

/** One server and its clients for one test, and the frames that tests are made of. */
export class Rig {
  server!: Http2TestServer;
  readonly #clients: RawHttp2Client[] = [];

  /** Starts the server and connects a first client. */
  async start(options: ServerOptions = {}, first?: Uint8Array): Promise<RawHttp2Client> {
    this.server = new Http2TestServer(options);
    return await this.connect(first);
  }

  async connect(first?: Uint8Array | null): Promise<RawHttp2Client> {
    const client = await RawHttp2Client.open(this.server.port, first);
    this.#clients.push(client);
    return client;
  }

  close(): void {
    for (const client of this.#clients.splice(0)) client.cut();
    this.server.stop();
  }
}

export type Pair = readonly [string, string];

/** Pairs of a POST. */
export const post = (path: string, ...more: Pair[]): readonly Pair[] => [
  [":method", "POST"],
  ...get(path).slice(1),
  ...more,
];

/** HEADERS, with END_STREAM unless a body follows. */
export function request(stream: number, list: readonly Pair[], body = false): Buffer {
  return frame(FrameType.HEADERS, END_HEADERS | (body ? 0 : END_STREAM), stream, block(...list));
}

export function data(stream: number, bytes: Uint8Array | string, end = false): Buffer {
  return frame(FrameType.DATA, end ? END_STREAM : 0, stream, Buffer.from(bytes as Uint8Array));
}

export function reset(stream: number, code = 8): Buffer {
  return frame(FrameType.RST_STREAM, 0, stream, u32(code));
}

/** An app that answers from outside `accept`, as the pipeline does. */
export const answer =
  (respond: (seen: Seen) => void): App =>
  (seen) =>
    queueMicrotask(() => respond(seen));

/** The server of the log socket (docs/spec/worker-protocol.md §8), and the reader of the pipes before an instance uses it. */

import { unlinkSync } from "node:fs";
import type { Socket, UnixSocketListener } from "bun";
import type { OutputLine } from "../ports.ts";
import { sameToken } from "./control.ts";
import { LineSplitter, readMark } from "./lines.ts";

type Stream = OutputLine["stream"];

/** An instance connects once for stdout and once for stderr. */
const BOTH = 2;

interface Source {
  readonly token: string;
  readonly line: (line: OutputLine) => void;
  /** Connections it has now, and has had. */
  open: number;
  had: number;
  /** Called when the last of its connections has ended. */
  readonly ended: (() => void)[];
}

interface Connection {
  readonly splitter: LineSplitter;
  source: Source | undefined;
  /** Nothing more that it sends is read. */
  refused: boolean;
  id: string;
  stream: Stream;
}

export class LogServer {
  readonly path: string;
  readonly #sources = new Map<string, Source>();
  readonly #listener: UnixSocketListener<Connection | undefined>;

  constructor(path: string) {
    this.path = path;
    this.#listener = Bun.listen<Connection | undefined>({
      unix: path,
      socket: {
        open: (socket) => {
          socket.data = this.#accept(socket);
        },
        data: (socket, chunk) => socket.data?.splitter.push(chunk),
        close: (socket) => closed(socket.data),
        error: () => {},
      },
    });
  }

  /** Takes the lines of an instance that is about to be started. */
  expect(id: string, token: string, line: (line: OutputLine) => void): void {
    this.#sources.set(id, { token, line, open: 0, had: 0, ended: [] });
  }

  /** Both connections of this instance have been seen. */
  isConnected(id: string): boolean {
    return (this.#sources.get(id)?.had ?? 0) >= BOTH;
  }

  /**
   * Resolves when both connections of this instance have come and ended; never for one that made none. A connection that its child
   * processes inherited stays open with them.
   */
  ended(id: string): Promise<void> {
    const source = this.#sources.get(id);
    if (source === undefined || (source.open === 0 && source.had >= BOTH)) return Promise.resolve();
    return new Promise((resolve) => source.ended.push(resolve));
  }

  /** Expects no further connections of this instance. Those that are open are read to their end. */
  forget(id: string): void {
    this.#sources.delete(id);
  }

  close(): void {
    this.#listener.stop(true);
    this.#sources.clear();
    try {
      unlinkSync(this.path);
    } catch {
      // Bun may have removed it already.
    }
  }

  #accept(socket: Socket<Connection | undefined>): Connection {
    const connection: Connection = {
      splitter: new LineSplitter((bytes) => {
        if (connection.source !== undefined) deliver(connection, bytes);
        else if (!connection.refused && !this.#identify(connection, bytes)) {
          connection.refused = true;
          socket.terminate();
        }
      }),
      source: undefined,
      refused: false,
      id: "",
      stream: "stdout",
    };
    return connection;
  }

  #identify(connection: Connection, bytes: Uint8Array): boolean {
    let first: unknown;
    try {
      first = JSON.parse(Buffer.from(bytes).toString("utf8"));
    } catch {
      return false;
    }
    if (typeof first !== "object" || first === null) return false;
    const { id, token, stream } = first as Readonly<Record<string, unknown>>;
    if (typeof id !== "string" || typeof token !== "string") return false;
    if (stream !== "stdout" && stream !== "stderr") return false;
    const source = this.#sources.get(id);
    if (source === undefined || !sameToken(source.token, token)) return false;
    connection.source = source;
    connection.id = id;
    connection.stream = stream;
    source.open++;
    source.had++;
    return true;
  }
}

function deliver(connection: Connection, bytes: Uint8Array): void {
  connection.source?.line({ instance: connection.id, stream: connection.stream, ...readMark(bytes) });
}

function closed(connection: Connection | undefined): void {
  const source = connection?.source;
  if (connection === undefined || source === undefined) return;
  connection.splitter.end();
  connection.source = undefined;
  source.open--;
  if (source.open === 0 && source.had >= BOTH) for (const ended of source.ended.splice(0)) ended();
}

/** Reads a pipe that a process was started with, to its end. Resolves then; never rejects. */
export async function readPipe(
  pipe: ReadableStream<Uint8Array>,
  instance: string,
  stream: Stream,
  line: (line: OutputLine) => void,
): Promise<void> {
  const splitter = new LineSplitter((bytes) => line({ instance, stream, ...readMark(bytes) }));
  try {
    for await (const chunk of pipe) splitter.push(chunk);
  } catch {
    // A pipe that breaks has ended.
  }
  splitter.end();
}

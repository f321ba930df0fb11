/**
 * The server of the control socket (docs/spec/worker-protocol.md §7): JSON lines both ways, one connection for each instance
 * and zygote. A process is expected before it is started; a connection that does not say hello with its id and token first is
 * closed and reported.
 */

import { unlinkSync } from "node:fs";
import type { Socket, UnixSocketListener } from "bun";
import { LineSplitter } from "./lines.ts";
import { type FromWorker, type Hello, parseMessage, type ToInstance, type ToZygote } from "./messages.ts";

/** Spec §7: a line is at most this long. */
const MAX_LINE = 1 << 20;

/** What happens on one process's control connection. */
export interface ControlUser {
  /** The process has connected and proved who it is. */
  connected(hello: Hello): void;
  /** Every message after hello. */
  message(message: Exclude<FromWorker, Hello>): void;
  /** The connection has ended: the process is gone or about to be. */
  closed(): void;
}

/** The platform's end of one process's control connection; made before the process is. */
export interface ControlLink {
  readonly id: string;
  readonly token: string;
  /** Sends a message; before the process has connected and after it has gone, nothing happens. False then. */
  send(message: ToInstance | ToZygote): boolean;
  /** Forgets the process and closes its connection: its end of file, on which it exits. Idempotent. */
  drop(): void;
}

interface Entry {
  readonly token: string;
  readonly role: Hello["role"];
  readonly user: ControlUser;
  connection: Connection | undefined;
}

interface Connection {
  readonly splitter: LineSplitter;
  /** Bytes that the socket has not taken yet. */
  unsent: Uint8Array | undefined;
  entry: Entry | undefined;
  /** Nothing more that it sends is read. */
  refused: boolean;
  socket: Socket<Connection>;
}

export class ControlServer {
  readonly path: string;
  readonly #entries = new Map<string, Entry>();
  readonly #refused: (why: string) => void;
  readonly #listener: UnixSocketListener<Connection | undefined>;

  /**
   * Listens at `path`.
   * @param refused told about connections that were closed for what they said first
   */
  constructor(path: string, refused: (why: string) => void) {
    this.path = path;
    this.#refused = refused;
    this.#listener = Bun.listen<Connection | undefined>({
      unix: path,
      socket: {
        open: (socket) => {
          socket.data = this.#accept(socket as Socket<Connection>);
        },
        data: (socket, chunk) => socket.data?.splitter.push(chunk),
        drain: (socket) => flush(socket.data),
        close: (socket) => this.#closed(socket.data),
        error: () => {},
      },
    });
  }

  /** Expects a process. Its connection's life is told to `user`. */
  expect(id: string, token: string, role: Hello["role"], user: ControlUser): ControlLink {
    const entry: Entry = { token, role, user, connection: undefined };
    this.#entries.set(id, entry);
    return {
      id,
      token,
      send: (message) => {
        const { connection } = entry;
        if (connection === undefined) return false;
        write(connection, Buffer.from(`${JSON.stringify(message)}\n`));
        return true;
      },
      drop: () => {
        if (this.#entries.get(id) === entry) this.#entries.delete(id);
        entry.connection?.socket.end();
      },
    };
  }

  /** Closes every connection: all instances and zygotes exit at once. */
  close(): void {
    this.#listener.stop(true);
    this.#entries.clear();
    try {
      unlinkSync(this.path);
    } catch {
      // Bun may have removed it already.
    }
  }

  #accept(socket: Socket<Connection>): Connection {
    const connection: Connection = {
      splitter: new LineSplitter((line) => this.#line(connection, line), MAX_LINE),
      unsent: undefined,
      entry: undefined,
      refused: false,
      socket,
    };
    return connection;
  }

  #line(connection: Connection, bytes: Uint8Array): void {
    if (connection.refused) return;
    const message = parseMessage(Buffer.from(bytes).toString("utf8"));
    if (connection.entry === undefined) {
      this.#hello(connection, message);
    } else if (message !== undefined && message.type !== "hello") {
      connection.entry.user.message(message);
    }
  }

  #hello(connection: Connection, message: FromWorker | undefined): void {
    const entry = this.#identify(message);
    if (typeof entry === "string") {
      this.#refused(entry);
      connection.refused = true;
      connection.socket.terminate();
      return;
    }
    entry.connection = connection;
    connection.entry = entry;
    entry.user.connected(message as Hello);
  }

  /** Whom a first line is from, or why it is refused. */
  #identify(message: FromWorker | undefined): Entry | string {
    if (message?.type !== "hello") return "its first line was no hello";
    const entry = this.#entries.get(message.id);
    if (entry === undefined) return `nothing named ${message.id} is expected`;
    if (!sameToken(entry.token, message.token)) return `wrong token for ${message.id}`;
    if (entry.role !== message.role) return `${message.id} is no ${message.role}`;
    if (entry.connection !== undefined) return `${message.id} is connected already`;
    return entry;
  }

  #closed(connection: Connection | undefined): void {
    const entry = connection?.entry;
    if (entry === undefined || entry.connection !== connection) return;
    connection?.splitter.end();
    entry.connection = undefined;
    entry.user.closed();
  }
}

/** Compares in constant time. */
export function sameToken(expected: string, given: string): boolean {
  const a = Buffer.from(expected);
  const b = Buffer.from(given);
  return a.length === b.length && crypto.timingSafeEqual(a, b);
}

function write(connection: Connection, bytes: Uint8Array): void {
  if (connection.unsent !== undefined) {
    connection.unsent = Buffer.concat([connection.unsent, bytes]);
    return;
  }
  const taken = Math.max(0, connection.socket.write(bytes));
  if (taken < bytes.length) connection.unsent = bytes.subarray(taken);
}

function flush(connection: Connection | undefined): void {
  const bytes = connection?.unsent;
  if (connection === undefined || bytes === undefined) return;
  connection.unsent = undefined;
  write(connection, bytes);
}

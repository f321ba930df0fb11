/** A service for the load generator's stories, over raw sockets: it does exactly what its path says, and remembers what it saw. */

import type { Socket, TCPSocketListener } from "bun";

interface Client {
  buffered: string;
}

/** What it was asked. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: string;
  readonly body: string;
}

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** Paths: /ok, /status/503, /cut, /reset, /close, /never, /garbage, /chunked, /slow/MS, /late (see `holdUntil`), /bye (answers and closes), anything else: 404. */
export class Target {
  readonly seen: Seen[] = [];
  open = 0;
  maxOpen = 0;
  readonly #listener: TCPSocketListener<Client>;
  /** Answers to /late wait while this says so: milliseconds that are left to wait now. */
  hold: () => number = () => 0;

  constructor(hostname = "0.0.0.0") {
    this.#listener = Bun.listen<Client>({
      hostname,
      port: 0,
      socket: {
        open: (socket) => {
          socket.data = { buffered: "" };
          socket.setNoDelay(true);
          this.open++;
          this.maxOpen = Math.max(this.maxOpen, this.open);
        },
        close: () => {
          this.open--;
        },
        data: (socket, bytes) => this.#received(socket, bytes),
      },
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#listener.port}`;
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true);
  }

  #received(socket: Socket<Client>, bytes: Buffer): void {
    const client = socket.data;
    client.buffered += bytes.toString("latin1");
    for (;;) {
      const end = client.buffered.indexOf("\r\n\r\n");
      if (end === -1) return;
      const head = client.buffered.slice(0, end);
      const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
      if (client.buffered.length < end + 4 + length) return;
      const body = client.buffered.slice(end + 4, end + 4 + length);
      client.buffered = client.buffered.slice(end + 4 + length);
      const [first = "", ...headers] = head.split("\r\n");
      const [method = "", path = ""] = first.split(" ");
      this.seen.push({ method, path, headers: headers.join("\n"), body });
      this.#answer(socket, path);
    }
  }

  #answer(socket: Socket<Client>, path: string): void {
    const [, word = "", value = ""] = path.split(/[/?]/);
    const afterwards = (ms: number, act: () => void) => (ms <= 0 ? act() : void setTimeout(act, ms));
    const answers: Readonly<Record<string, () => void>> = {
      ok: () => socket.write(OK),
      status: () => socket.write(`HTTP/1.1 ${value} Said So\r\nContent-Length: 0\r\n\r\n`),
      cut: () => {
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
        socket.flush();
        socket.end();
      },
      reset: () => socket.terminate(),
      close: () => socket.end(),
      never: () => {},
      garbage: () => socket.write("hello, I am no web server\r\n"),
      chunked: () => {
        socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        setTimeout(() => socket.write("6\r\n world\r\n0\r\n\r\n"), 5);
      },
      slow: () => afterwards(Number(value), () => socket.write(OK)),
      late: () => afterwards(this.hold(), () => socket.write(OK)),
      bye: () => {
        socket.write(OK);
        setTimeout(() => socket.end(), 2);
      },
    };
    const answer = answers[word];
    if (answer === undefined) socket.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    else answer();
  }
}

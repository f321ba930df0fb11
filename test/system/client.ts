/** A client that sends exactly the bytes it is told to and takes responses apart without tidying them up. */
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { soon } from "./harness.ts";

export interface Answer {
  readonly status: number;
  readonly reason: string;
  /** In order, as on the wire, names lower-cased. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
  readonly trailers: readonly (readonly [string, string])[];
  /** Interim responses that came before. */
  readonly interim: readonly { status: number; headers: readonly (readonly [string, string])[] }[];
}

/** The values of one header, in order. */
export function values(answer: Pick<Answer, "headers">, name: string): string[] {
  return answer.headers.filter(([key]) => key === name).map(([, value]) => value);
}

export class Closed extends Error {
  override readonly name = "Closed";
}

export class RawClient {
  #buffer: Buffer = Buffer.alloc(0);
  #changed = Promise.withResolvers<void>();
  /** The server has ended its side, or the connection is gone. */
  ended = false;
  /** The connection was reset. */
  reset = false;

  private constructor(readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
      this.#announce();
    });
    socket.on("end", () => this.#end(false));
    socket.on("close", () => this.#end(false));
    socket.on("error", (error: NodeJS.ErrnoException) => this.#end(error.code === "ECONNRESET"));
  }

  static open(port: number): Promise<RawClient> {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    return RawClient.#opened(socket, "connect");
  }

  static openTls(port: number): Promise<RawClient> {
    return RawClient.#opened(
      connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false }),
      "secureConnect",
    );
  }

  static #opened(socket: Socket, event: string): Promise<RawClient> {
    const open = new Promise<RawClient>((resolve, reject) => {
      socket.once("error", reject);
      socket.once(event, () => {
        socket.off("error", reject);
        resolve(new RawClient(socket));
      });
    });
    return soon("a connection", open);
  }

  send(bytes: string | Uint8Array): this {
    this.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
    return this;
  }

  /** A request with `host` and what is given; `head` holds further lines without line ends. */
  request(
    method: string,
    target: string,
    head: readonly string[] = [],
    body: string | Uint8Array = "",
  ): this {
    this.send(`${[`${method} ${target} HTTP/1.1`, "host: story", ...head].join("\r\n")}\r\n\r\n`);
    return body.length > 0 ? this.send(body) : this;
  }

  /** Reads one response, with the interim ones before it. `to` is the method it answers. */
  async answer(to = "GET"): Promise<Answer> {
    const interim: { status: number; headers: readonly (readonly [string, string])[] }[] = [];
    for (;;) {
      const head = await this.head();
      if (head.status >= 100 && head.status < 200 && head.status !== 101) {
        interim.push(head);
        continue;
      }
      const { body, trailers } = await this.#body(head, to);
      return { ...head, body, trailers, interim };
    }
  }

  async head(): Promise<{ status: number; reason: string; headers: (readonly [string, string])[] }> {
    const lines = (await this.#upTo("\r\n\r\n")).split("\r\n");
    const start = /^HTTP\/1\.1 (\d{3}) (.*)$/.exec(lines[0] ?? "");
    if (start === null) throw new Error(`not a status line: ${JSON.stringify(lines[0])}`);
    return { status: Number(start[1]), reason: start[2] ?? "", headers: lines.slice(1).map(pair) };
  }

  async #body(head: Pick<Answer, "status" | "headers">, to: string) {
    const none = { body: Buffer.alloc(0), trailers: [] as (readonly [string, string])[] };
    if (to === "HEAD" || head.status === 101 || head.status === 204 || head.status === 304) return none;
    if (values(head, "transfer-encoding").at(-1) === "chunked") return await this.#chunked();
    const length = values(head, "content-length")[0];
    if (length !== undefined) return { ...none, body: await this.bytes(Number(length)) };
    return { ...none, body: await this.rest() };
  }

  async #chunked(): Promise<{ body: Buffer; trailers: (readonly [string, string])[] }> {
    const pieces: Buffer[] = [];
    for (;;) {
      const size = Number.parseInt(await this.#upTo("\r\n"), 16);
      if (!Number.isInteger(size)) throw new Error("not a chunk size");
      if (size === 0) break;
      pieces.push(await this.bytes(size));
      if ((await this.bytes(2)).toString() !== "\r\n") throw new Error("a chunk without its line end");
    }
    const trailers: (readonly [string, string])[] = [];
    for (let line = await this.#upTo("\r\n"); line !== ""; line = await this.#upTo("\r\n"))
      trailers.push(pair(line));
    return { body: Buffer.concat(pieces), trailers };
  }

  /** Exactly so many bytes. */
  async bytes(count: number): Promise<Buffer> {
    await this.#until(() => this.#buffer.length >= count, `${count} bytes`);
    const taken = this.#buffer.subarray(0, count);
    this.#buffer = this.#buffer.subarray(count);
    return taken;
  }

  /** Everything up to the end of the connection. */
  async rest(): Promise<Buffer> {
    await soon("the end of the connection", this.#untilEnd());
    const taken = this.#buffer;
    this.#buffer = Buffer.alloc(0);
    return taken;
  }

  async #untilEnd(): Promise<void> {
    while (!this.ended) await this.#changed.promise;
  }

  async #upTo(border: string): Promise<string> {
    await this.#until(() => this.#buffer.includes(border), JSON.stringify(border));
    const at = this.#buffer.indexOf(border);
    const text = this.#buffer.subarray(0, at).toString("latin1");
    this.#buffer = this.#buffer.subarray(at + border.length);
    return text;
  }

  async #until(ready: () => boolean, what: string): Promise<void> {
    const wait = async () => {
      while (!ready()) {
        if (this.ended)
          throw new Closed(`closed before ${what}; had ${JSON.stringify(this.#buffer.toString("latin1"))}`);
        await this.#changed.promise;
      }
    };
    await soon(what, wait());
  }

  #announce(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }

  #end(reset: boolean): void {
    this.ended = true;
    this.reset ||= reset;
    this.#announce();
  }

  /** Closes with FIN. */
  close(): void {
    this.socket.destroy();
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

function pair(line: string): readonly [string, string] {
  const at = line.indexOf(":");
  if (at < 1) throw new Error(`not a header: ${JSON.stringify(line)}`);
  return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
}

/** One request on its own connection. */
export async function ask(
  port: number,
  method: string,
  target: string,
  head: readonly string[] = [],
  body: string | Uint8Array = "",
): Promise<Answer> {
  using client = await RawClient.open(port);
  return await client.request(method, target, head, body).answer(method);
}

/** One request over a socket of its own, byte by byte as wrk sends it: what a right answer looks like, and how large it is. */
import { connect } from "node:net";

export interface Answer {
  readonly status: number;
  readonly bodyBytes: number;
  /** All that came over the wire, head and chunk sizes included. */
  readonly wireBytes: number;
}

export interface Extra {
  readonly headers?: readonly string[];
  /** JSON in ASCII that is posted; without it, the path is got. */
  readonly body?: string;
}

const PATIENCE_MS = 20_000;

/** @returns the first answer on a connection that is kept; throws when it does not come or cannot be read */
export function probe(port: number, path: string, { headers = [], body = "" }: Extra = {}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const socket = connect(port, "127.0.0.1");
  const late = setTimeout(() => socket.destroy(new Error(`no answer from ${port}${path}`)), PATIENCE_MS);
  let got = Buffer.alloc(0);
  socket.on("connect", () => {
    const lines = body === "" ? [] : [`Content-Length: ${body.length}`, "Content-Type: application/json"];
    const head = [
      `${body === "" ? "GET" : "POST"} ${path} HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      ...headers,
      ...lines,
    ];
    socket.write([...head, "", body].join("\r\n"));
  });
  socket.on("data", (chunk: Buffer) => {
    got = Buffer.concat([got, chunk]);
    const answer = readAnswer(got, false);
    if (answer !== null) {
      resolve(answer);
      socket.destroy();
    }
  });
  socket.on("error", reject);
  socket.on("close", () => {
    clearTimeout(late);
    const answer = readAnswer(got, true);
    if (answer === null)
      reject(new Error(`not an answer from ${port}${path}: ${got.toString("latin1", 0, 200)}`));
    else resolve(answer);
  });
  return promise;
}

/** Null while it is not complete. @param ended whether the connection is closed, which ends an answer of no said length */
export function readAnswer(bytes: Buffer, ended: boolean): Answer | null {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd === -1) return null;
  const head = bytes.toString("latin1", 0, headEnd).toLowerCase();
  const status = Number(/^http\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0);
  const start = headEnd + 4;
  const length = /\ncontent-length: *(\d+)/.exec(head)?.[1];
  if (length !== undefined) {
    const bodyBytes = Number(length);
    return bytes.length < start + bodyBytes ? null : { status, bodyBytes, wireBytes: start + bodyBytes };
  }
  if (/\ntransfer-encoding: *chunked/.test(head)) return chunked(bytes, start, status);
  return ended ? { status, bodyBytes: bytes.length - start, wireBytes: bytes.length } : null;
}

function chunked(bytes: Buffer, start: number, status: number): Answer | null {
  let bodyBytes = 0;
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd === -1) return null;
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    at = lineEnd + 2 + size + 2;
    if (bytes.length < at) return null;
    bodyBytes += size;
    if (size === 0) return { status, bodyBytes, wireBytes: at };
  }
}

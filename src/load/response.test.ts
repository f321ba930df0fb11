import { describe, expect, test } from "bun:test";
import { type Fed, HeadMemory, ResponseReader } from "./response.ts";

interface Read {
  readonly fed: Fed;
  readonly status: number;
  readonly body: string;
  readonly keepAlive: boolean;
}

function read(pieces: readonly Buffer[], headOnly = false, memory = new HeadMemory()): Read {
  const reader = new ResponseReader(memory);
  reader.begin(headOnly, true);
  let fed: Fed = "more";
  for (const piece of pieces) {
    fed = reader.feed(piece);
    if (fed !== "more") break;
  }
  if (fed === "more" && reader.closed()) fed = "done";
  const body = Buffer.concat(reader.body ?? []);
  expect(reader.bodyBytes).toBe(body.length);
  return { fed, status: reader.status, body: body.toString("latin1"), keepAlive: reader.keepAlive };
}

const bytewise = (text: string) => [...Buffer.from(text, "latin1")].map((byte) => Buffer.from([byte]));

const good: Readonly<Record<string, [string, Read]>> = {
  "a length": [
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    { fed: "done", status: 200, body: "hello", keepAlive: true },
  ],
  "no body": [
    "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
    { fed: "done", status: 404, body: "", keepAlive: true },
  ],
  "no reason phrase": ["HTTP/1.1 204\r\n\r\n", { fed: "done", status: 204, body: "", keepAlive: true }],
  chunks: [
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX-T: 1\r\n\r\n",
    { fed: "done", status: 200, body: "hello world", keepAlive: true },
  ],
  "chunks that hold line ends": [
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n\r\n\r\n\r\n0\r\n\r\n",
    { fed: "done", status: 200, body: "\r\n\r\n", keepAlive: true },
  ],
  "until close": [
    "HTTP/1.1 200 OK\r\n\r\nall of it",
    { fed: "done", status: 200, body: "all of it", keepAlive: false },
  ],
  "connection: close": [
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
    { fed: "done", status: 200, body: "x", keepAlive: false },
  ],
  "HTTP/1.0 with keep-alive": [
    "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx",
    { fed: "done", status: 200, body: "x", keepAlive: true },
  ],
  "HTTP/1.0": [
    "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
    { fed: "done", status: 200, body: "x", keepAlive: false },
  ],
  "early hints first": [
    "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    { fed: "done", status: 200, body: "ok", keepAlive: true },
  ],
  "304 with a length": [
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n",
    { fed: "done", status: 304, body: "", keepAlive: true },
  ],
};

for (const [name, [text, wanted]] of Object.entries(good)) {
  test(`${name}: in one piece, byte by byte, and with a head that is remembered`, () => {
    const memory = new HeadMemory();
    expect(read([Buffer.from(text, "latin1")], false, memory)).toEqual(wanted);
    expect(read(bytewise(text))).toEqual(wanted);
    expect(read([Buffer.from(text, "latin1")], false, memory)).toEqual(wanted);
    for (let cut = 1; cut < text.length; cut++)
      expect(
        read(
          [Buffer.from(text.slice(0, cut), "latin1"), Buffer.from(text.slice(cut), "latin1")],
          false,
          memory,
        ),
      ).toEqual(wanted);
  });
}

test("the answer to HEAD ends with its head", () => {
  const text = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n";
  expect(read([Buffer.from(text)], true)).toEqual({ fed: "done", status: 200, body: "", keepAlive: true });
});

describe("not an answer", () => {
  for (const text of [
    "SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP/2 200\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc",
    `HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(20_000)}`,
  ]) {
    test(JSON.stringify(text.slice(0, 60)), () => {
      expect(read([Buffer.from(text)]).fed).toBe("malformed");
    });
  }
});

test("an answer that was cut is not whole", () => {
  const whole = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  for (let cut = 0; cut < whole.length; cut++)
    expect(read([Buffer.from(whole.slice(0, cut))]).fed).toBe("more");
});

test("a reader is used again", () => {
  const reader = new ResponseReader(new HeadMemory());
  for (const text of ["a", "bc", ""]) {
    reader.begin(false, true);
    expect(reader.begun).toBe(false);
    expect(reader.feed(Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`))).toBe(
      "done",
    );
    expect([reader.begun, reader.bodyBytes]).toEqual([true, text.length]);
  }
});

/** The front on real sockets, in front of pipelines of a few lines. */
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { request as requestHttps } from "node:https";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LogRecord } from "../model/log.ts";
import type { Refusal } from "./client.ts";
import { flushAll } from "./flush.ts";
import { type Address, RawClient } from "./http1/testing/client.ts";
import { settings } from "./http1/testing/harness.ts";
import { answerWhenComplete, bytes, pairs, Recorded } from "./http1/testing/recorder.ts";
import { Listener } from "./listener.ts";
import type { GatewaySettings, HttpLimits } from "./settings.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const NO_FIELDS = new Uint8Array(0);
const TLS = {
  tlsCert: readFileSync(join(import.meta.dir, "../../test/fixtures/tls/cert.pem"), "utf8"),
  tlsKey: readFileSync(join(import.meta.dir, "../../test/fixtures/tls/key.pem"), "utf8"),
};

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

/** A listener with its requests. */
interface Running {
  readonly listener: Listener;
  readonly address: Address;
  readonly requests: Recorded[];
  readonly refusals: Refusal[];
  readonly logs: LogRecord[];
  readonly counts: { opened: number; closed: number };
  /** Waits until `done` holds; looked at after every event of a request. */
  until(what: string, done: () => boolean): Promise<void>;
}

async function run(
  react: (request: Recorded) => void = answerWhenComplete,
  http: Partial<HttpLimits> = {},
  more: Partial<GatewaySettings> = {},
): Promise<Running> {
  const requests: Recorded[] = [];
  const refusals: Refusal[] = [];
  const logs: LogRecord[] = [];
  const counts = { opened: 0, closed: 0 };
  const all = settings(http, more);
  const listener = await Listener.start({
    settings: all,
    accept: (head, client) => {
      const request = new Recorded(head, client, react);
      requests.push(request);
      if (head.bodyLength !== 0) client.takeBody(Number.MAX_SAFE_INTEGER);
      react(request);
      return request;
    },
    refused: (refusal) => refusals.push(refusal),
    opened: () => counts.opened++,
    closed: () => counts.closed++,
    log: (record) => logs.push(record),
  });
  undo.push(() => listener.close());
  const until = async (what: string, done: () => boolean): Promise<void> => {
    const deadline = performance.now() + 20_000;
    while (!done()) {
      if (performance.now() > deadline) throw new Error(`no ${what}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const address = all.uds === "" ? { port: listener.port } : { unix: all.uds };
  return { listener, address, requests, refusals, logs, counts, until };
}

async function client(running: Running): Promise<RawClient> {
  const raw = await RawClient.connect(running.address);
  undo.push(() => raw.terminate());
  return raw;
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "headrace-listener-"));
  undo.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

const nothing = (): void => undefined;

describe("connections", () => {
  test("keep-alive: many requests on one connection", async () => {
    const running = await run();
    const raw = await client(running);
    for (let i = 1; i <= 20; i++) {
      await raw.send(`GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`);
      await raw.untilText(`GET /${i} 0\n`);
    }
    expect([running.counts.opened, running.listener.connections(), raw.ended]).toEqual([1, 1, false]);
  });

  test("pipelining: a hundred requests in one write are answered in order", async () => {
    const raw = await client(await run());
    const targets = Array.from({ length: 100 }, (_, i) => `/${i}`);
    await raw.send(targets.map((target) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`).join(""));
    await raw.untilText("GET /99 0\n");
    expect([...raw.text.matchAll(/GET (\/\d+) 0\n/g)].map((match) => match[1]!)).toEqual(targets);
  });

  test("peers", async () => {
    const running = await run();
    const raw = await client(running);
    await raw.send(GET);
    await raw.untilText("GET / 0");
    const { peers } = running.requests[0]!.client;
    expect(peers).toMatchObject({
      clientHost: "127.0.0.1",
      serverHost: "127.0.0.1",
      serverPort: running.listener.port,
    });
    expect([peers.clientPort > 0, peers.secure, peers.tls]).toEqual([true, false, ""]);
  });

  test("HTTP/1.0 is answered and closed", async () => {
    const raw = await client(await run());
    await raw.send("GET / HTTP/1.0\r\n\r\n");
    await raw.untilEnd();
    expect(raw.text).toContain("connection: close\r\n");
    expect(raw.text).toEndWith("GET / 0\n");
  });

  test("100 Continue goes out before the body has come", async () => {
    const raw = await client(await run());
    await raw.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    await raw.untilText("HTTP/1.1 100 Continue\r\n\r\n");
    await raw.send("hello");
    await raw.untilText("POST / 5\n");
  });

  test("a client that sends FIN after its request gets its answer", async () => {
    const running = await run(nothing);
    const raw = await client(running);
    await raw.send(GET);
    raw.fin();
    await running.until("request", () => running.requests.length === 1);
    answerWhenComplete(running.requests[0]!);
    flushAll();
    await raw.until("close", () => raw.closed || raw.ended);
    expect(raw.text).toEndWith("GET / 0\n");
  });

  test("a client that leaves while it waits is noticed", async () => {
    const running = await run(nothing);
    const raw = await client(running);
    await raw.send(GET);
    await running.until("request", () => running.requests.length === 1);
    raw.close();
    await running.until("gone", () => running.requests[0]!.goneFor !== "");
    await running.until("close", () => running.listener.connections() === 0);
  });

  test("so is one that resets", async () => {
    const running = await run(nothing);
    const raw = await client(running);
    await raw.send(GET);
    await running.until("request", () => running.requests.length === 1);
    raw.terminate();
    await running.until("gone", () => running.requests[0]!.goneFor === "reset");
  });

  test("an aborted response is a reset, not an end", async () => {
    const running = await run((request) => {
      request.client.respond(200, NO_FIELDS, false, false);
      request.client.body(bytes("half"), false);
      setImmediate(() => request.client.abort());
    });
    const raw = await client(running);
    await raw.send(GET);
    await raw.until("close", () => raw.closed);
    expect([raw.reset, raw.text.endsWith("0\r\n\r\n")]).toEqual([true, false]);
  });

  test("a refusal reaches a client that is still sending", async () => {
    const running = await run(answerWhenComplete, { bodyBytes: 1000 });
    const raw = await client(running);
    await raw.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n");
    await raw.send(new Uint8Array(2_000_000));
    await raw.untilEnd();
    expect(raw.text).toContain("HTTP/1.1 413 ");
    expect(raw.text).toEndWith("limit.\n");
    expect(running.refusals).toMatchObject([
      { status: 413, code: "HR_HTTP_BODY_SIZE", method: "POST", target: "/" },
    ]);
  });
});

describe("time limits on sockets", () => {
  test("slow headers", async () => {
    const raw = await client(await run(answerWhenComplete, { headerTimeoutMs: 100 }));
    await raw.send("GET / HTTP/1.1\r\nX: ");
    await raw.untilEnd();
    expect(raw.text).toContain("HTTP/1.1 408 ");
  });

  test("slow body", async () => {
    const running = await run(answerWhenComplete, { bodyTimeoutMs: 100 });
    const raw = await client(running);
    await raw.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
    await raw.untilEnd();
    expect(raw.text).toContain("HTTP/1.1 408 ");
    expect(running.requests[0]!.goneFor).toBe("slow-body");
  });

  test("slow reader", async () => {
    const running = await run(nothing, { sendTimeoutMs: 100 });
    const raw = await client(running);
    raw.pause();
    await raw.send(GET);
    await running.until("request", () => running.requests.length === 1);
    const request = running.requests[0]!;
    request.client.respond(200, NO_FIELDS, false, false);
    request.client.body(new Uint8Array(16_000_000), false);
    flushAll();
    await running.until("gone", () => request.goneFor !== "");
    expect(request.goneFor).toBe("slow-read");
  });

  test("idle", async () => {
    const raw = await client(await run(answerWhenComplete, { idleTimeoutMs: 100 }));
    await raw.send(GET);
    await raw.untilEnd();
    expect(raw.text).toEndWith("GET / 0\n");
  });
});

describe("large bodies", () => {
  test("an upload is read no faster than it is granted", async () => {
    const size = 32 * 1024 * 1024;
    const window = 256 * 1024;
    let taken = 0;
    let largest = 0;
    const listener = await Listener.start({
      settings: settings(),
      refused: nothing,
      log: nothing,
      accept: (_head, side) => {
        side.takeBody(window);
        return {
          body(chunk, end) {
            taken += chunk.length;
            largest = Math.max(largest, chunk.length);
            // A consumer with a rest after every piece.
            if (!end) setImmediate(() => side.takeBody(chunk.length));
            else side.respond(200, NO_FIELDS, true, false);
          },
          sent: nothing,
          message: nothing,
          closed: nothing,
          gone: nothing,
          finished: nothing,
        };
      },
    });
    undo.push(() => listener.close());
    const raw = await RawClient.connect({ port: listener.port });
    undo.push(() => raw.terminate());
    await raw.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
    expect(await raw.send(new Uint8Array(size))).toBe(true);
    await raw.untilText("HTTP/1.1 200");
    expect(taken).toBe(size);
    expect(largest).toBeLessThanOrEqual(window);
  });

  test("a download that is written as it is taken arrives whole", async () => {
    const size = 32 * 1024 * 1024;
    const window = 256 * 1024;
    let peak = 0;
    const running = await run((request) => {
      let unsent = 0;
      let left = size;
      const more = (): void => {
        while (left > 0 && unsent < window) {
          const piece = new Uint8Array(Math.min(60_000, left));
          left -= piece.length;
          unsent += piece.length;
          peak = Math.max(peak, unsent);
          request.client.body(piece, left === 0);
        }
      };
      request.sent = (sent) => {
        unsent -= sent;
        more();
      };
      request.client.respond(200, pairs(`content-length: ${size}`), false, false);
      more();
    });
    const raw = await client(running);
    raw.keep = false;
    await raw.send(GET);
    await raw.until("body", () => raw.received > size);
    await running.until("finish", () => running.requests[0]!.finishedBytes === raw.received);
    expect(peak).toBeLessThan(window + 60_000);
  });
});

describe("files", () => {
  const send =
    (path: string, fields: Uint8Array = NO_FIELDS) =>
    (request: Recorded): void => {
      request.client.respond(200, fields, false, false);
      request.client.file(path);
    };

  test("a file is the body, with its length", async () => {
    const path = join(folder(), "data");
    const content = Buffer.alloc(3_000_000, "0123456789abcdef\n");
    writeFileSync(path, content);
    const running = await run(send(path));
    const raw = await client(running);
    await raw.send(GET + GET);
    await raw.until("two files", () => count(raw.text, "HTTP/1.1 200") === 2 && raw.received > 6_000_000);
    const [, first, second] = raw.text.split(/HTTP\/1\.1 200 OK\r\n/);
    for (const response of [first!, second!]) {
      expect(response).toContain("content-length: 3000000\r\n");
      expect(response.slice(response.indexOf("\r\n\r\n") + 4) === content.toString("latin1")).toBe(true);
    }
    await running.until("finish", () => running.requests[1]!.finishedBytes > 3_000_000);
    expect(running.requests.map((request) => request.sentBytes)).toEqual([0, 0]);
  });

  test("an empty file, and HEAD", async () => {
    const path = join(folder(), "empty");
    writeFileSync(path, "");
    const raw = await client(await run(send(path)));
    await raw.send(`${GET}HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    await raw.untilEnd();
    expect(count(raw.text, "HTTP/1.1 200 OK")).toBe(2);
    expect(count(raw.text, "content-length: 0\r\n")).toBeGreaterThanOrEqual(1);
  });

  test("what is no regular file, or is not there, cuts the response", async () => {
    const path = folder();
    const fifo = join(path, "fifo");
    Bun.spawnSync(["mkfifo", fifo]);
    expect(existsSync(fifo)).toBe(true);
    for (const bad of [join(path, "missing"), path, fifo, "/dev/zero", "no\0path"]) {
      const raw = await client(await run(send(bad)));
      await raw.send(GET);
      await raw.until("close", () => raw.closed);
      expect([raw.reset, raw.text]).toEqual([true, ""]);
    }
  });

  test("a length of the app's that is not the file's: 502", async () => {
    const path = join(folder(), "data");
    writeFileSync(path, "abc");
    const running = await run(send(path, pairs("content-length: 4")));
    const raw = await client(running);
    await raw.send(GET);
    await raw.untilEnd();
    expect(raw.text).toContain("HTTP/1.1 502 ");
    expect(running.logs.map((log) => log.event)).toEqual(["http.bad_response"]);
  });
});

describe("TLS", () => {
  test("HTTP/1.1, with what was negotiated in peers", async () => {
    const running = await run(answerWhenComplete, {}, TLS);
    const text = await new Promise<string>((resolve, reject) => {
      const options = {
        host: "127.0.0.1",
        port: running.listener.port,
        rejectUnauthorized: false,
        agent: false as const,
      };
      const request = requestHttps(options, (response) => {
        response.setEncoding("utf8");
        response.on("data", resolve);
      });
      request.on("error", reject);
      request.end();
    });
    expect(text).toBe("GET / 0\n");
    const { peers } = running.requests[0]!.client;
    expect(peers.secure).toBe(true);
    expect(peers.tls).toMatch(/^77[12] [1-9]\d{3,4}$/);
  });

  test("HTTP/2 by ALPN", async () => {
    const running = await run(answerWhenComplete, {}, { ...TLS, http2: true });
    const session = connectHttp2(`https://127.0.0.1:${running.listener.port}`, { rejectUnauthorized: false });
    undo.push(() => session.destroy());
    const text = await new Promise<string>((resolve, reject) => {
      session.on("error", reject);
      const stream = session.request({ ":path": "/two" });
      stream.setEncoding("utf8");
      stream.on("data", resolve);
      stream.end();
    });
    expect(text).toBe("GET /two 0\n");
    expect(running.requests[0]!.head.version).toBe(20);
  });

  test("a handshake that does not come is cut off", async () => {
    const running = await run(answerWhenComplete, { headerTimeoutMs: 100 }, TLS);
    const raw = await client(running);
    await raw.until("close", () => raw.closed);
    await running.until("close", () => running.listener.connections() === 0);
  });

  test("clear text on the TLS port is closed", async () => {
    const running = await run(answerWhenComplete, {}, TLS);
    const raw = await client(running);
    await raw.send(GET);
    await raw.untilEnd();
    expect(running.requests).toEqual([]);
  });
});

test("HTTP/2 by prior knowledge", async () => {
  const running = await run(answerWhenComplete, {}, { http2: true });
  const session = connectHttp2(`http://127.0.0.1:${running.listener.port}`);
  undo.push(() => session.destroy());
  const text = await new Promise<string>((resolve, reject) => {
    session.on("error", reject);
    const stream = session.request({ ":path": "/two" });
    stream.setEncoding("utf8");
    stream.on("data", resolve);
    stream.end();
  });
  expect(text).toBe("GET /two 0\n");
});

describe("listening", () => {
  test("a port in use", async () => {
    const running = await run();
    await expect(run(nothing, {}, { port: running.listener.port })).rejects.toMatchObject({
      code: "HR_LISTEN_IN_USE",
    });
  });

  test("two share a port when both are told to", async () => {
    const first = await run(answerWhenComplete, {}, { reusePort: true });
    const second = await run(answerWhenComplete, {}, { reusePort: true, port: first.listener.port });
    expect(second.listener.port).toBe(first.listener.port);
  });

  test("an address that is not ours, and a certificate that is none", async () => {
    await expect(run(nothing, {}, { host: "203.0.113.9" })).rejects.toMatchObject({
      code: "HR_LISTEN_ADDRESS",
    });
    await expect(run(nothing, {}, { host: "no.such.host.invalid" })).rejects.toMatchObject({
      code: "HR_LISTEN_ADDRESS",
    });
    await expect(run(nothing, {}, { ...TLS, tlsKey: "x" })).rejects.toMatchObject({
      code: "HR_LISTEN_CERTIFICATE",
    });
    await expect(run(nothing, {}, { ...TLS, tlsCert: "x" })).rejects.toMatchObject({
      code: "HR_LISTEN_CERTIFICATE",
    });
  });

  test("a Unix socket", async () => {
    const uds = join(folder(), "socket");
    const running = await run(answerWhenComplete, {}, { uds });
    const raw = await client(running);
    await raw.send(GET);
    await raw.untilText("GET / 0\n");
    expect(running.requests[0]!.client.peers).toMatchObject({
      clientHost: "",
      clientPort: 0,
      serverHost: uds,
    });
    await expect(run(nothing, {}, { uds })).rejects.toMatchObject({ code: "HR_LISTEN_IN_USE" });
  });

  test("a Unix socket that a dead process left behind is replaced, another file is not", async () => {
    const path = folder();
    const uds = join(path, "socket");
    const owner = Bun.spawn(
      [
        process.execPath,
        "-e",
        `Bun.listen({ unix: ${JSON.stringify(uds)}, socket: { data() {} } }); process.stdout.write("up")`,
      ],
      { stdout: "pipe" },
    );
    await owner.stdout.getReader().read();
    owner.kill(9);
    await owner.exited;
    expect(existsSync(uds)).toBe(true);
    const raw = await client(await run(answerWhenComplete, {}, { uds }));
    await raw.send(GET);
    await raw.untilText("GET / 0\n");
    const file = join(path, "file");
    writeFileSync(file, "precious");
    await expect(run(nothing, {}, { uds: file })).rejects.toMatchObject({ code: "HR_LISTEN_ADDRESS" });
    expect(readFileSync(file, "utf8")).toBe("precious");
  });
});

describe("drain", () => {
  test("idle connections close, busy ones answer and close, then it is done", async () => {
    const running = await run(nothing);
    const idle = await client(running);
    const busy = await client(running);
    await busy.send(GET);
    await running.until("request", () => running.requests.length === 1 && running.counts.opened === 2);
    const drained = running.listener.drain();
    await idle.untilEnd();
    idle.close();
    answerWhenComplete(running.requests[0]!);
    flushAll();
    await busy.untilEnd();
    expect(busy.text).toContain("connection: close\r\n");
    busy.close();
    await drained;
    expect([running.listener.connections(), running.counts.closed]).toEqual([0, 2]);
    const refused = await new Promise<boolean>((resolve) => {
      const late = connectTcp(running.listener.port, "127.0.0.1");
      late.on("connect", () => resolve(false));
      late.on("error", () => resolve(true));
    });
    expect(refused).toBe(true);
  });

  test("close cuts what is left", async () => {
    const running = await run(nothing);
    const raw = await client(running);
    await raw.send(GET);
    await running.until("request", () => running.requests.length === 1);
    const drained = running.listener.drain();
    running.listener.close();
    await drained;
    expect(running.requests[0]!.goneFor).toBe("shutdown");
  });
});

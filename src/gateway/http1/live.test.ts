/** The front on real sockets, in front of pipelines of a few lines. */
import { describe, expect, test } from "bun:test";
import { existsSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { flushAll } from "../flush.ts";
import { Listener } from "../listener.ts";
import { RawClient } from "./testing/client.ts";
import { settings } from "./testing/harness.ts";
import { answerWhenComplete, bytes, GET, nothing, pairs, type Recorded } from "./testing/recorder.ts";
import { client, folder, later, run, undoAfterEach } from "./testing/running.ts";

const NO_FIELDS = new Uint8Array(0);

undoAfterEach();

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

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
    later(() => listener.close());
    const raw = await RawClient.connect({ port: listener.port });
    later(() => raw.terminate());
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

  test("what is no regular file, or is not there: 502", async () => {
    const path = folder();
    const fifo = join(path, "fifo");
    Bun.spawnSync(["mkfifo", fifo]);
    expect(existsSync(fifo)).toBe(true);
    for (const bad of [join(path, "missing"), path, fifo, "/dev/zero", "no\0path"]) {
      const running = await run(send(bad));
      const raw = await client(running);
      await raw.send(GET);
      await raw.untilEnd();
      expect(raw.text).toContain("HTTP/1.1 502 ");
      expect(running.requests[0]!.goneFor).toBe("protocol-error");
    }
  });

  test("one that becomes shorter while it is sent cuts the response", async () => {
    const path = join(folder(), "data");
    writeFileSync(path, Buffer.alloc(64 * 1024 * 1024));
    const running = await run(send(path));
    const raw = await client(running);
    raw.keep = false;
    await raw.send(GET);
    await raw.until("first bytes", () => raw.received > 0);
    raw.pause();
    truncateSync(path, 1000);
    raw.resume();
    await running.until("gone", () => running.requests[0]!.goneFor === "protocol-error");
    await raw.until("close", () => raw.closed);
    expect(raw.reset).toBe(true);
  });

  test("a length of the app's that is not the file's: 502", async () => {
    const path = join(folder(), "data");
    writeFileSync(path, "abc");
    const running = await run(send(path, pairs("content-length: 4")));
    const raw = await client(running);
    await raw.send(GET);
    await raw.untilEnd();
    expect(raw.text).toContain("HTTP/1.1 502 ");
    expect(running.logs.map((log) => log.event)).toEqual(["gateway.bad_response"]);
  });
});

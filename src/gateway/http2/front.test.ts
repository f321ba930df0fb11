import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Seen as Bits } from "../client.ts";
import { pairsOf } from "../websocket/handshake.ts";
import {
  block,
  END_HEADERS,
  END_STREAM,
  FrameType,
  frame,
  get,
  RawHttp2Client,
  settings,
  u32,
} from "./testing/raw-client.ts";
import { type App, echo, Http2TestServer, pairs, type Seen, type ServerOptions } from "./testing/server.ts";

let server: Http2TestServer;
const clients: RawHttp2Client[] = [];

async function start(options: ServerOptions = {}, first?: Uint8Array): Promise<RawHttp2Client> {
  server = new Http2TestServer(options);
  return await connect(first);
}

async function connect(first?: Uint8Array): Promise<RawHttp2Client> {
  const client = await RawHttp2Client.open(server.port, first);
  clients.push(client);
  return client;
}

afterEach(() => {
  for (const client of clients.splice(0)) client.cut();
  server.stop();
});

type Pair = readonly [string, string];
const post = (path: string, ...more: Pair[]) => [[":method", "POST"] as Pair, ...get(path).slice(1), ...more];

/** HEADERS with END_STREAM unless a body follows. */
function request(stream: number, list: readonly Pair[], body = false): Buffer {
  return frame(FrameType.HEADERS, END_HEADERS | (body ? 0 : END_STREAM), stream, block(...list));
}

function data(stream: number, bytes: Uint8Array | string, end = false): Buffer {
  return frame(FrameType.DATA, end ? END_STREAM : 0, stream, Buffer.from(bytes as Uint8Array));
}

const reset = (stream: number, code = 8) => frame(FrameType.RST_STREAM, 0, stream, u32(code));

describe("the head", () => {
  test("order, duplicates and bytes are kept; :authority comes first as host", async () => {
    const client = await start();
    client.send(
      request(1, [
        ...get("/a%2Fb/../c?x=%zz&{}"),
        ["cookie", "a=1"],
        ["x-b", "caf\u00e9 \u00ff"],
        ["cookie", "b=2"],
        ["te", "trailers"],
        ["x-forwarded-for", "1.2.3.4"],
        ["x-request-id", "r1"],
      ]),
    );
    expect(await client.outcome(1)).toBe("end");
    const { head } = server.seen[0]!;
    expect(head).toMatchObject({
      method: "GET",
      version: 20,
      bodyLength: 0,
      expectContinue: false,
      websocket: false,
    });
    expect(Buffer.from(head.target).toString()).toBe("/a%2Fb/../c?x=%zz&{}");
    expect(pairsOf(head.fields)).toEqual([
      ["host", "example.test"],
      ["cookie", "a=1"],
      ["x-b", "caf\u00e9 \u00ff"],
      ["cookie", "b=2"],
      ["te", "trailers"],
      ["x-forwarded-for", "1.2.3.4"],
      ["x-request-id", "r1"],
    ]);
    expect(head.seen).toBe(Bits.HOST | Bits.TE_TRAILERS | Bits.X_FORWARDED | Bits.REQUEST_ID);
  });

  for (const [name, list, status, code] of [
    ["path over the limit", get(`/${"x".repeat(8192)}`), "414", "HR_HTTP_REQUEST_LINE_SIZE"],
    [
      "headers over the limit",
      [...get("/"), ["x-big", "y".repeat(16_400)] as Pair],
      "431",
      "HR_HTTP_HEADER_SIZE",
    ],
    [
      "too many headers",
      [...get("/"), ...Array.from({ length: 51 }, (_, n) => [`x${n}`, ""] as Pair)],
      "431",
      "HR_HTTP_HEADER_COUNT",
    ],
    ["an expectation", [...get("/"), ["expect", "magic"] as Pair], "417", "HR_HTTP_EXPECTATION"],
    [
      "two content-types",
      [...get("/"), ["content-type", "a/b"] as Pair, ["content-type", "c/d"] as Pair],
      "400",
      "HR_HTTP_CONTENT_TYPE_TWICE",
    ],
    ["CONNECT", [[":method", "CONNECT"] as Pair, [":authority", "a:1"] as Pair], "501", "HR_HTTP_CONNECT"],
    [
      "a path that is none",
      [...get("/").slice(0, 2), [":path", "*"] as Pair, [":authority", "a"] as Pair],
      "400",
      "HR_HTTP_BAD_TARGET",
    ],
    [
      "a host that is a list",
      [...get("/").slice(0, 3), [":authority", "a,b"] as Pair],
      "400",
      "HR_HTTP_BAD_HOST",
    ],
  ] as const) {
    test(`${name} is refused with ${status}`, async () => {
      const client = await start();
      client.send(...split(1, block(...list)));
      expect(["end", "rst 1"]).toContain(await client.outcome(1));
      if (client.result(1) === "end") {
        expect(server.refusals).toMatchObject([{ status: Number(status), code }]);
        expect(client.body(1).toString()).toStartWith(code);
      }
      expect(server.seen).toHaveLength(0);
      // The connection lives on.
      client.send(request(3, get("/")));
      expect(await client.outcome(3)).toBe("end");
    });
  }

  test("a value with a control byte never reaches the app: the runtime drops the field", async () => {
    const client = await start();
    client.send(request(1, [...get("/"), ["x-a", "a\u0001b"], ["x-b", "a\u007fb"], ["x-c", "fine"]]));
    expect(await client.outcome(1)).toBe("end");
    expect(pairsOf(server.seen[0]!.head.fields)).toEqual([
      ["host", "example.test"],
      ["x-c", "fine"],
    ]);
  });

  test("a body that says it is too long is refused before it comes", async () => {
    const client = await start({ limits: { bodyBytes: 10 } });
    client.send(request(1, post("/", ["content-length", "11"]), true));
    await client.until(() => client.result(1) !== "");
    expect(client.body(1).toString()).toStartWith("HR_HTTP_BODY_SIZE");
    expect(server.refusals[0]).toMatchObject({ status: 413, method: "POST", target: "/" });
  });
});

/** A header block in frames of 16 KiB. */
function split(stream: number, bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += 16_384) {
    const flags = (at + 16_384 >= bytes.length ? END_HEADERS : 0) | (at === 0 ? END_STREAM : 0);
    frames.push(
      frame(
        at === 0 ? FrameType.HEADERS : FrameType.CONTINUATION,
        flags,
        stream,
        bytes.subarray(at, at + 16_384),
      ),
    );
  }
  return frames;
}

describe("request bodies", () => {
  test("nothing comes before it is granted, and no more than was", async () => {
    const client = await start({ app: () => undefined });
    client.send(
      request(1, post("/"), true),
      data(1, "0123456789"),
      frame(FrameType.PING, 0, 0, Buffer.alloc(8)),
    );
    await client.until(() => client.find(FrameType.PING) !== undefined);
    const seen = server.seen[0]!;
    expect(seen.bodyBytes).toBe(0);
    seen.client.takeBody(4);
    await server.until(() => seen.bodyBytes === 4);
    seen.client.takeBody(3);
    await server.until(() => seen.bodyBytes === 7);
    client.send(data(1, "ab", true));
    seen.client.takeBody(100);
    await server.until(() => seen.ended);
    expect(seen.bodyBytes).toBe(12);
  });

  test("a client cannot send more than its window while the app does not read", async () => {
    const client = await start({ app: () => undefined });
    client.send(request(1, post("/"), true));
    const granted = () =>
      client.frames
        .filter((one) => one.type === FrameType.WINDOW_UPDATE && one.stream === 1)
        .reduce((sum, one) => sum + one.payload.readUInt32BE(0), 65_535);
    let sent = 0;
    const fill = () => {
      for (; granted() - sent >= 16_384; sent += 16_384) client.send(data(1, Buffer.alloc(16_384)));
    };
    for (let round = 0; round < 20; round++) {
      fill();
      const pings = client.frames.length;
      client.send(frame(FrameType.PING, 0, 0, Buffer.alloc(8)));
      await client.until(() => client.frames.slice(pings).some((one) => one.type === FrameType.PING));
    }
    expect(sent).toBeLessThan(300_000);
    // Another stream of the same connection still gets its body through.
    client.send(request(3, post("/"), true), data(3, "x", true));
    await server.until(() => server.seen.length === 2);
    server.seen[1]!.client.takeBody(10);
    await server.until(() => server.seen[1]!.ended);
  });

  test("content-length tells the end with the last bytes", async () => {
    const ends: string[] = [];
    const client = await start({
      app: (seen) => {
        seen.onBody = (chunk, end) => ends.push(`${chunk.length} ${end}`);
        seen.client.takeBody(100);
      },
    });
    client.send(request(1, post("/", ["content-length", "4"]), true), data(1, "abcd", true));
    await server.until(() => server.seen[0]?.ended === true);
    expect(server.seen[0]!.head.bodyLength).toBe(4);
    expect(ends.join()).toBe("4 true");
  });

  test("100 Continue is sent when the app asks for the body, and not before", async () => {
    const client = await start({ app: () => undefined });
    client.send(
      request(1, post("/", ["expect", "100-continue"]), true),
      frame(FrameType.PING, 0, 0, Buffer.alloc(8)),
    );
    await client.until(() => client.find(FrameType.PING) !== undefined);
    expect(client.find(FrameType.HEADERS, 1)).toBeUndefined();
    const seen = server.seen[0]!;
    expect(seen.head.expectContinue).toBe(true);
    seen.client.takeBody(10);
    await client.until(() => client.find(FrameType.HEADERS, 1) !== undefined);
    expect(client.find(FrameType.HEADERS, 1)!.flags & END_STREAM).toBe(0);
    client.send(data(1, "x", true));
    await server.until(() => seen.ended);
    seen.client.takeBody(10);
    seen.client.respond(200, new Uint8Array(0), true, false);
    expect(await client.outcome(1)).toBe("end");
    expect(client.frames.filter((one) => one.type === FrameType.HEADERS)).toHaveLength(2);
  });

  test("a reset or a lost connection in the middle is never a complete body", async () => {
    const app: App = (seen) => seen.client.takeBody(1000);
    const client = await start({ app });
    client.send(request(1, post("/"), true), data(1, "abc"), reset(1));
    await server.until(() => server.seen[0]?.events.length === 1);
    expect(server.seen[0]).toMatchObject({ ended: false, events: ["gone reset"] });
    client.send(request(3, post("/"), true), data(3, "abc"));
    await server.until(() => server.seen[1]?.bodyBytes === 3);
    client.cut();
    await server.until(() => server.seen[1]!.events.length === 1 && server.left === 1);
    expect(server.seen[1]!.ended).toBe(false);
    expect(server.seen[1]!.events[0]).toMatch(/^gone (closed|reset)$/);
  });

  test("a body over the limit is answered with 413, and cut off once the response has begun", async () => {
    const client = await start({
      limits: { bodyBytes: 1000 },
      app: (seen) => {
        seen.client.takeBody(1 << 20);
        if (Buffer.from(seen.head.target).toString() === "/begun")
          seen.client.respond(200, new Uint8Array(0), false, false);
      },
    });
    client.send(request(1, post("/"), true), data(1, Buffer.alloc(1001)));
    await client.until(() => client.body(1).toString().startsWith("HR_HTTP_BODY_SIZE"));
    client.send(request(3, post("/begun"), true), data(3, Buffer.alloc(1001)));
    expect(await client.outcome(3)).toBe("rst 2");
    await server.until(() => server.seen.every((seen) => seen.events.length === 1));
    expect(server.seen.map((seen) => seen.events)).toEqual([["gone too-large"], ["gone too-large"]]);
  });

  test("an early response lets the client finish a small body, and stops a large one", async () => {
    const app: App = (seen) => queueMicrotask(() => seen.client.respond(204, new Uint8Array(0), true, false));
    const client = await start({ app, limits: { discardBytes: 50_000 } });
    client.send(request(1, post("/"), true), data(1, Buffer.alloc(10_000)));
    expect(await client.outcome(1)).toBe("end");
    client.send(data(1, Buffer.alloc(10_000), true), request(3, get("/")));
    expect(await client.outcome(3)).toBe("end");
    expect(client.find(FrameType.RST_STREAM)).toBeUndefined();
    client.send(request(5, post("/"), true));
    for (let n = 0; n < 4; n++) client.send(data(5, Buffer.alloc(15_000)));
    await client.until(() => client.find(FrameType.RST_STREAM, 5) !== undefined);
    expect(client.find(FrameType.RST_STREAM, 5)!.payload.readUInt32BE(0)).toBe(0);
    expect(server.seen.map((seen) => seen.events)).toEqual([["finished"], ["finished"], ["finished"]]);
  });
});

/** An app that answers from outside `accept`, as the pipeline does. */
const answer =
  (respond: (seen: Seen) => void): App =>
  (seen) =>
    queueMicrotask(() => respond(seen));

describe("responses", () => {
  test("headers keep order and duplicates, 103 and trailers are sent", async () => {
    const client = await start({
      app: answer(({ client }) => {
        client.inform(103, pairs("link", "</a>", "link", "</b>"));
        client.respond(
          200,
          pairs("set-cookie", "a=1", "x-b", "2", "set-cookie", "b=2", "connection", "close"),
          false,
          true,
        );
        client.body(Buffer.from("body"), false);
        client.trailers(pairs("x-check", "1", "x-check", "2", "content-length", "9"));
      }),
    });
    client.send(request(1, get("/")));
    expect(await client.outcome(1)).toBe("end");
    const heads = client.frames.filter((one) => one.type === FrameType.HEADERS);
    expect(heads).toHaveLength(3);
    expect(heads[2]!.flags & END_STREAM).toBe(END_STREAM);
    expect(client.body(1).toString()).toBe("body");
    await server.until(() => server.seen[0]!.events.length === 1);
    expect(server.seen[0]).toMatchObject({ events: ["finished"], sentBytes: 4 });
  });

  test("HEAD, 204 and 304 have no body", async () => {
    const statuses = [200, 204, 304];
    const client = await start({
      app: answer((seen) => {
        seen.client.respond(statuses[server.seen.length - 1]!, pairs("content-length", "5"), false, false);
        seen.give(Buffer.from("12345"), true);
      }),
    });
    for (const [stream, method] of [
      [1, "HEAD"],
      [3, "GET"],
      [5, "GET"],
    ] as const) {
      client.send(request(stream, [[":method", method], ...get("/").slice(1)]));
      expect(await client.outcome(stream)).toBe("end");
      expect(client.body(stream)).toHaveLength(0);
    }
    expect(server.seen.map((seen) => [seen.events[0], seen.sentBytes])).toEqual(
      statuses.map(() => ["finished", 5]),
    );
  });

  test("a response that is cut off is reset, never ended", async () => {
    const client = await start({
      app: answer(({ client, head }) => {
        const path = Buffer.from(head.target).toString();
        client.respond(
          200,
          path === "/short" ? pairs("content-length", "9") : new Uint8Array(0),
          false,
          false,
        );
        client.body(Buffer.from("part"), path === "/short");
        if (path === "/abort") client.abort();
        if (path === "/file") client.file("/does/not/exist");
      }),
    });
    for (const [stream, path] of [
      [1, "/abort"],
      [3, "/short"],
      [5, "/file"],
    ] as const) {
      client.send(request(stream, get(path)));
      expect(await client.outcome(stream)).toBe("rst 2");
    }
  });

  test("headers that would break HTTP become a 502", async () => {
    const client = await start({
      app: answer(({ client }) => client.respond(200, pairs("x-a", "1\r\nx-b: 2"), true, false)),
    });
    client.send(request(1, get("/")));
    expect(await client.outcome(1)).toBe("end");
    expect(client.body(1).toString()).toStartWith("HR_BAD_RESPONSE");
    expect(server.bad).toEqual([200]);
    expect(server.seen[0]!.events).toEqual(["gone protocol-error"]);
  });

  test("a file is sent as the body", async () => {
    const folder = mkdtempSync(join(tmpdir(), "headrace-"));
    const path = join(folder, "file");
    const bytes = Buffer.alloc(700_000, "0123456789abcdef");
    writeFileSync(path, bytes);
    const window = settings([4, 1 << 24]);
    const client = await start(
      {
        app: answer(({ client }) => {
          client.respond(200, pairs("content-length", String(bytes.length)), false, false);
          client.file(path);
        }),
      },
      window,
    );
    client.send(frame(FrameType.WINDOW_UPDATE, 0, 0, u32(1 << 24)), request(1, get("/")));
    expect(await client.outcome(1)).toBe("end");
    expect(client.body(1).equals(bytes)).toBe(true);
    await server.until(() => server.seen[0]!.events.length === 1);
    expect(server.seen[0]!.events).toEqual(["finished"]);
    rmSync(folder, { recursive: true });
  });

  /** Gives chunks as long as fewer than 256 KiB are unsent, as the credit of the pipeline does. */
  const endless: App = (seen) => {
    const chunk = Buffer.alloc(64 * 1024);
    const more = () => {
      while (seen.given - seen.sentBytes < 262_144 && seen.given < 64 << 20) seen.give(chunk, false);
    };
    seen.onSent = more;
    queueMicrotask(() => {
      seen.client.respond(200, new Uint8Array(0), false, false);
      more();
    });
  };

  test("the client's flow control holds the response", async () => {
    const client = await start({ app: endless });
    client.send(request(1, get("/")));
    await client.until(() => client.body(1).length === 65_535);
    client.send(frame(FrameType.PING, 0, 0, Buffer.alloc(8)));
    await client.until(() => client.find(FrameType.PING) !== undefined);
    expect(client.body(1).length).toBe(65_535);
    expect(server.seen[0]!.mostUnsent).toBeLessThanOrEqual(262_144);
    client.send(
      frame(FrameType.WINDOW_UPDATE, 0, 0, u32(200_000)),
      frame(FrameType.WINDOW_UPDATE, 0, 1, u32(200_000)),
    );
    await client.until(() => client.body(1).length === 265_535);
    client.send(reset(1));
    await server.until(() => server.seen[0]!.events.length === 1);
    expect(server.seen[0]!.events).toEqual(["gone reset"]);
  });

  test("huge windows do not make a client that stops reading cost more than the credit", async () => {
    const huge = 0x7fffffff;
    const client = await start({ app: endless }, settings([4, huge]));
    client.send(frame(FrameType.WINDOW_UPDATE, 0, 0, u32(huge - 65_535)), request(1, get("/")));
    await client.until(() => client.body(1).length > 0);
    client.pause();
    const seen = server.seen[0]!;
    // The sockets in between fill up, then nothing is taken any more.
    let before = -1;
    while (seen.given !== before) {
      before = seen.given;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(seen.given).toBeLessThan(64 << 20);
    expect(seen.given - seen.sentBytes).toBeLessThanOrEqual(262_144 + 65_536);
    client.resume();
    await server.until(() => seen.given > before);
  });

  test("uploads come back while they are still being sent", async () => {
    const client = await start({ app: (seen) => echo(seen) }, settings([4, 1 << 24]));
    client.send(frame(FrameType.WINDOW_UPDATE, 0, 0, u32(1 << 24)), request(1, post("/"), true));
    const half = Buffer.alloc(15_000, "ab");
    client.send(data(1, half));
    await client.until(() => client.body(1).length === half.length);
    client.send(data(1, half, true));
    expect(await client.outcome(1)).toBe("end");
    expect(client.body(1).equals(Buffer.concat([half, half]))).toBe(true);
  });
});

describe("time and ends", () => {
  const slow: App = (seen) => seen.client.takeBody(1000);

  test("a body that stops coming is 408", async () => {
    const client = await start({ app: slow, limits: { bodyTimeoutMs: 100 } });
    client.send(request(1, post("/"), true), data(1, "x"));
    await client.until(() => client.body(1).toString().startsWith("HR_HTTP_BODY_TIMEOUT"));
    expect(server.seen[0]!.events).toEqual(["gone slow-body"]);
  });

  test("a client that does not take its response is reset", async () => {
    const client = await start({
      limits: { sendTimeoutMs: 100 },
      app: answer((seen) => {
        seen.client.respond(200, new Uint8Array(0), false, false);
        seen.give(Buffer.alloc(100_000), true);
      }),
    });
    client.send(request(1, get("/")));
    expect(await client.outcome(1)).toBe("rst 2");
    expect(server.seen[0]!.events).toEqual(["gone slow-read"]);
  });

  test("an idle connection is told to go, one with a stream is not", async () => {
    const client = await start({ app: slow, limits: { idleTimeoutMs: 60 } });
    const busy = await connect();
    busy.send(request(1, post("/"), true));
    await client.until(() => client.over);
    expect(client.find(FrameType.GOAWAY)?.payload.readUInt32BE(4)).toBe(0);
    expect(busy.over).toBe(false);
    expect(server.connections[1]!.streams).toBe(1);
  });

  test("a connection that never says more than the preface ends with the head limit", async () => {
    server = new Http2TestServer({ limits: { headerTimeoutMs: 60 } });
    const client = await RawHttp2Client.open(server.port, null);
    clients.push(client);
    client.send(Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    await client.until(() => client.over);
  });

  test("shutdown finishes what has begun and refuses what comes after", async () => {
    const client = await start({ app: () => undefined });
    client.send(request(1, get("/")));
    await server.until(() => server.seen.length === 1);
    server.connections[0]!.shutdown();
    await client.until(() => client.find(FrameType.GOAWAY) !== undefined);
    expect(client.over).toBe(false);
    const seen = server.seen[0]!;
    seen.client.respond(200, new Uint8Array(0), false, false);
    seen.give(Buffer.from("late"), true);
    await client.until(() => client.over);
    expect(client.body(1).toString()).toBe("late");
    await server.until(() => server.left === 1);
    expect(seen.events).toEqual(["finished"]);
  });

  test("destroy cuts the streams", async () => {
    const client = await start({ app: () => undefined });
    client.send(request(1, get("/")));
    await server.until(() => server.seen.length === 1);
    server.connections[0]!.destroy();
    await client.until(() => client.over);
    expect(server.seen[0]!.events).toEqual(["gone shutdown"]);
    expect(server.left).toBe(1);
  });

  test("a FIN of the client ends its streams", async () => {
    const client = await start({ app: () => undefined });
    client.send(request(1, get("/")));
    await server.until(() => server.seen.length === 1);
    client.finish();
    await server.until(() => server.seen[0]!.events.length === 1);
    expect(server.seen[0]!.events[0]).toMatch(/^gone (closed|reset)$/);
    await client.until(() => client.over);
  });
});

describe("floods end the connection", () => {
  for (const [name, bytes] of [
    [
      "resets",
      Array.from({ length: 3000 }, (_, n) => Buffer.concat([request(2 * n + 1, get("/")), reset(2 * n + 1)])),
    ],
    ["pings", Array.from({ length: 20_000 }, () => frame(FrameType.PING, 0, 0, Buffer.alloc(8)))],
    [
      "settings",
      Array.from({ length: 20_000 }, () => frame(FrameType.SETTINGS, 0, 0, settings([4, 65_535]))),
    ],
    [
      "continuations",
      [
        frame(FrameType.HEADERS, END_STREAM, 1, block(...get("/"))),
        ...Array.from({ length: 3000 }, () =>
          frame(FrameType.CONTINUATION, 0, 1, block(["a", "b".repeat(1000)])),
        ),
      ],
    ],
    ["empty data", [request(1, post("/"), true), ...Array.from({ length: 50_000 }, () => data(1, ""))]],
  ] as const) {
    test(name, async () => {
      const client = await start({ app: (seen) => seen.client.takeBody(1) });
      client.send(Buffer.concat(bytes as Buffer[]));
      await client.until(() => client.over);
      await server.until(() => server.left === 1);
      for (const seen of server.seen) expect(seen.events).toHaveLength(1);
    });
  }

  test("more streams than allowed are refused one by one", async () => {
    const client = await start({ app: () => undefined, limits: { http2Streams: 3 } });
    client.send(...[1, 3, 5, 7].map((stream) => request(stream, get("/"))));
    expect(await client.outcome(7)).toBe("rst 7");
    expect(server.seen).toHaveLength(3);
  });
});

import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { block, END_STREAM, FrameType, frame, get, settings } from "./testing/raw-client.ts";
import { answer, data, post, Rig, request, reset } from "./testing/rig.ts";
import { type App, Http2TestServer } from "./testing/server.ts";

// A loaded machine is slow, not broken.
setDefaultTimeout(60_000);

const rig = new Rig();
afterEach(() => rig.close());

describe("time and ends", () => {
  const slow: App = (seen) => seen.client.takeBody(1000);

  test("a body that stops coming is 408", async () => {
    const client = await rig.start({ app: slow, limits: { bodyTimeoutMs: 100 } });
    client.send(request(1, post("/"), true), data(1, "x"));
    await client.until(() => client.body(1).toString().startsWith("HR_HTTP_BODY_TIMEOUT"));
    expect(rig.server.seen[0]!.events).toEqual(["gone slow-body"]);
  });

  test("a client that does not take its response is reset", async () => {
    const client = await rig.start({
      limits: { sendTimeoutMs: 100 },
      app: answer((seen) => {
        seen.client.respond(200, new Uint8Array(0), false, false);
        seen.give(Buffer.alloc(100_000), true);
      }),
    });
    client.send(request(1, get("/")));
    expect(await client.outcome(1)).toBe("rst 2");
    expect(rig.server.seen[0]!.events).toEqual(["gone slow-read"]);
  });

  test("an idle connection is told to go, one with a stream is not", async () => {
    const client = await rig.start({ app: slow, limits: { idleTimeoutMs: 60 } });
    const busy = await rig.connect();
    busy.send(request(1, post("/"), true));
    await client.until(() => client.over);
    expect(client.find(FrameType.GOAWAY)?.payload.readUInt32BE(4)).toBe(0);
    expect(busy.over).toBe(false);
    expect(rig.server.connections[1]!.streams).toBe(1);
  });

  test("a connection that never says more than the preface ends with the head limit", async () => {
    rig.server = new Http2TestServer({ limits: { headerTimeoutMs: 60 } });
    const client = await rig.connect(null);
    client.send(Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    await client.until(() => client.over);
  });

  test("shutdown finishes what has begun and refuses what comes after", async () => {
    const client = await rig.start({ app: () => undefined });
    client.send(request(1, get("/")));
    await rig.server.until(() => rig.server.seen.length === 1);
    rig.server.connections[0]!.shutdown();
    await client.until(() => client.find(FrameType.GOAWAY) !== undefined);
    expect(client.over).toBe(false);
    const seen = rig.server.seen[0]!;
    seen.client.respond(200, new Uint8Array(0), false, false);
    seen.give(Buffer.from("late"), true);
    await client.until(() => client.over);
    expect(client.body(1).toString()).toBe("late");
    await rig.server.until(() => rig.server.left === 1);
    expect(seen.events).toEqual(["finished"]);
  });

  test("destroy cuts the streams", async () => {
    const client = await rig.start({ app: () => undefined });
    client.send(request(1, get("/")));
    await rig.server.until(() => rig.server.seen.length === 1);
    rig.server.connections[0]!.destroy();
    await client.until(() => client.over);
    expect(rig.server.seen[0]!.events).toEqual(["gone shutdown"]);
    expect(rig.server.left).toBe(1);
  });

  test("a FIN of the client ends its streams", async () => {
    const client = await rig.start({ app: () => undefined });
    client.send(request(1, get("/")));
    await rig.server.until(() => rig.server.seen.length === 1);
    client.finish();
    await rig.server.until(() => rig.server.seen[0]!.events.length === 1);
    expect(rig.server.seen[0]!.events[0]).toMatch(/^gone (closed|reset)$/);
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
      const client = await rig.start({ app: (seen) => seen.client.takeBody(1) });
      client.send(Buffer.concat(bytes as Buffer[]));
      await client.until(() => client.over);
      await rig.server.until(() => rig.server.left === 1);
      for (const seen of rig.server.seen) expect(seen.events).toHaveLength(1);
    });
  }

  test("more streams than allowed are refused one by one", async () => {
    const client = await rig.start({ app: () => undefined, limits: { http2Streams: 3 } });
    client.send(...[1, 3, 5, 7].map((stream) => request(stream, get("/"))));
    expect(await client.outcome(7)).toBe("rst 7");
    expect(rig.server.seen).toHaveLength(3);
  });
});

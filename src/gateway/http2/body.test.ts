import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { END_STREAM, FrameType, frame, get } from "./testing/raw-client.ts";
import { data, post, Rig, request, reset } from "./testing/rig.ts";
import type { App } from "./testing/server.ts";

// A loaded machine is slow, not broken.
setDefaultTimeout(60_000);

const rig = new Rig();
afterEach(() => rig.close());

describe("request bodies", () => {
  test("nothing comes before it is granted, and no more than was", async () => {
    const client = await rig.start({ app: () => undefined });
    client.send(
      request(1, post("/"), true),
      data(1, "0123456789"),
      frame(FrameType.PING, 0, 0, Buffer.alloc(8)),
    );
    await client.until(() => client.find(FrameType.PING) !== undefined);
    const seen = rig.server.seen[0]!;
    expect(seen.bodyBytes).toBe(0);
    seen.client.takeBody(4);
    await rig.server.until(() => seen.bodyBytes === 4);
    seen.client.takeBody(3);
    await rig.server.until(() => seen.bodyBytes === 7);
    client.send(data(1, "ab", true));
    seen.client.takeBody(100);
    await rig.server.until(() => seen.ended);
    expect(seen.bodyBytes).toBe(12);
  });

  test("a client cannot send more than its window while the app does not read", async () => {
    const client = await rig.start({ app: () => undefined });
    client.send(request(1, post("/"), true));
    const granted = () =>
      client.frames
        .filter((one) => one.type === FrameType.WINDOW_UPDATE && one.stream === 1)
        .reduce((sum, one) => sum + one.payload.readUInt32BE(0), 131_072);
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
    expect(sent).toBeLessThanOrEqual(262_144);
    // Another stream of the same connection still gets its body through.
    client.send(request(3, post("/"), true), data(3, "x", true));
    await rig.server.until(() => rig.server.seen.length === 2);
    rig.server.seen[1]!.client.takeBody(10);
    await rig.server.until(() => rig.server.seen[1]!.ended);
  });

  test("content-length tells the end with the last bytes", async () => {
    const ends: string[] = [];
    const client = await rig.start({
      app: (seen) => {
        seen.onBody = (chunk, end) => ends.push(`${chunk.length} ${end}`);
        seen.client.takeBody(100);
      },
    });
    client.send(request(1, post("/", ["content-length", "4"]), true), data(1, "abcd", true));
    await rig.server.until(() => rig.server.seen[0]?.ended === true);
    expect(rig.server.seen[0]!.head.bodyLength).toBe(4);
    expect(ends.join()).toBe("4 true");
  });

  test("100 Continue is sent when the app asks for the body, and not before", async () => {
    const client = await rig.start({ app: () => undefined });
    client.send(
      request(1, post("/", ["expect", "100-continue"]), true),
      frame(FrameType.PING, 0, 0, Buffer.alloc(8)),
    );
    await client.until(() => client.find(FrameType.PING) !== undefined);
    expect(client.find(FrameType.HEADERS, 1)).toBeUndefined();
    const seen = rig.server.seen[0]!;
    expect(seen.head.expectContinue).toBe(true);
    seen.client.takeBody(10);
    await client.until(() => client.find(FrameType.HEADERS, 1) !== undefined);
    expect(client.find(FrameType.HEADERS, 1)!.flags & END_STREAM).toBe(0);
    client.send(data(1, "x", true));
    await rig.server.until(() => seen.ended);
    seen.client.takeBody(10);
    seen.client.respond(200, new Uint8Array(0), true, false);
    expect(await client.outcome(1)).toBe("end");
    expect(client.frames.filter((one) => one.type === FrameType.HEADERS)).toHaveLength(2);
  });

  test("a reset or a lost connection in the middle is never a complete body", async () => {
    const app: App = (seen) => seen.client.takeBody(1000);
    const client = await rig.start({ app });
    client.send(request(1, post("/"), true), data(1, "abc"), reset(1));
    await rig.server.until(() => rig.server.seen[0]?.events.length === 1);
    expect(rig.server.seen[0]).toMatchObject({ ended: false, events: ["gone reset"] });
    client.send(request(3, post("/"), true), data(3, "abc"));
    await rig.server.until(() => rig.server.seen[1]?.bodyBytes === 3);
    client.cut();
    await rig.server.until(() => rig.server.seen[1]!.events.length === 1 && rig.server.left === 1);
    expect(rig.server.seen[1]!.ended).toBe(false);
    expect(rig.server.seen[1]!.events[0]).toMatch(/^gone (closed|reset)$/);
  });

  test("a body over the limit is answered with 413, and cut off once the response has begun", async () => {
    const client = await rig.start({
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
    await rig.server.until(() => rig.server.seen.every((seen) => seen.events.length === 1));
    expect(rig.server.seen.map((seen) => seen.events)).toEqual([["gone too-large"], ["gone too-large"]]);
  });

  test("an early response lets the client finish a small body, and stops a large one", async () => {
    const app: App = (seen) => queueMicrotask(() => seen.client.respond(204, new Uint8Array(0), true, false));
    const client = await rig.start({ app, limits: { discardBytes: 50_000 } });
    client.send(request(1, post("/"), true), data(1, Buffer.alloc(10_000)));
    expect(await client.outcome(1)).toBe("end");
    client.send(data(1, Buffer.alloc(10_000), true), request(3, get("/")));
    expect(await client.outcome(3)).toBe("end");
    expect(client.find(FrameType.RST_STREAM)).toBeUndefined();
    client.send(request(5, post("/"), true));
    for (let n = 0; n < 4; n++) client.send(data(5, Buffer.alloc(15_000)));
    await client.until(() => client.find(FrameType.RST_STREAM, 5) !== undefined);
    expect(client.find(FrameType.RST_STREAM, 5)!.payload.readUInt32BE(0)).toBe(0);
    expect(rig.server.seen.map((seen) => seen.events)).toEqual([["finished"], ["finished"], ["finished"]]);
  });
});

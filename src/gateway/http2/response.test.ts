import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { END_STREAM, FrameType, frame, get, settings, u32 } from "./testing/raw-client.ts";
import { answer, data, post, Rig, request, reset } from "./testing/rig.ts";
import { type App, echo, pairs } from "./testing/server.ts";

// A loaded machine is slow, not broken.
setDefaultTimeout(60_000);

const rig = new Rig();
afterEach(() => rig.close());

describe("responses", () => {
  test("headers keep order and duplicates, 103 and trailers are sent", async () => {
    const client = await rig.start({
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
    await rig.server.until(() => rig.server.seen[0]!.events.length === 1);
    expect(rig.server.seen[0]).toMatchObject({ events: ["finished"], sentBytes: 4 });
  });

  test("what an app says twice is sent twice", async () => {
    const twice = ["content-type", "a/b", "etag", "x", "x-content-type-options", "nosniff", "location", "/a"];
    const client = await rig.start({
      app: answer(({ client }) => client.respond(200, pairs(...twice, ...twice, "te", "x"), true, false)),
    });
    client.send(request(1, get("/")));
    expect(await client.outcome(1)).toBe("end");
    expect(client.status(1)).toBe(200);
    expect(rig.server.bad).toEqual([]);
  });

  test("HEAD, 204 and 304 have no body", async () => {
    const statuses = [200, 204, 304];
    const client = await rig.start({
      app: answer((seen) => {
        seen.client.respond(
          statuses[rig.server.seen.length - 1]!,
          pairs("content-length", "5"),
          false,
          false,
        );
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
    expect(rig.server.seen.map((seen) => [seen.events[0], seen.sentBytes])).toEqual(
      statuses.map(() => ["finished", 5]),
    );
  });

  test("a response that is cut off is reset, never ended", async () => {
    const client = await rig.start({
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
    const client = await rig.start({
      app: answer(({ client }) => client.respond(200, pairs("x-a", "1\r\nx-b: 2"), true, false)),
    });
    client.send(request(1, get("/")));
    expect(await client.outcome(1)).toBe("end");
    expect(client.body(1).toString()).toStartWith("HR_BAD_RESPONSE");
    expect(rig.server.bad).toEqual([200]);
    expect(rig.server.seen[0]!.events).toEqual(["gone protocol-error"]);
  });

  test("a file is sent as the body", async () => {
    const folder = mkdtempSync(join(tmpdir(), "headrace-"));
    const path = join(folder, "file");
    const bytes = Buffer.alloc(700_000, "0123456789abcdef");
    writeFileSync(path, bytes);
    const window = settings([4, 1 << 24]);
    const client = await rig.start(
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
    await rig.server.until(() => rig.server.seen[0]!.events.length === 1);
    expect(rig.server.seen[0]!.events).toEqual(["finished"]);
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
      const small = seen.head.method === "HEAD";
      seen.client.respond(200, new Uint8Array(0), small, false);
      if (!small) more();
    });
  };

  test("the client's flow control holds the response", async () => {
    const client = await rig.start({ app: endless });
    client.send(request(1, get("/")));
    await client.until(() => client.body(1).length === 65_535);
    client.send(frame(FrameType.PING, 0, 0, Buffer.alloc(8)));
    await client.until(() => client.find(FrameType.PING) !== undefined);
    expect(client.body(1).length).toBe(65_535);
    expect(rig.server.seen[0]!.mostUnsent).toBeLessThanOrEqual(262_144);
    client.send(
      frame(FrameType.WINDOW_UPDATE, 0, 0, u32(200_000)),
      frame(FrameType.WINDOW_UPDATE, 0, 1, u32(200_000)),
    );
    await client.until(() => client.body(1).length === 265_535);
    client.send(reset(1));
    await rig.server.until(() => rig.server.seen[0]!.events.length === 1);
    expect(rig.server.seen[0]!.events).toEqual(["gone reset"]);
  });

  test("huge windows do not make a client that stops reading cost more than the credit", async () => {
    const huge = 0x7fffffff;
    const client = await rig.start({ app: endless }, settings([4, huge]));
    client.send(frame(FrameType.WINDOW_UPDATE, 0, 0, u32(huge - 65_535)), request(1, get("/")));
    await client.until(() => client.body(1).length > 0);
    client.pause();
    const seen = rig.server.seen[0]!;
    // The sockets in between fill up, then nothing is taken any more, however often others come to their turn.
    const clock = await rig.connect();
    let before = -1;
    for (let stream = 1; seen.given !== before; ) {
      before = seen.given;
      for (let turn = 0; turn < 50; turn++, stream += 2) {
        clock.send(request(stream, [[":method", "HEAD"], ...get("/ok").slice(1)]));
        await clock.outcome(stream);
      }
    }
    expect(seen.given).toBeLessThan(64 << 20);
    expect(seen.given - seen.sentBytes).toBeLessThanOrEqual(262_144 + 65_536);
    client.resume();
    await rig.server.until(() => seen.given > before);
  });

  test("uploads come back while they are still being sent", async () => {
    const client = await rig.start({ app: (seen) => echo(seen) }, settings([4, 1 << 24]));
    client.send(frame(FrameType.WINDOW_UPDATE, 0, 0, u32(1 << 24)), request(1, post("/"), true));
    const half = Buffer.alloc(15_000, "ab");
    client.send(data(1, half));
    await client.until(() => client.body(1).length === half.length);
    client.send(data(1, half, true));
    expect(await client.outcome(1)).toBe("end");
    expect(client.body(1).equals(Buffer.concat([half, half]))).toBe(true);
  });
});

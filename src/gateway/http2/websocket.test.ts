import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { closing, masked } from "../websocket/testing/raw-client.ts";
import { block, END_HEADERS, FrameType, frame, type RawHttp2Client } from "./testing/raw-client.ts";
import { answer, data, type Pair, Rig } from "./testing/rig.ts";
import { pairs } from "./testing/server.ts";

// A loaded machine is slow, not broken.
setDefaultTimeout(60_000);

/** WebSockets on HTTP/2 streams (RFC 8441). */

const rig = new Rig();
afterEach(() => rig.close());

function connect(stream: number, ...more: Pair[]): Buffer {
  const list: Pair[] = [
    [":method", "CONNECT"],
    [":protocol", "websocket"],
    [":scheme", "http"],
    [":path", "/chat"],
    [":authority", "example.test"],
    ["sec-websocket-version", "13"],
    ...more,
  ];
  return frame(FrameType.HEADERS, END_HEADERS, stream, block(...list));
}

const accepting = answer(({ client }) => {
  client.takeBody(65_536);
  client.acceptWebSocket("chat", pairs("x-a", "1"));
});

/** Bytes of the server's frames on a stream, as far as they have come. */
async function bytes(client: RawHttp2Client, stream: number, length: number): Promise<Buffer> {
  await client.until(() => client.body(stream).length >= length || client.over);
  return client.body(stream);
}

describe("a WebSocket on a stream", () => {
  test("is offered in the settings, opened, echoes, and closes both ways", async () => {
    const client = await rig.start({ app: accepting });
    expect(client.find(FrameType.SETTINGS)!.payload.toString("hex")).toContain("000800000001");
    client.send(connect(1, ["sec-websocket-protocol", "chat, other"]));
    await client.until(() => client.find(FrameType.HEADERS, 1) !== undefined);
    expect(client.status(1)).toBe(200);
    expect(rig.server.seen[0]!.head).toMatchObject({ websocket: true, method: "CONNECT", bodyLength: 0 });
    client.send(data(1, masked(0x81, "hello").subarray(0, 3)), data(1, masked(0x81, "hello").subarray(3)));
    expect((await bytes(client, 1, 7)).toString("latin1")).toBe("\x81\x05hello");
    client.send(data(1, masked(0x88, closing(4000, "bye"))));
    expect((await bytes(client, 1, 11)).subarray(7).toString("hex")).toBe("88020fa0");
    expect(await client.outcome(1)).toBe("end");
    expect(rig.server.seen[0]!.events).toEqual(["closed 4000 bye"]);
  });

  test("a rule that is broken, a reset and a lost connection", async () => {
    const client = await rig.start({ app: accepting });
    client.send(connect(1), data(1, Buffer.from([0x81, 0x01, 0x61])));
    expect((await bytes(client, 1, 4)).readUInt16BE(2)).toBe(1002);
    client.send(connect(3), data(3, masked(0x81, "x")));
    await bytes(client, 3, 3);
    client.send(frame(FrameType.RST_STREAM, 0, 3, Buffer.from([0, 0, 0, 8])));
    await rig.server.until(() => rig.server.seen[1]!.events.length === 1);
    client.send(connect(5), data(5, masked(0x81, "x")));
    await bytes(client, 5, 3);
    client.cut();
    await rig.server.until(() => rig.server.seen[2]!.events.length === 1);
    expect(rig.server.seen.map((seen) => seen.events)).toEqual([
      ["closed 1002 frame without a mask"],
      ["closed 1006 connection lost"],
      ["closed 1006 connection lost"],
    ]);
  });

  test("is closed by the app, and denied by the app", async () => {
    const client = await rig.start({
      app: answer(({ client, head }) => {
        const deny = Buffer.from(head.fields).includes("deny");
        if (deny) client.respond(403, pairs("x-why", "no"), true, false);
        else {
          client.acceptWebSocket("", new Uint8Array(0));
          client.closeWebSocket(1012, "restart");
        }
      }),
    });
    client.send(connect(1));
    expect((await bytes(client, 1, 11)).toString("latin1")).toBe("\x88\x09\x03\xf4restart");
    client.send(data(1, masked(0x88, closing(1012))));
    expect(await client.outcome(1)).toBe("end");
    client.send(connect(3, ["x-deny", "deny"]));
    expect(await client.outcome(3)).toBe("end");
    await rig.server.until(() => rig.server.seen.every((seen) => seen.events.length === 1));
    expect(rig.server.seen.map((seen) => seen.events)).toEqual([["closed 1012"], ["finished"]]);
  });

  test("large messages pass both flow controls", async () => {
    const client = await rig.start({
      app: answer((seen) => {
        // The credit comes back as the client takes the echo.
        let returned = 0;
        seen.onSent = () => {
          seen.client.takeBody(seen.sentBytes - returned);
          returned = seen.sentBytes;
        };
        seen.client.takeBody(20_000);
        seen.client.acceptWebSocket("", new Uint8Array(0));
      }),
    });
    client.send(connect(1));
    await client.until(() => client.find(FrameType.HEADERS, 1) !== undefined);
    const message = masked(0x82, Buffer.alloc(50_000, 7));
    for (let at = 0; at < message.length; at += 10_000)
      client.send(data(1, message.subarray(at, at + 10_000)));
    const sevens = () => client.body(1).filter((byte) => byte === 7).length;
    await client.until(() => sevens() >= 50_000);
    expect(sevens()).toBe(50_000);
  });

  test("a handshake that is not in order is refused", async () => {
    const client = await rig.start();
    client.send(connect(1, ["sec-websocket-version", "8"]));
    await client.until(() => client.result(1) !== "");
    expect(rig.server.refusals[0]!.code).toBe("HR_HTTP_WEBSOCKET_HANDSHAKE");
  });
});

import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { ExchangeSide, Peers } from "../client.ts";
import { Ticker } from "../ticker.ts";
import type { Transport } from "../transport.ts";
import { negotiate, pairsOf, upgradeResponse, wrongVersion } from "./handshake.ts";
import { CLOSE_TIMEOUT_MS, WebSocketSession } from "./session.ts";
import { EchoServer, SETTINGS } from "./testing/echo.ts";
import { closing, masked, RawClient } from "./testing/raw-client.ts";

// A loaded machine is slow, not broken.
setDefaultTimeout(60_000);

/** Drives a session without any socket. */
class Rig implements Transport {
  readonly peers: Peers = {
    clientHost: "",
    clientPort: 0,
    serverHost: "",
    serverPort: 0,
    secure: false,
    tls: "",
  };
  readonly written: Buffer[] = [];
  readonly events: string[] = [];
  queued = 0;
  taken = 0;
  paused = false;
  ended = false;
  destroyed = false;
  readonly ticker = new Ticker(60_000);
  readonly session: WebSocketSession;
  readonly start: number;

  constructor(settings: Partial<typeof SETTINGS> = {}) {
    const note = (event: string) => this.events.push(event);
    const exchange: ExchangeSide = {
      body: () => note("body"),
      gone: (reason) => note(`gone ${reason}`),
      finished: () => note("finished"),
      sent: (bytes) => note(`sent ${bytes}`),
      message: (text, chunk, more) =>
        note(`${text ? "text" : "binary"} ${Buffer.from(chunk)}${more ? " .." : ""}`),
      closed: (code, reason) => note(`closed ${code} ${reason}`.trim()),
    };
    this.session = new WebSocketSession({
      transport: this,
      exchange,
      settings: { ...SETTINGS, ...settings },
      deflate: null,
      ticker: this.ticker,
    });
    this.start = this.ticker.now;
  }

  write(chunk: Uint8Array, counted: number): void {
    this.written.push(Buffer.from(chunk));
    this.session.sent(counted);
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  end(): void {
    this.ended = true;
  }
  destroy(): void {
    this.destroyed = true;
  }

  /** Time passes. */
  at(ms: number): void {
    const now = this.start + ms;
    (this.ticker as { now: number }).now = now;
    this.session.tick(now);
  }
}

const CLOSE_FRAME = (code: number) => Buffer.concat([Buffer.from([0x88, 2]), closing(code)]);

describe("credit", () => {
  test("no byte passes without it, and the transport stops meanwhile", () => {
    const rig = new Rig();
    rig.session.data(masked(0x81, "hello"));
    expect(rig.events).toEqual([]);
    expect(rig.paused).toBe(true);
    rig.session.grant(2);
    expect(rig.events).toEqual(["text he .."]);
    expect(rig.paused).toBe(true);
    rig.session.grant(3);
    expect(rig.events).toEqual(["text he ..", "text llo"]);
    expect(rig.paused).toBe(false);
  });

  test("messages before a close frame are delivered before it", () => {
    const rig = new Rig();
    rig.session.data(
      Buffer.concat([masked(0x81, "one"), masked(0x82, "two"), masked(0x88, closing(4000, "bye"))]),
    );
    rig.session.ended();
    rig.session.grant(3);
    expect(rig.events).toEqual(["text one"]);
    rig.session.grant(100);
    expect(rig.events).toEqual(["text one", "binary two", "closed 4000 bye"]);
    expect(rig.written).toEqual([CLOSE_FRAME(4000)]);
    expect(rig.ended).toBe(true);
    expect(rig.paused).toBe(false);
  });

  test("a connection that breaks while messages wait reports the close frame behind them", () => {
    const rig = new Rig();
    rig.session.data(Buffer.concat([masked(0x81, "one"), masked(0x88, closing(1001))]));
    rig.session.closed(true);
    expect(rig.events).toEqual(["closed 1001"]);
  });
});

describe("text", () => {
  test("fails at the first byte that cannot be right, not at the end of the message", () => {
    const rig = new Rig();
    rig.session.grant(100);
    rig.session.data(masked(0x01, Buffer.from("good \u20ac")));
    rig.session.data(masked(0x00, Buffer.from([0xe2, 0x82])));
    expect(rig.events).toEqual(["text good \u20ac ..", "text \ufffd .."]);
    rig.session.data(masked(0x00, "x").subarray(0, 7));
    expect(rig.events.at(-1)).toBe("closed 1007 message is not valid");
  });

  test("an empty end of a message needs no credit", () => {
    const rig = new Rig();
    rig.session.grant(2);
    rig.session.data(Buffer.concat([masked(0x01, "ab"), masked(0x80, ""), masked(0x81, "")]));
    expect(rig.events).toEqual(["text ab ..", "text ", "text "]);
    expect(rig.paused).toBe(false);
  });
});

describe("closing", () => {
  test("by the pipeline: waits for the client's close frame and drops what comes before it", () => {
    const rig = new Rig();
    rig.session.grant(1000);
    rig.session.close(1012, "restart");
    expect(rig.written).toEqual([Buffer.concat([Buffer.from([0x88, 9]), closing(1012, "restart")])]);
    expect(rig.session.state).toBe("closing");
    rig.session.message(true, Buffer.from("late"), false);
    rig.session.data(Buffer.concat([masked(0x81, "dropped"), masked(0x89, "p")]));
    expect(rig.events).toEqual(["sent 4"]);
    rig.session.data(masked(0x88, closing(1012)));
    expect(rig.events).toEqual(["sent 4", "closed 1012"]);
    expect(rig.written).toHaveLength(1);
    expect(rig.ended).toBe(true);
  });

  test("by the pipeline, with messages waiting for credit: the close frame behind them is found", () => {
    const rig = new Rig();
    rig.session.data(masked(0x81, "waits"));
    rig.session.close(1000, "");
    expect(rig.paused).toBe(false);
    rig.session.data(masked(0x88, closing(1000)));
    expect(rig.events).toEqual(["closed 1000"]);
  });

  test("a client that never answers is cut off", () => {
    const rig = new Rig();
    rig.session.close(1000, "");
    rig.at(CLOSE_TIMEOUT_MS - 10);
    expect(rig.destroyed).toBe(false);
    rig.at(CLOSE_TIMEOUT_MS + 10);
    expect(rig.destroyed).toBe(true);
    expect(rig.events).toEqual(["closed 1006 close handshake timed out"]);
  });

  test("an empty close frame is 1005, both ways", () => {
    const rig = new Rig();
    rig.session.data(masked(0x88, ""));
    expect(rig.events).toEqual(["closed 1005"]);
    expect(rig.written).toEqual([Buffer.from([0x88, 0])]);
  });

  test("a lost connection is 1006, and nothing follows", () => {
    const rig = new Rig();
    rig.session.data(masked(0x01, "begun"));
    rig.session.closed(true);
    rig.session.data(masked(0x81, "late"));
    rig.session.closed(true);
    rig.session.close(1000, "");
    rig.session.message(true, Buffer.from("x"), false);
    expect(rig.events).toEqual(["closed 1006 connection lost"]);
    expect(rig.written).toEqual([]);
  });

  test("FIN without a close frame is 1006 as well", () => {
    const rig = new Rig();
    rig.session.ended();
    expect(rig.events).toEqual(["closed 1006 connection lost"]);
    expect(rig.ended).toBe(true);
  });
});

describe("sending", () => {
  test("parts become fragments, every payload byte comes back as sent", () => {
    const rig = new Rig();
    const large = Buffer.alloc(40_000, 7);
    rig.session.message(false, Buffer.from("ab"), true);
    rig.session.message(false, large, true);
    rig.session.message(false, Buffer.alloc(0), false);
    expect(rig.written.map((bytes) => bytes.subarray(0, 4).toString("hex"))).toEqual([
      "02026162",
      "007e9c40",
      "07070707",
      "8000",
    ]);
    expect(rig.events).toEqual(["sent 2", "sent 40000"]);
  });

  test("pongs wait while the client does not read; only the latest is kept", () => {
    const rig = new Rig();
    rig.queued = 1 << 20;
    rig.session.data(Buffer.concat([masked(0x89, "a"), masked(0x89, "b")]));
    expect(rig.written).toEqual([]);
    rig.session.drained();
    expect(rig.written).toEqual([Buffer.from([0x8a, 1, 0x62])]);
  });
});

describe("keep-alive", () => {
  const times = { pingIntervalMs: 1000, pingTimeoutMs: 500 };

  test("pings at the interval and fails without a pong", () => {
    const rig = new Rig(times);
    rig.at(990);
    expect(rig.written).toHaveLength(0);
    rig.at(1010);
    expect(rig.written[0]?.[0]).toBe(0x89);
    rig.at(1500);
    expect(rig.events).toEqual([]);
    rig.at(1520);
    expect(rig.events).toEqual(["closed 1006 keepalive ping timeout"]);
    expect(rig.written.at(-1)?.readUInt16BE(2)).toBe(1011);
    expect(rig.ended).toBe(true);
  });

  test("a pong, or any byte that comes or leaves, keeps the connection", () => {
    const rig = new Rig(times);
    rig.at(1010);
    rig.session.data(masked(0x8a, "hr"));
    rig.at(2020);
    rig.at(2400);
    rig.session.sent(1);
    rig.at(2700);
    expect(rig.events).toEqual(["sent 1"]);
    rig.at(2910);
    expect(rig.events.at(-1)).toBe("closed 1006 keepalive ping timeout");
  });

  test("is not held against a client whom we do not read", () => {
    const rig = new Rig(times);
    rig.session.data(masked(0x81, "waits"));
    for (let at = 0; at < 10_000; at += 500) rig.at(at);
    expect(rig.events).toEqual([]);
    // Pinged it is: whether it is gone shows in no other way.
    expect(rig.written.length).toBeGreaterThan(5);
    rig.session.grant(100);
    rig.at(9990);
    expect(rig.events).toEqual(["text waits"]);
    rig.at(10_100);
    expect(rig.events.at(-1)).toBe("closed 1006 keepalive ping timeout");
  });
});

describe("handshake", () => {
  const fields = (text: string) => Buffer.from(text.replaceAll("|", "\0"), "latin1");
  const good = "upgrade|foo, WebSocket|sec-websocket-key|dGhlIHNhbXBsZSBub25jZQ==|sec-websocket-version|13";

  test("RFC 6455 §1.3", () => {
    const handshake = negotiate(
      fields(`${good}|sec-websocket-protocol|chat, superchat|sec-websocket-protocol|third`),
      SETTINGS,
    )!;
    expect(handshake.accept).toBe("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    expect(handshake.subprotocols).toEqual(["chat", "superchat", "third"]);
    const app = fields("x-a|1|set-cookie|a=1|set-cookie|b=2|sec-websocket-protocol|evil|connection|close");
    expect(Buffer.from(upgradeResponse(handshake, "chat", app)).toString()).toBe(
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n" +
        "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nsec-websocket-protocol: chat\r\n" +
        "x-a: 1\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\r\n",
    );
    expect(Buffer.from(upgradeResponse(handshake, "unknown", new Uint8Array(0))).toString()).not.toContain(
      "protocol:",
    );
  });

  for (const [name, text] of [
    ["no key", good.replace("sec-websocket-key", "x-key")],
    ["short key", good.replace("dGhlIHNh", "")],
    ["key of 16 bytes with stray bits", good.replace("ZQ==", "ZR==")],
    ["two keys", `${good}|sec-websocket-key|dGhlIHNhbXBsZSBub25jZQ==`],
    ["version 8", good.replace("13", "8")],
    ["no upgrade", good.replace("foo, WebSocket", "h2c")],
    ["broken extensions", `${good}|sec-websocket-extensions|a b`],
    ["broken subprotocol", `${good}|sec-websocket-protocol|a b`],
  ] as const) {
    test(`refuses: ${name}`, () => expect(negotiate(fields(text), SETTINGS)).toBeNull());
  }

  test("tells the version from other faults", () => {
    expect(wrongVersion(fields(good.replace("13", "8")))).toBe(true);
    expect(wrongVersion(fields(good))).toBe(false);
    expect(wrongVersion(new Uint8Array(0))).toBe(false);
    expect(pairsOf(new Uint8Array(0))).toEqual([]);
  });
});

describe("over a socket", () => {
  let server: EchoServer;
  afterEach(() => server.stop());

  test("a client that does not read stops a client that writes", async () => {
    let granted = 0;
    server = new EchoServer({
      settings: { maxMessage: 0 },
      window: 65_536,
      onMessage: (_s, _t, chunk) => (granted += chunk.length),
    });
    const client = await RawClient.open(server.port);
    const message = masked(0x82, Buffer.alloc(30_000));
    for (let n = 0; n < 40; n++) client.send(message);
    client.send(masked(0x89, "after"));
    // The window is 64 KiB and nothing is granted again: this many bytes and no more arrive, however often others get their turn.
    const clock = await RawClient.open(server.port);
    for (let turn = 0; turn < 100 || granted < 65_536; turn++) {
      clock.send(masked(0x89, "turn"));
      await clock.frame(turn);
    }
    expect(granted).toBe(65_536);
    expect(client.frames).toHaveLength(0);
    expect(server.records[0]!.overdrawn).toBe(0);
    server.records[0]!.session.grant(1 << 30);
    await client.until(() => client.frames.some((frame) => frame.opcode === 10));
    expect(granted).toBe(40 * 30_000);
    client.cut();
    expect((await server.closed(0)).closedCode).toBe(1006);
  });

  test("a client that leaves while its messages wait for credit is noticed", async () => {
    server = new EchoServer({ window: 10, settings: { pingIntervalMs: 20, pingTimeoutMs: 10_000 } });
    const client = await RawClient.open(server.port);
    client.send(masked(0x82, Buffer.alloc(30_000)));
    await client.until(() => client.frames.length > 0);
    client.finish();
    expect((await server.closed(0)).closedCode).toBe(1006);
  });

  test("16 MiB and one byte", async () => {
    server = new EchoServer({ settings: { maxMessage: 16 << 20 } });
    const client = await RawClient.open(server.port);
    const bytes = Buffer.alloc(16 << 20, 0x61);
    client.send(masked(0x81, bytes));
    let size = 0;
    await client.until(() => {
      size = client.frames.reduce((sum, frame) => sum + frame.payload.length, 0);
      return size >= bytes.length && client.frames.at(-1)!.fin;
    });
    expect(size).toBe(bytes.length);
    client.send(masked(0x82, Buffer.alloc((16 << 20) + 1)).subarray(0, 20));
    expect(await client.closeCode()).toBe(1009);
    const record = await server.closed(0);
    expect(record.closedCode).toBe(1009);
    expect(record.overdrawn).toBe(0);
  });

  test("damaged streams always end in a defined close", async () => {
    server = new EchoServer({ settings: { maxMessage: 100_000 } });
    let seed = 42;
    const pick = (below: number) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 0x1_0000_0000) * below);
    };
    const round = async () => {
      const client = await RawClient.open(server.port, pick(2) === 0 ? "permessage-deflate" : "");
      const parts: Buffer[] = [];
      for (let n = pick(5); n >= 0; n--) {
        const bytes = masked(
          [0x81, 0x82, 0x01, 0x80, 0x89, 0xc1, 0xc2][pick(7)]!,
          Buffer.alloc(pick(400), pick(256)),
        );
        for (let k = pick(3); k > 0; k--) bytes[pick(Math.min(bytes.length, 12))] = pick(256);
        parts.push(bytes);
      }
      const bytes = Buffer.concat(parts);
      const cut = pick(bytes.length);
      client.send(bytes.subarray(0, cut));
      client.send(bytes.subarray(cut));
      client.finish();
      await client.until(() => client.over);
    };
    for (let n = 0; n < 60; n++) await Promise.all(Array.from({ length: 50 }, round));
    const seen = new Set<number>();
    for (let at = 0; at < 3000; at++) {
      const record = await server.closed(at);
      seen.add(record.closedCode);
      expect(record.session.state).toBe("closed");
      expect(record.overdrawn).toBe(0);
    }
    for (const code of [1002, 1006, 1007, 1009]) expect(seen).toContain(code);
  });
});

/** WebSockets through the gateway, with the runtime's own client and with raw handshakes. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { RawClient, values } from "./client.ts";
import { APPS, eventually, Headrace, linesOf, PATIENCE_MS, scratchFolder, soon } from "./harness.ts";

setDefaultTimeout(PATIENCE_MS * 2);

const folder = scratchFolder();
const closeLog = join(folder.path, "closes");
let headrace: Headrace;

beforeAll(async () => {
  headrace = await Headrace.start(join(APPS, "raw_asgi.py"), {
    env: { CLOSE_LOG: closeLog },
    args: ["--ws-max-size", "1MiB"],
  });
});
afterAll(async () => {
  await headrace.stop();
  folder[Symbol.dispose]();
});

const HANDSHAKE = [
  "connection: keep-alive, Upgrade",
  "upgrade: websocket",
  "sec-websocket-version: 13",
  "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
];

interface Ended {
  readonly code: number;
  readonly reason: string;
}

/** A client that keeps what comes. */
class Peer {
  readonly #messages: (string | Buffer)[] = [];
  #changed = Promise.withResolvers<void>();
  readonly closed: Promise<Ended>;

  private constructor(readonly socket: WebSocket) {
    socket.binaryType = "nodebuffer";
    socket.onmessage = (event: MessageEvent<string | Buffer>) => {
      this.#messages.push(event.data);
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    };
    this.closed = new Promise((resolve) => {
      socket.onclose = ({ code, reason }) => resolve({ code, reason });
    });
  }

  static open(path: string, protocols: string[] = []): Promise<Peer> {
    const socket = new WebSocket(headrace.url.replace("http", "ws") + path, protocols);
    const peer = new Peer(socket);
    const open = new Promise<Peer>((resolve, reject) => {
      socket.onopen = () => resolve(peer);
      socket.onerror = () => reject(new Error("not accepted"));
    });
    return soon("an open WebSocket", open);
  }

  async next(): Promise<string | Buffer> {
    while (this.#messages.length === 0) await soon("a message", this.#changed.promise);
    return this.#messages.shift() ?? "";
  }
}

test("text, binary, empty and large messages come back whole and in order", async () => {
  const peer = await Peer.open("/ws");
  const large = "ü".repeat(300_000);
  const bytes = Buffer.from(new Uint8Array(700_000).map((_, at) => at % 251));
  for (const message of ["one", "", large]) peer.socket.send(message);
  peer.socket.send(bytes);
  peer.socket.send(new Uint8Array(0));
  expect(await peer.next()).toBe("one");
  expect(await peer.next()).toBe("");
  expect(await peer.next()).toBe(large);
  expect(Buffer.compare((await peer.next()) as Buffer, bytes)).toBe(0);
  expect(((await peer.next()) as Buffer).length).toBe(0);
  peer.socket.close(1000);
  expect((await soon("the close", peer.closed)).code).toBe(1000);
});

test("many messages in a row", async () => {
  const peer = await Peer.open("/ws");
  for (let n = 0; n < 2000; n += 1) peer.socket.send(`message ${n}`);
  for (let n = 0; n < 2000; n += 1) expect(await peer.next()).toBe(`message ${n}`);
  peer.socket.close();
  await soon("the close", peer.closed);
});

/** What the app was told of the end of the connection with this key: "CODE REASON". */
const heard = (key: string): Promise<string> =>
  eventually(`the end of ${key}`, () =>
    linesOf(closeLog)
      .find((line) => line.startsWith(`${key} `))
      ?.slice(key.length + 1),
  );

test("the app hears the client's close code and reason", async () => {
  (await Peer.open("/ws?key=named")).socket.close(4002, "enough");
  expect(await heard("named")).toBe("4002 enough");
});

test("a close frame without a code is 1005 for the app", async () => {
  using raw = await RawClient.open(headrace.port);
  expect((await raw.request("GET", "/ws?key=bare", HANDSHAKE).head()).status).toBe(101);
  raw.send(new Uint8Array([0x88, 0x80, 1, 2, 3, 4]));
  expect((await raw.bytes(2))[0]).toBe(0x88);
  expect(await heard("bare")).toStartWith("1005");
});

test("a connection that is lost is 1006 for the app", async () => {
  using raw = await RawClient.open(headrace.port);
  expect((await raw.request("GET", "/ws?key=lost", HANDSHAKE).head()).status).toBe(101);
  raw.close();
  expect(await heard("lost")).toStartWith("1006");
});

test("the client hears the app's close code and reason", async () => {
  const peer = await Peer.open("/ws/close?code=4321&reason=so%20long");
  expect(await soon("the close", peer.closed)).toEqual({ code: 4321, reason: "so long" });
});

test("the app chooses the subprotocol; without an offer there is none", async () => {
  const peer = await Peer.open("/ws", ["chat", "superchat"]);
  expect(peer.socket.protocol).toBe("superchat");
  peer.socket.close();
  using raw = await RawClient.open(headrace.port);
  const head = await raw.request("GET", "/ws", HANDSHAKE).head();
  expect(head.status).toBe(101);
  expect(values(head, "sec-websocket-protocol")).toEqual([]);
  expect(values(head, "sec-websocket-accept")).toEqual(["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]);
});

test("a close before the accept is 403", async () => {
  using raw = await RawClient.open(headrace.port);
  expect((await raw.request("GET", "/ws/refuse", HANDSHAKE).answer()).status).toBe(403);
});

test("the app may deny with a response of its own", async () => {
  using raw = await RawClient.open(headrace.port);
  const answer = await raw.request("GET", "/ws/deny", HANDSHAKE).answer();
  expect(answer.status).toBe(418);
  expect(values(answer, "x-denied")).toEqual(["yes"]);
  expect(answer.body.toString()).toBe("denied");
});

test("an app that raises closes with 1011", async () => {
  const peer = await Peer.open("/ws/raises");
  expect((await soon("the close", peer.closed)).code).toBe(1011);
});

test("a message over the limit closes with 1009", async () => {
  const peer = await Peer.open("/ws");
  peer.socket.send(new Uint8Array(2 << 20));
  expect((await soon("the close", peer.closed)).code).toBe(1009);
});

test("an unmasked frame closes with 1002", async () => {
  using raw = await RawClient.open(headrace.port);
  expect((await raw.request("GET", "/ws", HANDSHAKE).head()).status).toBe(101);
  raw.send(new Uint8Array([0x81, 0x02, 0x68, 0x69]));
  const close = await raw.bytes(4);
  expect([close[0], ((close[2] ?? 0) << 8) | (close[3] ?? 0)]).toEqual([0x88, 1002]);
});

import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { EchoServer } from "./testing/echo.ts";

/** The session against WebSocket clients that others wrote. */

const PYTHON = resolve(import.meta.dir, "../../../.venv/bin/python");

const SCRIPT = `
import asyncio, sys, json, random
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

async def main(url):
    random.seed(7)
    out = {}
    for compression in ("deflate", None):
        async with connect(url, compression=compression, max_size=None, subprotocols=["one", "two"]) as ws:
            out.setdefault("subprotocol", ws.subprotocol)
            for size in (0, 1, 125, 126, 1000, 65535, 65536, 1_000_000):
                text = "".join(random.choice("abc\\u00e9\\u20ac\\U0001f600") for _ in range(min(size, 1000))) * max(1, size // 1000)
                await ws.send(text)
                assert await ws.recv() == text
                data = random.randbytes(size)
                await ws.send(data)
                assert await ws.recv() == data
            await ws.send(["frag", "men", "ted"])
            assert await ws.recv() == "fragmented"
            await (await ws.ping("are you there"))
            sender = asyncio.gather(*(ws.send("x" * 5000 + str(n)) for n in range(300)))
            for n in range(300):
                assert (await ws.recv()).startswith("xxx")
            await sender
            await ws.close(4001, "done")
            out[str(compression)] = [ws.close_code, ws.close_reason]
    async with connect(url, max_size=None) as ws:
        try:
            await ws.send("y" * 4_000_001)
            await ws.recv()
        except ConnectionClosed as error:
            out["big"] = error.rcvd.code
    print(json.dumps(out))

asyncio.run(main(sys.argv[1]))
`;

// A loaded machine is slow, not broken.
setDefaultTimeout(60_000);

describe("other clients", () => {
  let server: EchoServer;
  afterEach(() => server.stop());

  test.skipIf(!existsSync(PYTHON))(
    "websockets for Python, with and without compression",
    async () => {
      server = new EchoServer({ settings: { maxMessage: 4_000_000 } });
      const child = Bun.spawn([PYTHON, "-c", SCRIPT, server.url], { stdout: "pipe", stderr: "pipe" });
      const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
      expect(err).toBe("");
      expect(JSON.parse(out)).toEqual({
        subprotocol: "one",
        deflate: [4001, ""],
        None: [4001, ""],
        big: 1009,
      });
      expect(server.records.map((record) => [record.closedCode, record.closedReason])).toEqual([
        [4001, "done"],
        [4001, "done"],
        [1009, "message is too big"],
      ]);
      expect(server.records.every((record) => record.overdrawn === 0)).toBe(true);
    },
    60_000,
  );

  test("the WebSocket of the runtime", async () => {
    server = new EchoServer();
    const socket = new WebSocket(server.url);
    socket.binaryType = "arraybuffer";
    const got: Array<string | number> = [];
    const sizes = [0, 1, 300, 70_000, 500_000];
    const code = await new Promise<number>((done, failed) => {
      socket.onerror = () => failed(new Error("the client met an error"));
      socket.onclose = (event) => done(event.code);
      socket.onopen = () => {
        for (const size of sizes) {
          socket.send("é".repeat(size));
          socket.send(new Uint8Array(size));
        }
      };
      socket.onmessage = ({ data }) => {
        got.push(typeof data === "string" ? data : (data as ArrayBuffer).byteLength);
        if (got.length === sizes.length * 2) socket.close(3333, "enough");
      };
    });
    expect(code).toBe(3333);
    expect(got).toEqual(sizes.flatMap((size) => ["é".repeat(size), size]));
    expect(await server.closed(0)).toMatchObject({ closedCode: 3333, closedReason: "enough" });
  });
});

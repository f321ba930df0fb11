import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { Http2TestServer } from "./testing/server.ts";

/** The front against HTTP/2 clients that others wrote. */

const PYTHON = resolve(import.meta.dir, "../../../.venv/bin/python");
const NODE = Bun.which("node");

const HTTPX = `
import asyncio, httpx, json, sys

async def main(base):
    out = {}
    async with httpx.AsyncClient(http1=False, http2=True, timeout=60) as client:
        r = await client.get(base + "/")
        out["get"] = [r.status_code, r.http_version, r.text]
        body = bytes(range(256)) * 8000
        r = await client.post(base + "/echo", content=body)
        out["echo"] = r.content == body
        async def chunks():
            for n in range(100):
                yield b"x" * n * 100
        r = await client.post(base + "/echo", content=chunks())
        out["stream"] = len(r.content)
        many = await asyncio.gather(*(client.post(base + "/echo", content=str(n) * 1000) for n in range(60)))
        out["many"] = all(r.text == str(n) * 1000 for n, r in enumerate(many))
        async with client.stream("POST", base + "/echo", content=chunks()) as r:
            async for part in r.aiter_bytes():
                break
        r = await client.get(base + "/after")
        out["after"] = r.status_code
    print(json.dumps(out))

asyncio.run(main(sys.argv[1]))
`;

// A loaded machine is slow, not broken.
setDefaultTimeout(60_000);

const NODE_CLIENT = `
const http2 = require("node:http2");
const session = http2.connect(process.argv[1]);
const run = (path, body) => new Promise((done, failed) => {
  const stream = session.request({ ":path": path, ":method": body ? "POST" : "GET" });
  const out = { bytes: 0 };
  stream.on("response", (headers) => (out.status = headers[":status"]));
  stream.on("data", (chunk) => (out.bytes += chunk.length));
  stream.on("error", failed);
  stream.on("end", () => done(out));
  stream.end(body);
});
(async () => {
  const out = [await run("/"), await run("/echo", Buffer.alloc(3_000_000, 1))];
  const many = await Promise.all(Array.from({ length: 50 }, (_, n) => run("/echo", Buffer.alloc(n * 1000 + 1))));
  out.push(many.every((one, n) => one.bytes === n * 1000 + 1));
  const ping = await new Promise((done) => session.ping((error) => done(error === null)));
  out.push(ping);
  session.close(() => console.log(JSON.stringify(out)));
})();
`;

async function run(command: string[]): Promise<unknown> {
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  expect(err).toBe("");
  return JSON.parse(out);
}

describe("other clients", () => {
  let server: Http2TestServer;
  afterEach(() => server.stop());

  test.skipIf(!existsSync(PYTHON))(
    "httpx and h2 for Python",
    async () => {
      server = new Http2TestServer();
      expect(await run([PYTHON, "-c", HTTPX, `http://127.0.0.1:${server.port}`])).toEqual({
        get: [200, "HTTP/2", "hello"],
        echo: true,
        stream: 495_000,
        many: true,
        after: 200,
      });
      for (const seen of server.seen) expect(seen.events).toHaveLength(1);
    },
    60_000,
  );

  test.skipIf(NODE === null)(
    "http2 of Node.js",
    async () => {
      server = new Http2TestServer();
      expect(await run([NODE!, "-e", NODE_CLIENT, `http://127.0.0.1:${server.port}`])).toEqual([
        { bytes: 5, status: 200 },
        { bytes: 3_000_000, status: 200 },
        true,
        true,
      ]);
      await server.until(() => server.left === 1);
      expect(server.seen.every((seen) => seen.events.join() === "finished")).toBe(true);
    },
    60_000,
  );
});

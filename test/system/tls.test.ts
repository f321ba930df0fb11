/** TLS and HTTP/2, by ALPN and by prior knowledge. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";
import { join } from "node:path";
import { selfSigned } from "./certificate.ts";
import { RawClient } from "./client.ts";
import { APPS, command, freePort, Headrace, PATIENCE_MS, PYTHON, scratchFolder, soon } from "./harness.ts";

setDefaultTimeout(PATIENCE_MS * 2);

const folder = scratchFolder();
const cert = join(folder.path, "cert.pem");
const key = join(folder.path, "key.pem");
let secure: Headrace;
let clear: Headrace;

beforeAll(async () => {
  const pair = selfSigned();
  writeFileSync(cert, pair.cert);
  writeFileSync(key, pair.key);
  const app = join(APPS, "raw_asgi.py");
  secure = await Headrace.start(app, { args: ["--tls-cert", cert, "--tls-key", key], scheme: "https" });
  clear = await Headrace.start(app);
});
afterAll(async () => {
  await secure.stop();
  await clear.stop();
  folder[Symbol.dispose]();
});

interface Reply {
  readonly headers: IncomingHttpHeaders & { ":status"?: number | undefined };
  readonly body: Buffer;
  readonly trailers: IncomingHttpHeaders;
}

function session(url: string): Promise<ClientHttp2Session> {
  const client = connect(url, { rejectUnauthorized: false });
  return soon(
    "an HTTP/2 session",
    new Promise((resolve, reject) => {
      client.once("error", reject);
      client.once("connect", () => resolve(client));
    }),
  );
}

function ask(
  client: ClientHttp2Session,
  headers: Record<string, string | string[]>,
  body?: Uint8Array,
): Promise<Reply> {
  const stream = client.request({ ":method": "GET", ...headers }, { endStream: body === undefined });
  const pieces: Buffer[] = [];
  let head: Reply["headers"] = {};
  let trailers: IncomingHttpHeaders = {};
  stream.on("response", (got) => {
    head = got;
  });
  stream.on("trailers", (got) => {
    trailers = got;
  });
  stream.on("data", (chunk: Buffer) => pieces.push(chunk));
  const reply = new Promise<Reply>((resolve, reject) => {
    stream.once("error", reject);
    stream.once("end", () =>
      setImmediate(() => resolve({ headers: head, body: Buffer.concat(pieces), trailers })),
    );
  });
  if (body !== undefined) stream.end(body);
  return soon("an HTTP/2 answer", reply);
}

test("HTTP/1.1 over TLS: the app sees https and the tls extension", async () => {
  using client = await RawClient.openTls(secure.port);
  const scope = JSON.parse((await client.request("GET", "/a/../b?x=%20").answer()).body.toString());
  expect(scope).toMatchObject({
    scheme: "https",
    http_version: "1.1",
    raw_path: "/a/../b",
    query_string: "x=%20",
  });
  expect(scope.extensions).toContain("tls");
  expect(Number(scope.tls.tls_version)).toBeGreaterThanOrEqual(0x0303);
  expect(scope.tls).toHaveProperty("server_cert");
  expect(scope.tls).toHaveProperty("cipher_suite");
});

test("HTTP/2 by ALPN", async () => {
  const client = await session(secure.url);
  const reply = await ask(client, { ":path": "/raw/%2F?q=1", "x-one": "1", cookie: "a=1; b=2" });
  const scope = JSON.parse(reply.body.toString());
  expect(scope).toMatchObject({
    scheme: "https",
    http_version: "2",
    raw_path: "/raw/%2F",
    query_string: "q=1",
  });
  expect(scope.headers[0]).toEqual(["host", `127.0.0.1:${secure.port}`]);
  expect(scope.headers.filter(([name]: [string]) => name.startsWith(":"))).toEqual([]);
  client.close();
});

test("HTTP/2 on clear text by prior knowledge: bodies, duplicates, trailers, many streams", async () => {
  const client = await session(clear.url);
  const body = new Uint8Array(400_000).map((_, at) => at % 251);
  const upload = await ask(client, { ":method": "PUT", ":path": "/upload" }, body);
  expect(JSON.parse(upload.body.toString())).toMatchObject({ size: body.length });
  const download = await ask(client, { ":path": "/download?size=3000000" });
  expect(download.body.length).toBe(3_000_000);
  const cookies = await ask(client, { ":path": "/duplicates" });
  expect(cookies.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
  const trailed = await ask(client, { ":path": "/trailers", te: "trailers" });
  expect(trailed.body.toString()).toBe("summed");
  expect(trailed.trailers["x-sum"]).toBe("42");
  const many = await Promise.all(
    Array.from({ length: 60 }, (_, n) => ask(client, { ":path": `/echo?n=${n}` })),
  );
  expect(many.map((reply) => JSON.parse(reply.body.toString()).query_string)).toEqual(
    many.map((_, n) => `n=${n}`),
  );
  client.close();
});

test("HEAD and 204 over HTTP/2", async () => {
  const client = await session(clear.url);
  const head = await ask(client, { ":method": "HEAD", ":path": "/hello" });
  expect([head.headers[":status"], head.headers["content-length"], head.body.length]).toEqual([200, "13", 0]);
  const none = await ask(client, { ":path": "/status?code=204" });
  expect([none.headers[":status"], none.body.length]).toEqual([204, 0]);
  client.close();
});

test("a certificate that is none is refused with a sentence and status 2", async () => {
  const broken = join(folder.path, "broken.pem");
  writeFileSync(broken, "not a certificate");
  const args = ["run", join(APPS, "raw_asgi.py"), "--port", String(await freePort()), "--python", PYTHON];
  const ended = await command([...args, "--tls-cert", broken, "--tls-key", key]);
  expect(ended.status).toBe(2);
  expect(ended.stderr).toContain("broken.pem");
});

/** Requests reach the app as they were sent, and answers leave as the app gave them. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import { type Answer, ask, Closed, RawClient, values } from "./client.ts";
import { APPS, Headrace, PATIENCE_MS } from "./harness.ts";

setDefaultTimeout(PATIENCE_MS * 2);

interface Scope {
  readonly method: string;
  readonly http_version: string;
  readonly scheme: string;
  readonly path: string;
  readonly raw_path: string;
  readonly query_string: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly client: readonly [string, number];
  readonly server: readonly [string, number];
  readonly spec_version: string;
  readonly extensions: readonly string[];
  readonly state: { readonly started: number };
  readonly body: string;
}

let headrace: Headrace;

beforeAll(async () => {
  headrace = await Headrace.start(join(APPS, "raw_asgi.py"), { args: ["--gateways", "2"] });
});
afterAll(() => headrace.stop());

const scopeOf = (answer: Answer): Scope => JSON.parse(answer.body.toString()) as Scope;
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("what the app sees", () => {
  test.each([
    "/a/../b/./c",
    "/a%2Fb//c",
    "//x//y",
    "/a%2e%2e/b",
    "/caf%C3%A9?q=%zz&&x",
    "/a?",
    '/{}^|"<>\\?a=b?c#d'.slice(0, -2),
    "/;p=1,2/(x)'*'!~$@:=+",
  ])("the target %s byte for byte", async (target) => {
    const scope = scopeOf(await ask(headrace.port, "GET", target));
    const [path, query] = target.includes("?")
      ? [target.slice(0, target.indexOf("?")), target.slice(target.indexOf("?") + 1)]
      : [target, ""];
    expect(scope.raw_path).toBe(path);
    expect(scope.query_string).toBe(query);
  });

  test("the decoded path beside the raw one", async () => {
    const scope = scopeOf(await ask(headrace.port, "GET", "/caf%C3%A9/a%20b"));
    expect(scope.path).toBe("/café/a b");
    expect(scope.raw_path).toBe("/caf%C3%A9/a%20b");
  });

  test("headers in their order, with their duplicates, names lower-cased", async () => {
    const sent = ["X-One: 1", "Cookie: a=1", "x-two: 2", "X-One: 3", "Cookie: b=2", "X-Empty:"];
    const scope = scopeOf(await ask(headrace.port, "GET", "/echo", sent));
    const seen = scope.headers.filter(([name]) => name === "cookie" || name.startsWith("x-"));
    const own = seen.filter(([name]) => !name.startsWith("x-forwarded") && !name.startsWith("x-request"));
    expect(own).toEqual([
      ["x-one", "1"],
      ["cookie", "a=1"],
      ["x-two", "2"],
      ["x-one", "3"],
      ["cookie", "b=2"],
      ["x-empty", ""],
    ]);
    expect(scope.headers[0]).toEqual(["host", "story"]);
  });

  test("bytes above ASCII in a header value", async () => {
    const scope = scopeOf(await ask(headrace.port, "GET", "/echo", ["x-latin: caf\xe9"]));
    expect(scope.headers).toContainEqual(["x-latin", "caf\xe9"]);
  });

  test("who called, over what, and the lifespan's state", async () => {
    const scope = scopeOf(await ask(headrace.port, "PATCH", "/echo"));
    expect(scope).toMatchObject({
      method: "PATCH",
      http_version: "1.1",
      scheme: "http",
      spec_version: "2.5",
    });
    expect(scope.spec_version).toMatch(/^2\.[4-9]$/);
    expect(scope.client[0]).toBe("127.0.0.1");
    expect(scope.client[1]).toBeGreaterThan(0);
    expect(scope.server).toEqual(["127.0.0.1", headrace.port]);
    expect(scope.state).toEqual({ started: 1 });
    expect(scope.extensions).toContain("http.response.pathsend");
    expect(scope.extensions).toContain("http.response.early_hint");
    expect(scope.extensions).not.toContain("tls");
    // Trailers are offered to the app when they can reach the client.
    expect(scope.extensions).not.toContain("http.response.trailers");
    const trailed = scopeOf(await ask(headrace.port, "GET", "/echo", ["te: trailers"]));
    expect(trailed.extensions).toContain("http.response.trailers");
  });

  test("HTTP/1.0 closes after the answer and is named", async () => {
    using client = await RawClient.open(headrace.port);
    client.send("GET /echo HTTP/1.0\r\nhost: story\r\n\r\n");
    const text = (await client.rest()).toString("latin1");
    expect(text).toStartWith("HTTP/1.1 200 OK\r\n");
    expect(text.toLowerCase()).not.toContain("transfer-encoding");
    expect(JSON.parse(text.slice(text.indexOf("\r\n\r\n"))) as Scope).toMatchObject({ http_version: "1.0" });
  });
});

describe("request bodies", () => {
  const body = new Uint8Array(3_000_000).map((_, at) => (at * 31) % 251);

  test("with a length", async () => {
    const answer = await ask(headrace.port, "PUT", "/upload", [`content-length: ${body.length}`], body);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ size: body.length, sha256: sha256(body) });
  });

  test("in chunks of many sizes, with extensions and trailers", async () => {
    using client = await RawClient.open(headrace.port);
    client.request("PUT", "/upload", ["transfer-encoding: chunked"]);
    for (let at = 0, size = 1; at < body.length; at += size, size = (size * 7) % 70_001) {
      const piece = body.subarray(at, at + size);
      client
        .send(`${piece.length.toString(16)}${at < 100_000 ? ";name=value" : ""}\r\n`)
        .send(piece)
        .send("\r\n");
    }
    client.send("0\r\nx-trailer: 1\r\n\r\n");
    const answer = await client.answer();
    expect(JSON.parse(answer.body.toString())).toMatchObject({ size: body.length, sha256: sha256(body) });
    expect((await client.request("GET", "/hello").answer()).status).toBe(200);
  });

  test("byte by byte across every border", async () => {
    using client = await RawClient.open(headrace.port);
    const text =
      "PUT /echo?x HTTP/1.1\r\nhost: story\r\ntransfer-encoding: chunked\r\n\r\n4\r\nflow\r\n2\r\ner\r\n0\r\n\r\n";
    for (const byte of text) {
      client.send(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(scopeOf(await client.answer()).body).toBe("flower");
  });

  test("an answer before the body was read leaves the connection in step or closed", async () => {
    using client = await RawClient.open(headrace.port);
    client.request("POST", "/no-body-read", ["content-length: 5"], "hello");
    expect((await client.answer()).status).toBe(403);
    client.request("GET", "/hello");
    const next = await client.answer().catch((error: unknown) => error);
    if (next instanceof Error) expect(next).toBeInstanceOf(Closed);
    else expect((next as Answer).body.toString()).toBe("Hello, world!");
  });

  test("100 Continue is sent when the app asks for the body, and not before", async () => {
    using client = await RawClient.open(headrace.port);
    client.request("PUT", "/upload", ["content-length: 4", "expect: 100-continue"]);
    const interim = await client.head();
    expect(interim.status).toBe(100);
    const answer = await client.send("body").answer();
    expect(JSON.parse(answer.body.toString())).toMatchObject({ size: 4 });
  });

  test("an app that does not ask never causes a 100", async () => {
    using client = await RawClient.open(headrace.port);
    const answer = await client
      .request("PUT", "/no-body-read", ["content-length: 4", "expect: 100-continue"])
      .answer();
    expect(answer.status).toBe(403);
    expect(answer.interim).toEqual([]);
  });
});

describe("responses", () => {
  test("pipelined requests are answered in order", async () => {
    using client = await RawClient.open(headrace.port);
    let wire = "";
    for (let n = 0; n < 50; n += 1) wire += `GET /echo?n=${n} HTTP/1.1\r\nhost: story\r\n\r\n`;
    client.send(wire);
    for (let n = 0; n < 50; n += 1) expect(scopeOf(await client.answer()).query_string).toBe(`n=${n}`);
  });

  test("duplicates and their order are kept", async () => {
    const answer = await ask(headrace.port, "GET", "/duplicates");
    expect(values(answer, "set-cookie")).toEqual(["a=1", "b=2"]);
    expect(values(answer, "x-one")).toEqual(["1", "2"]);
  });

  test("HEAD has the headers of GET and no body", async () => {
    using client = await RawClient.open(headrace.port);
    const head = await client.request("HEAD", "/hello").answer("HEAD");
    expect(values(head, "content-length")).toEqual(["13"]);
    const get = await client.request("GET", "/hello").answer();
    expect(get.body.toString()).toBe("Hello, world!");
    expect((await client.request("HEAD", "/status?code=200").answer("HEAD")).status).toBe(200);
    expect((await client.request("GET", "/hello").answer()).body.toString()).toBe("Hello, world!");
  });

  test.each([204, 304])("%d has no body and no chunked framing", async (code) => {
    using client = await RawClient.open(headrace.port);
    const answer = await client.request("GET", `/status?code=${code}`).answer();
    expect(answer.status).toBe(code);
    expect(values(answer, "transfer-encoding")).toEqual([]);
    if (code === 204) expect(values(answer, "content-length")).toEqual([]);
    expect((await client.request("GET", "/hello").answer()).body.toString()).toBe("Hello, world!");
  });

  test("a body without a length is chunked", async () => {
    const answer = await ask(headrace.port, "GET", "/download?size=1000000&chunked");
    expect(values(answer, "transfer-encoding")).toEqual(["chunked"]);
    expect(answer.body.length).toBe(1_000_000);
    expect(sha256(answer.body)).toBe(sha256(new Uint8Array(1_000_000).map((_, at) => at % 256)));
  });

  test("trailers go to those who asked for them", async () => {
    const asked = await ask(headrace.port, "GET", "/trailers", ["te: trailers"]);
    expect(asked.body.toString()).toBe("summed");
    expect(asked.trailers).toEqual([["x-sum", "42"]]);
    const plain = await ask(headrace.port, "GET", "/trailers");
    expect(plain.body.toString()).toBe("summed");
    expect(plain.trailers).toEqual([]);
  });

  test("early hints come before the answer", async () => {
    const answer = await ask(headrace.port, "GET", "/hints");
    expect(answer.body.toString()).toBe("hinted");
    expect(answer.interim.map(({ status }) => status)).toEqual([103]);
    expect(answer.interim[0]?.headers).toContainEqual(["link", "</style.css>; rel=preload; as=style"]);
  });

  test("a file that the app names is sent by the gateway", async () => {
    const path = join(APPS, "raw_asgi.py");
    using client = await RawClient.open(headrace.port);
    const answer = await client.request("GET", `/pathsend?path=${encodeURIComponent(path)}`).answer();
    expect(answer.body.length).toBe(statSync(path).size);
    expect(sha256(answer.body)).toBe(sha256(new Uint8Array(await Bun.file(path).arrayBuffer())));
    expect((await client.request("GET", "/hello").answer()).status).toBe(200);
  });

  test("an app that raises is answered for, and its traceback is logged", async () => {
    const answer = await ask(headrace.port, "GET", "/raises");
    expect(answer.status).toBe(500);
    expect(answer.body.toString()).not.toContain("on purpose");
    await headrace.output.waitFor("RuntimeError: raised on purpose before the response");
  });

  test("a response that broke off cannot be taken for a whole one", async () => {
    using client = await RawClient.open(headrace.port);
    const broken = await client
      .request("GET", "/raises-late")
      .answer()
      .catch((error: unknown) => error);
    expect(broken).toBeInstanceOf(Error);
    await headrace.output.waitFor("RuntimeError: raised on purpose after the response began");
  });

  test("a header with a line break in it never leaves", async () => {
    const answer = await ask(headrace.port, "GET", "/injects");
    expect(answer.status).toBe(500);
    expect(values(answer, "x-worse")).toEqual([]);
  });
});

describe("what is refused", () => {
  test.each([
    [
      "both lengths",
      "POST /hello HTTP/1.1\r\nhost: s\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
    ],
    ["a bare LF", "GET /hello HTTP/1.1\nhost: s\n\n", 400],
    ["a space before the colon", "GET /hello HTTP/1.1\r\nhost : s\r\n\r\n", 400],
    ["no host", "GET /hello HTTP/1.1\r\n\r\n", 400],
    ["a folded header", "GET /hello HTTP/1.1\r\nhost: s\r\nx: a\r\n b\r\n\r\n", 400],
    ["a request line without an end", `GET /${"a".repeat(20_000)} HTTP/1.1\r\n`, 414],
    ["too many headers", `GET /hello HTTP/1.1\r\nhost: s\r\n${"x: y\r\n".repeat(200)}\r\n`, 431],
    ["a body over the limit", "PUT /upload HTTP/1.1\r\nhost: s\r\ncontent-length: 99999999999\r\n\r\n", 413],
  ])("%s", async (_, wire, status) => {
    using client = await RawClient.open(headrace.port);
    const answer = await client.send(wire).answer();
    expect(answer.status).toBe(status);
    await client.rest();
  });
});

/** A WSGI app through the gateway: what PEP 3333 promises it. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ask, RawClient, values } from "./client.ts";
import { APPS, Headrace, PATIENCE_MS } from "./harness.ts";
import { Stage } from "./stage.ts";

setDefaultTimeout(PATIENCE_MS * 2);

let headrace: Headrace;
let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open();
  headrace = await Headrace.start(`${join(APPS, "raw_wsgi.py")}:application`, {
    args: ["--concurrency", "4"],
    env: stage.env,
  });
});
afterAll(async () => {
  await headrace.stop();
  stage[Symbol.dispose]();
});

interface Seen {
  readonly environ: Readonly<Record<string, unknown>>;
  readonly body: string;
}

test("the environ", async () => {
  const head = [
    "X-One: 1",
    "X-One: 2",
    "Cookie: a=1",
    "Cookie: b=2",
    "content-type: text/x",
    "content-length: 2",
    "X_Under: no",
  ];
  const answer = await ask(headrace.port, "POST", "/caf%C3%A9/x%20y?q=%20", head, "ab");
  const { environ, body } = JSON.parse(answer.body.toString()) as Seen;
  expect(body).toBe("ab");
  expect(environ).toMatchObject({
    REQUEST_METHOD: "POST",
    SCRIPT_NAME: "",
    PATH_INFO: "/caf\xc3\xa9/x y",
    QUERY_STRING: "q=%20",
    CONTENT_TYPE: "text/x",
    CONTENT_LENGTH: "2",
    SERVER_PROTOCOL: "HTTP/1.1",
    SERVER_PORT: String(headrace.port),
    HTTP_HOST: "story",
    HTTP_COOKIE: "a=1; b=2",
    "wsgi.url_scheme": "http",
    "wsgi.multithread": true,
    "wsgi.run_once": false,
    "wsgi.version": [1, 0],
  });
  expect(String(environ["HTTP_X_ONE"]).replaceAll(" ", "")).toBe("1,2");
  expect(environ).not.toHaveProperty("HTTP_CONTENT_TYPE");
  expect(environ).not.toHaveProperty("HTTP_CONTENT_LENGTH");
  expect(environ).not.toHaveProperty("HTTP_X_UNDER");
});

test("an upload is read as it arrives, with a length and in chunks", async () => {
  const body = new Uint8Array(1_500_000).map((_, at) => (at * 17) % 255);
  const digest = createHash("sha256").update(body).digest("hex");
  const sized = await ask(headrace.port, "PUT", "/upload", [`content-length: ${body.length}`], body);
  expect(JSON.parse(sized.body.toString())).toEqual({ size: body.length, sha256: digest });
  using client = await RawClient.open(headrace.port);
  client.request("PUT", "/upload", ["transfer-encoding: chunked"]);
  for (let at = 0; at < body.length; at += 100_000) {
    const piece = body.subarray(at, at + 100_000);
    client
      .send(`${piece.length.toString(16)}\r\n`)
      .send(piece)
      .send("\r\n");
  }
  const chunked = await client.send("0\r\n\r\n").answer();
  expect(JSON.parse(chunked.body.toString())).toEqual({ size: body.length, sha256: digest });
});

test("readline, readlines and iteration over the body", async () => {
  const answer = await ask(headrace.port, "PUT", "/lines", ["content-length: 14"], "one\ntwo\nthree\n");
  expect(JSON.parse(answer.body.toString())).toEqual(["one\n", "two\n", "three\n"]);
});

test("written bytes come before the returned ones", async () => {
  const answer = await ask(headrace.port, "GET", "/write");
  expect(answer.body.toString()).toBe("written first, returned after");
});

test("start_response with exc_info replaces what was not sent yet", async () => {
  const answer = await ask(headrace.port, "GET", "/second-thoughts");
  expect([answer.status, answer.reason]).toEqual([503, expect.any(String)] as [number, string]);
  expect(values(answer, "x-second")).toEqual(["yes"]);
  expect(values(answer, "x-first")).toEqual([]);
  expect(answer.body.toString()).toBe("second");
});

test("wsgi.file_wrapper sends the file from where it stands", async () => {
  const path = join(APPS, "raw_wsgi.py");
  const answer = await ask(headrace.port, "GET", `/wrapped?from=10&path=${encodeURIComponent(path)}`);
  expect(answer.body.toString()).toBe(readFileSync(path, "utf8").slice(10));
});

test("each piece of an iterable leaves when it is made, and close() is called once at the end", async () => {
  using client = await RawClient.open(headrace.port);
  client.request("GET", "/streamed?count=3&key=stream");
  const call = await stage.begun("stream");
  expect((await client.head()).status).toBe(200);
  expect((await client.bytes(7)).toString()).toBe("2\r\n0\n\r\n");
  call.tell("go");
  expect((await client.bytes(7)).toString()).toBe("2\r\n1\n\r\n");
  call.tell("stop");
  await stage.ended(call);
  expect(call.said).toEqual(["closed"]);
});

test("close() is called when the client has left", async () => {
  using client = await RawClient.open(headrace.port);
  client.request("GET", "/streamed?count=1000000&key=left");
  const call = await stage.begun("left");
  await client.head();
  client.close();
  // The thread learns of it when it sends again; until then the story keeps it going.
  const timer = setInterval(() => call.tell("go"), 5);
  await stage.ended(call);
  clearInterval(timer);
  expect(call.said).toEqual(["closed"]);
});

test("as many requests run at once as there are threads", async () => {
  const answers = ["t1", "t2", "t3", "t4"].map((key) => ask(headrace.port, "GET", `/stage?key=${key}`));
  for (const key of ["t1", "t2", "t3", "t4"]) await stage.begun(key);
  stage.release();
  for (const answer of await Promise.all(answers)) expect(answer.status).toBe(200);
});

test.each([204, 304])("%d has no body", async (code) => {
  using client = await RawClient.open(headrace.port);
  expect((await client.request("GET", `/status?code=${code}`).answer()).status).toBe(code);
  expect((await client.request("GET", "/hello").answer()).body.toString()).toBe("Hello, world!");
});

test("an app that raises is answered for, and its traceback is logged", async () => {
  expect((await ask(headrace.port, "GET", "/raises")).status).toBe(500);
  await headrace.output.waitFor("RuntimeError: raised on purpose before the response");
});

test("wsgiref.validate finds nothing wrong with the server", async () => {
  await using strict = await Headrace.start(`${join(APPS, "raw_wsgi.py")}:validated`, {
    args: ["--interface", "wsgi"],
  });
  for (const [method, head, body, expected] of [
    ["GET", [], "", "valid "],
    ["POST", ["content-length: 5", "content-type: text/plain"], "hello", "valid hello"],
  ] as const) {
    const answer = await ask(strict.port, method, "/some/path?x=1", head, body);
    expect(answer.body.toString()).toBe(expected);
    expect(answer.status).toBe(200);
  }
  expect(strict.output.text).not.toContain("AssertionError");
});

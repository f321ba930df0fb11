import { describe, expect, test } from "bun:test";
import { Harness } from "./testing/harness.ts";
import { answering, bytes, GET, nothing, pairs, undated } from "./testing/recorder.ts";

const HEAD = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
const NO_FIELDS = new Uint8Array(0);

describe("responses", () => {
  test("a body that comes with its end gets a content-length", () => {
    const harness = new Harness().send(GET);
    expect(undated(harness)).toBe(
      "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 8\r\n\r\nGET / 0\n",
    );
    expect(harness.output).toMatch(/date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/);
    expect(harness.request.finishedBytes).toBe(harness.output.length);
    expect(harness.request.sentBytes).toBe(8);
  });

  test("a body without a known length is chunked for HTTP/1.1", () => {
    const harness = new Harness({}, nothing).send(GET);
    const { client } = harness.request;
    harness.act(() => client.respond(200, NO_FIELDS, false, false));
    expect(undated(harness)).toBe("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    harness.act(() => client.body(bytes("hello"), false)).act(() => client.body(NO_FIELDS, false));
    harness.act(() => client.body(bytes("x".repeat(20_000)), false)).act(() => client.body(NO_FIELDS, true));
    expect(undated(harness).split("\r\n\r\n").slice(1).join("\r\n\r\n")).toBe(
      `5\r\nhello\r\n4e20\r\n${"x".repeat(20_000)}\r\n0\r\n\r\n`,
    );
    expect(harness.request.sentBytes).toBe(20_005);
    expect(harness.request.finishedBytes).toBe(harness.output.length);
    expect(harness.transport.end_).toBe("");
  });

  test("and delimited by the close for HTTP/1.0", () => {
    const harness = new Harness({}, nothing).send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const { client } = harness.request;
    harness
      .act(() => client.respond(200, NO_FIELDS, false, false))
      .act(() => client.body(bytes("abc"), true));
    expect(undated(harness)).toBe("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabc");
    expect(harness.transport.end_).toBe("end");
  });

  test("HTTP/1.0 is kept alive when it asks for it and the length is known", () => {
    const harness = new Harness().send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    expect(harness.output).toContain("connection: keep-alive\r\n");
    expect(harness.transport.end_).toBe("");
    harness.send("GET / HTTP/1.0\r\n\r\n");
    expect(harness.output.match(/connection: close/g)).toHaveLength(1);
    expect(harness.transport.end_).toBe("end");
  });

  test("HEAD: the app's length stands, the body does not", () => {
    const harness = new Harness({}, nothing).send(HEAD);
    const { client } = harness.request;
    harness.act(() => {
      client.respond(200, pairs("content-length: 5"), false, false);
      client.body(bytes("hello"), true);
    });
    expect(undated(harness)).toBe("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
    expect(harness.request.sentBytes).toBe(5);
    expect(harness.request.finishedBytes).toBe(harness.output.length);
  });

  test("HEAD without a length says nothing of one", () => {
    const harness = new Harness({}, (request) => request.client.respond(200, NO_FIELDS, true, false)).send(
      HEAD,
    );
    expect(undated(harness)).toBe("HTTP/1.1 200 OK\r\n\r\n");
    expect(harness.request.finishedBytes).toBeGreaterThan(0);
  });

  for (const [status, head] of [
    [204, "HTTP/1.1 204 No Content\r\n\r\n"],
    [304, "HTTP/1.1 304 Not Modified\r\ncontent-length: 3\r\n\r\n"],
    [205, "HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n"],
  ] as const) {
    test(`${status} has no body`, () => {
      const fields = pairs("content-length: 3");
      const harness = new Harness({}, nothing).send(GET);
      const { client } = harness.request;
      harness.act(() => client.respond(status, fields, false, false));
      harness.act(() => client.body(bytes("abc"), true));
      expect(undated(harness)).toBe(head);
      expect(harness.transport.end_).toBe("");
    });
  }

  test("hop-by-hop headers of the app are left out, its date is kept", () => {
    const fields = pairs(
      "connection: close",
      "transfer-encoding: chunked",
      "keep-alive: x",
      "upgrade: h2c",
      "date: D",
      "x: y",
    );
    const harness = new Harness(
      {},
      answering(({ client }) => client.respond(200, fields, true, false)),
    ).send(GET);
    expect(harness.output).toBe("HTTP/1.1 200 OK\r\ndate: D\r\nx: y\r\ncontent-length: 0\r\n\r\n");
  });

  test("names are written in lower case, order and duplicates are kept", () => {
    const fields = pairs("Set-Cookie: a", "x: 1", "Set-Cookie: b");
    const harness = new Harness(
      {},
      answering(({ client }) => client.respond(200, fields, true, false)),
    ).send(GET);
    expect(undated(harness)).toContain("set-cookie: a\r\nx: 1\r\nset-cookie: b\r\n");
  });

  for (const [name, fields] of [
    ["CRLF in a value", pairs("x: a\r\nSet-Cookie: evil")],
    ["bare LF in a value", pairs("x: a\nb")],
    ["control byte in a value", pairs("x: a\x0bb")],
    ["CRLF in a name", pairs("x\r\ny: a")],
    ["space in a name", pairs("x y: a")],
    ["colon in a name", Uint8Array.from(Buffer.from("x:y\0a"))],
    ["empty name", Uint8Array.from(Buffer.from("\0a"))],
    ["name without a value", Uint8Array.from(Buffer.from("x"))],
    ["NUL at the end", Uint8Array.from(Buffer.from("x\0a\0"))],
    ["length that is none", pairs("content-length: +5")],
    ["two lengths", pairs("content-length: 0", "content-length: 0")],
  ] as const) {
    test(`${name}: 502 and close, nothing of the response is sent`, () => {
      const harness = new Harness(
        {},
        answering(({ client }) => client.respond(200, fields, true, false)),
      ).send(GET);
      expect(harness.statuses).toEqual([502]);
      expect(harness.output).not.toContain("evil");
      expect(harness.output).toContain("headrace-reason: HR_BAD_RESPONSE");
      expect(harness.request.goneFor).toBe("protocol-error");
      expect(harness.badResponses).toEqual([200]);
      expect(harness.transport.end_).toBe("end");
    });
  }

  for (const status of [0, 99, 100, 101, 103, 1000, 200.5, Number.NaN]) {
    test(`status ${status}: 502`, () => {
      const harness = new Harness(
        {},
        answering(({ client }) => client.respond(status, NO_FIELDS, true, false)),
      );
      expect(harness.send(GET).statuses).toEqual([502]);
    });
  }

  test("a body longer than its length is cut off", () => {
    const harness = new Harness({}, nothing).send(GET);
    const { client } = harness.request;
    harness.act(() => client.respond(200, pairs("content-length: 3"), false, false));
    harness.act(() => client.body(bytes("abcd"), false));
    expect(harness.transport.end_).toBe("reset");
    expect(harness.request.goneFor).toBe("protocol-error");
    expect(harness.badResponses).toEqual([200]);
  });

  test("so is one that ends before it", () => {
    const harness = new Harness({}, nothing).send(GET);
    const { client } = harness.request;
    harness.act(() => client.respond(200, pairs("content-length: 3"), false, false));
    harness.act(() => client.body(bytes("ab"), false)).act(() => client.body(NO_FIELDS, true));
    expect(harness.transport.end_).toBe("reset");
    expect(harness.request.goneFor).toBe("protocol-error");
  });

  test("trailers go out when the client said that it takes them", () => {
    const harness = new Harness({}, nothing).send("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n");
    const { client } = harness.request;
    harness.act(() => {
      client.respond(200, pairs("trailer: x-sum"), false, true);
      client.body(bytes("abc"), false);
      client.trailers(pairs("x-sum: 1"));
    });
    expect(undated(harness)).toEndWith("transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n");
  });

  for (const [name, request, fields, end] of [
    ["not asked for", GET, pairs("x-sum: 1"), "0\r\n\r\n"],
    ["malformed", "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n", pairs("x: a\r\nb"), "0\r\n\r\n"],
  ] as const) {
    test(`trailers that are ${name} are dropped`, () => {
      const harness = new Harness({}, nothing).send(request);
      const { client } = harness.request;
      harness.act(() => client.respond(200, NO_FIELDS, false, true)).act(() => client.trailers(fields));
      expect(harness.output).toEndWith(end);
      expect(harness.request.finishedBytes).toBe(harness.output.length);
    });
  }

  test("early hints come before the response, and not to HTTP/1.0", () => {
    const answer = answering(({ client }) => {
      client.inform(103, pairs("link: </a>"));
      client.respond(200, NO_FIELDS, true, false);
      client.inform(103, pairs("link: </late>"));
    });
    const harness = new Harness({}, answer).send(GET);
    expect(undated(harness)).toBe(
      "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    );
    expect(new Harness({}, answer).send("GET / HTTP/1.0\r\n\r\n").output).not.toContain("103");
  });

  test("abort cuts the connection", () => {
    const harness = new Harness({}, nothing).send(GET);
    harness.act(() => harness.request.client.abort());
    expect(harness.transport.end_).toBe("reset");
    expect(harness.output).toBe("");
    expect(harness.request.goneFor).toBe("");
  });

  test("calls after the end are ignored", () => {
    const harness = new Harness().send(GET);
    const { client } = harness.request;
    const before = harness.output;
    harness.act(() => {
      client.respond(500, NO_FIELDS, true, false);
      client.body(bytes("x"), true);
      client.trailers(NO_FIELDS);
      client.takeBody(5);
      client.inform(103, NO_FIELDS);
      client.file("/nowhere");
      client.acceptWebSocket("", NO_FIELDS);
      client.message(true, bytes("x"), false);
      client.closeWebSocket(1000, "");
      client.abort();
    });
    expect(harness.output).toBe(before);
    expect(harness.send(GET).statuses).toEqual([200, 200]);
  });
});

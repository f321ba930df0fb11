import { describe, expect, test } from "bun:test";
import { Harness } from "./testing/harness.ts";
import { answerWhenComplete, bytes, pairs, type Recorded } from "./testing/recorder.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const HEAD = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
const NO_FIELDS = new Uint8Array(0);
const nothing = (): void => undefined;

/** A POST of `length` bytes, its body not included. */
function post(length: number, more = ""): string {
  return `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n${more}\r\n`;
}

/** The output without the date lines. */
function undated(harness: Harness): string {
  return harness.output.replace(/date: [^\r]*\r\n/g, "");
}

/** A pipeline that answers each request at once with these calls. */
function answering(answer: (request: Recorded) => void): (request: Recorded) => void {
  return (request) => {
    if (request.chunks.length === 0 && request.finishedBytes < 0) answer(request);
  };
}

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
      const fields = status === 205 ? NO_FIELDS : pairs("content-length: 3");
      const harness = new Harness({}, nothing).send(GET);
      const { client } = harness.request;
      harness.act(() => client.respond(status, fields, status === 205, false));
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
  });

  test("so is one that ends before it", () => {
    const harness = new Harness({}, nothing).send(GET);
    const { client } = harness.request;
    harness.act(() => client.respond(200, pairs("content-length: 3"), false, false));
    harness.act(() => client.body(bytes("ab"), false)).act(() => client.body(NO_FIELDS, true));
    expect(harness.transport.end_).toBe("reset");
    expect(harness.request.finishedBytes).toBe(-1);
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

describe("request bodies", () => {
  test("nothing comes before it was granted, and never more", () => {
    const harness = new Harness({}, nothing).send(`${post(10)}01234`);
    const { request } = harness;
    expect(request.text).toBe("");
    harness.act(() => request.client.takeBody(3));
    expect(request.text).toBe("012");
    harness.act(() => request.client.takeBody(4));
    expect(request.text).toBe("01234");
    harness.send("56789");
    expect(request.text).toBe("0123456");
    harness.act(() => request.client.takeBody(100));
    expect(request.text).toBe("0123456789");
    expect(request.complete).toBe(true);
  });

  test("chunks are granted by their data", () => {
    const harness = new Harness({}, nothing);
    harness.send(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n4\r\nefgh\r\n0\r\n\r\n",
    );
    const { request } = harness;
    harness.act(() => request.client.takeBody(2));
    expect(request.text).toBe("ab");
    harness.act(() => request.client.takeBody(3));
    expect(request.text).toBe("abcde");
    harness.act(() => request.client.takeBody(3));
    expect([request.text, request.complete]).toEqual(["abcdefgh", true]);
  });

  test("tiny chunks of one read arrive as one", () => {
    const harness = new Harness({}, nothing);
    const chunks = Array.from({ length: 500 }, (_, i) => `1\r\n${i % 10}\r\n`).join("");
    harness.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    harness.act(() => harness.request.client.takeBody(1000)).send(`${chunks}0\r\n\r\n`);
    expect(harness.request.chunks).toHaveLength(1);
    expect(harness.request.text).toBe("0123456789".repeat(50));
  });

  test("the socket is not read while much is waiting", () => {
    const harness = new Harness({}, nothing).send(post(1_000_000)).send(new Uint8Array(100_000));
    expect(harness.transport.paused).toBe(true);
    harness.act(() => harness.request.client.takeBody(1_000_000));
    expect(harness.transport.paused).toBe(false);
    expect(harness.request.text.length).toBe(100_000);
  });

  test("100 Continue is sent once, when the body is first asked for", () => {
    const harness = new Harness({}, nothing).send(post(5, "Expect: 100-continue\r\n"));
    expect(harness.request.head.expectContinue).toBe(true);
    expect(harness.output).toBe("");
    const { client } = harness.request;
    harness.act(() => client.takeBody(2)).act(() => client.takeBody(3));
    expect(harness.output).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    harness.send("hello").act(() => answerWhenComplete(harness.request));
    expect(harness.statuses).toEqual([200]);
    expect(harness.transport.end_).toBe("");
  });

  test("not when the body came anyway, nor after the response began, nor to HTTP/1.0", () => {
    const expectation = "Expect: 100-continue\r\n";
    expect(new Harness().send(`${post(5, expectation)}hello`).output).not.toContain("100 Continue");
    const early = new Harness({}, nothing).send(post(5, expectation));
    early.act(() => early.request.client.respond(200, NO_FIELDS, false, false));
    early.act(() => early.request.client.takeBody(5));
    expect(early.output).not.toContain("100 Continue");
    expect(early.output).toContain("connection: close");
    const old = new Harness({}, nothing).send(post(5, expectation).replace("1.1", "1.0"));
    old.act(() => old.request.client.takeBody(5));
    expect([old.request.head.expectContinue, old.output]).toEqual([false, ""]);
  });

  test("an early response: a short rest of the body is dropped, the connection goes on", () => {
    const harness = new Harness(
      {},
      answering(({ client }) => client.respond(403, NO_FIELDS, true, false)),
    );
    harness.send(`${post(10)}01234`);
    expect(harness.request.finishedBytes).toBeGreaterThan(0);
    harness.send("56789").send(GET);
    expect(harness.statuses).toEqual([403, 403]);
    expect(harness.output).not.toContain("connection: close");
    expect(harness.requests[0]!.text).toBe("");
  });

  test("a long rest is not waited for", () => {
    const harness = new Harness(
      { discardBytes: 100 },
      answering(({ client }) => client.respond(403, NO_FIELDS, true, false)),
    );
    harness.send(post(1000));
    expect(harness.output).toContain("connection: close");
    expect(harness.transport.end_).toBe("end");
  });

  test("a chunked rest that turns out long is not waited for either", () => {
    const harness = new Harness(
      { discardBytes: 100 },
      answering(({ client }) => client.respond(403, NO_FIELDS, true, false)),
    );
    harness.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    expect(harness.transport.end_).toBe("");
    harness.send(`ff\r\n${"x".repeat(255)}\r\n`);
    expect(harness.transport.end_).toBe("end");
  });

  test("a body over the limit: 413, told by the head", () => {
    const harness = new Harness({ bodyBytes: 10 }).send(post(11));
    expect(harness.statuses).toEqual([413]);
    expect(harness.refusals[0]).toMatchObject({
      status: 413,
      code: "HR_HTTP_BODY_SIZE",
      method: "POST",
      target: "/",
    });
    expect(harness.requests).toHaveLength(0);
  });

  test("a chunked body over the limit: 413 in the middle", () => {
    const harness = new Harness({ bodyBytes: 10 });
    harness
      .send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n")
      .send("5\r\nghijk\r\n");
    expect(harness.statuses).toEqual([413]);
    expect(harness.request.goneFor).toBe("too-large");
    expect(harness.request.text).toBe("abcdef");
  });

  test("a bad chunk after the response began cuts it off", () => {
    const harness = new Harness({}, nothing);
    harness.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    harness.act(() => harness.request.client.respond(200, NO_FIELDS, false, false));
    harness.act(() => harness.request.client.takeBody(100)).send("zz\r\n");
    expect(harness.request.goneFor).toBe("protocol-error");
    expect(harness.transport.end_).toBe("reset");
  });
});

describe("one connection, many requests", () => {
  test("pipelined requests are served one at a time, in order", () => {
    const harness = new Harness({}, nothing);
    harness.send(`${GET}${GET.replace("/ ", "/2 ")}${GET.replace("/ ", "/3 ")}`);
    expect(harness.requests).toHaveLength(1);
    for (const target of ["/", "/2", "/3"]) {
      expect(harness.request.target).toBe(target);
      harness.act(() => answerWhenComplete(harness.request));
    }
    expect(harness.requests).toHaveLength(3);
    expect(harness.statuses).toEqual([200, 200, 200]);
  });

  test("the next request waits until the socket has taken the response", () => {
    const harness = new Harness();
    harness.transport.room = 0;
    harness.send(GET + GET);
    expect(harness.requests).toHaveLength(1);
    expect(harness.request.finishedBytes).toBe(-1);
    harness.take(Number.POSITIVE_INFINITY);
    expect(harness.statuses).toEqual([200, 200]);
  });

  test("a client that pipelines without end is not read", () => {
    const harness = new Harness({}, nothing).send(GET).send(GET.repeat(3000));
    expect(harness.transport.paused).toBe(true);
  });

  test("what is pipelined behind close is dropped", () => {
    const harness = new Harness().send(`GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n${GET}`);
    expect(harness.statuses).toEqual([200]);
    expect(harness.transport.end_).toBe("end");
  });

  test("a client that is lost ends its request", () => {
    const harness = new Harness({}, nothing).send(GET);
    harness.act(() => harness.transport.destroy(true));
    expect(harness.request.goneFor).toBe("reset");
  });

  test("a response that is complete but not taken counts as lost", () => {
    const harness = new Harness();
    harness.transport.room = 0;
    harness.send(GET).act(() => harness.transport.destroy(false));
    expect(harness.request.goneFor).toBe("closed");
  });

  test("shutdown closes an idle connection, and a busy one after its response", () => {
    const idle = new Harness();
    idle.act(() => idle.connection.shutdown());
    expect(idle.transport.end_).toBe("end");
    const busy = new Harness({}, nothing).send(GET);
    busy.act(() => busy.connection.shutdown());
    expect(busy.transport.end_).toBe("");
    busy.act(() => answerWhenComplete(busy.request));
    expect(busy.output).toContain("connection: close");
    expect(busy.transport.end_).toBe("end");
  });

  test("destroy tells the pipeline that it is a shutdown", () => {
    const harness = new Harness({}, nothing).send(GET);
    harness.act(() => harness.connection.destroy());
    expect(harness.request.goneFor).toBe("shutdown");
    expect(harness.transport.end_).toBe("reset");
  });
});

describe("half-close", () => {
  test("a client that has sent FIN after its request gets its answer, then the close", () => {
    const harness = new Harness({}, nothing).send(GET).fin();
    harness.act(() => answerWhenComplete(harness.request));
    expect(harness.statuses).toEqual([200]);
    expect(harness.transport.end_).toBe("end");
  });

  test("so do requests that are pipelined before the FIN", () => {
    const harness = new Harness({}, nothing).send(GET + GET).fin();
    harness.act(() => answerWhenComplete(harness.request)).act(() => answerWhenComplete(harness.request));
    expect(harness.statuses).toEqual([200, 200]);
    expect(harness.transport.end_).toBe("end");
  });

  test("while it waits it is asked whether it is still there", () => {
    const harness = new Harness({}, nothing).send(GET).fin();
    expect(harness.output).toBe("");
    harness.pass(1000);
    expect(harness.output).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    harness.act(() => answerWhenComplete(harness.request));
    expect(harness.statuses).toEqual([200]);
  });

  test("a FIN long after the request is taken for leaving once the response has begun", () => {
    const harness = new Harness({}, nothing).send(GET);
    harness.act(() => harness.request.client.respond(200, NO_FIELDS, false, false));
    harness.pass(5000).fin().pass(500);
    expect(harness.request.goneFor).toBe("closed");
    expect(harness.transport.end_).toBe("reset");
  });

  test("a FIN in the middle of a head, or of a body: 400", () => {
    expect(new Harness().send("GET / HT").fin().output).toContain("HR_HTTP_TRUNCATED");
    const harness = new Harness().send(`${post(10)}01234`).fin();
    expect(harness.output).toContain("HR_HTTP_TRUNCATED");
    expect(harness.request.goneFor).toBe("closed");
    expect(new Harness().fin().output).toBe("");
  });
});

describe("time limits", () => {
  test("idle: closed without a word", () => {
    const harness = new Harness({ idleTimeoutMs: 1000 });
    harness.pass(750);
    expect(harness.transport.end_).toBe("");
    harness.pass(500);
    expect([harness.transport.end_, harness.output]).toEqual(["end", ""]);
  });

  test("slow headers: 408, however steadily they come", () => {
    const harness = new Harness({ headerTimeoutMs: 2000 }).send("GET / HTTP/1.1\r\n");
    for (let i = 0; i < 12; i++) harness.send(`X-${i}: a\r\n`).pass(250);
    expect(harness.statuses).toEqual([408]);
    expect(harness.refusals[0]?.code).toBe("HR_HTTP_HEADER_TIMEOUT");
  });

  test("a body that stops coming: 408", () => {
    const harness = new Harness({ bodyTimeoutMs: 1000 }).send(`${post(10)}012`);
    harness.pass(750).send("3").pass(750);
    expect(harness.output).toBe("");
    harness.pass(500);
    expect(harness.statuses).toEqual([408]);
    expect(harness.request.goneFor).toBe("slow-body");
  });

  test("a body that nobody asks for is not slow", () => {
    const harness = new Harness({ bodyTimeoutMs: 1000 }, nothing).send(post(10)).pass(5000);
    expect(harness.transport.end_).toBe("");
  });

  test("a reader that takes nothing is cut off, one that takes a little is not", () => {
    const harness = new Harness({ sendTimeoutMs: 1000 }, nothing);
    harness.transport.room = 0;
    harness.send(GET).act(() => harness.request.client.respond(200, NO_FIELDS, false, false));
    const piece = bytes("x".repeat(1000));
    for (let i = 0; i < 6; i++) harness.act(() => harness.request.client.body(piece, false));
    for (let i = 0; i < 5; i++) harness.take(1010).pass(750);
    expect(harness.transport.end_).toBe("");
    harness.pass(1500);
    expect(harness.transport.end_).toBe("reset");
    expect(harness.request.goneFor).toBe("slow-read");
  });

  test("0 switches a limit off", () => {
    const harness = new Harness({ idleTimeoutMs: 0, headerTimeoutMs: 0 });
    expect(harness.pass(100_000).send("GET").pass(100_000).transport.end_).toBe("");
  });
});

describe("HTTP/2 preface", () => {
  const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

  test("hands the connection over with everything that was read", () => {
    const harness = new Harness({}, nothing, true).send(PREFACE.slice(0, 7)).send(`${PREFACE.slice(7)}rest`);
    expect(Buffer.from(harness.prefaced!).toString()).toBe(`${PREFACE}rest`);
    expect(harness.output).toBe("");
  });

  test("is refused after a request", () => {
    const harness = new Harness({}, answerWhenComplete, true).send(GET).send(PREFACE);
    expect(harness.statuses).toEqual([200, 505]);
    expect(harness.prefaced).toBeNull();
  });
});

describe("WebSocket", () => {
  const SHAKE =
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat, v2\r\n\r\n";
  /** A masked text frame "hi" with a mask of zeros. */
  const HI = "\x81\x82\0\0\0\0hi";

  test("is answered and handed to a session", () => {
    const harness = new Harness({}, nothing).send(SHAKE);
    expect(harness.output).toBe("");
    harness.act(() => harness.request.client.acceptWebSocket("v2", pairs("x: y")));
    expect(harness.output).toStartWith("HTTP/1.1 101 Switching Protocols\r\n");
    for (const line of [
      "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
      "sec-websocket-protocol: v2",
      "x: y",
    ]) {
      expect(harness.output).toContain(`${line}\r\n`);
    }
    harness.act(() => harness.request.client.takeBody(100)).send(HI);
    expect(harness.request.messages).toEqual(["hi"]);
    harness.act(() => harness.request.client.message(true, bytes("yo"), false));
    expect(harness.output).toEndWith("\x81\x02yo");
    harness.act(() => harness.request.client.closeWebSocket(1001, "")).send("\x88\x82\0\0\0\0\x03\xe9");
    expect(harness.request.closedCode).toBe(1001);
  });

  test("can be refused with an ordinary response", () => {
    const answer = (request: Recorded): void => request.client.respond(403, NO_FIELDS, true, false);
    const harness = new Harness({}, answer).send(SHAKE).send(GET);
    expect(harness.statuses).toEqual([403, 403]);
  });

  test("frames before the answer: 400", () => {
    for (const harness of [
      new Harness({}, nothing).send(SHAKE + HI),
      new Harness({}, nothing).send(SHAKE).send(HI),
    ]) {
      expect(harness.output).toContain("HR_HTTP_WEBSOCKET_EARLY");
      expect(harness.request.goneFor).toBe("protocol-error");
    }
  });

  test("a header that would split the handshake: 502", () => {
    const harness = new Harness({}, nothing).send(SHAKE);
    harness.act(() => harness.request.client.acceptWebSocket("", pairs("x: a\r\nevil: b")));
    expect(harness.statuses).toEqual([502]);
  });

  test("a lost connection is reported as 1006", () => {
    const harness = new Harness({}, nothing).send(SHAKE);
    harness.act(() => harness.request.client.acceptWebSocket("", NO_FIELDS));
    harness.act(() => harness.transport.destroy(true));
    expect(harness.request.closedCode).toBe(1006);
    expect(harness.request.goneFor).toBe("");
  });

  test("426 names the version", () => {
    const harness = new Harness().send(SHAKE.replace("Version: 13", "Version: 12"));
    expect(harness.statuses).toEqual([426]);
    expect(harness.output).toContain("sec-websocket-version: 13\r\n");
  });
});

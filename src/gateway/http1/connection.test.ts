import { describe, expect, test } from "bun:test";
import { Harness } from "./testing/harness.ts";
import { answering, answerWhenComplete, bytes, GET, nothing } from "./testing/recorder.ts";

const NO_FIELDS = new Uint8Array(0);

/** A POST of `length` bytes, its body not included. */
function post(length: number, more = ""): string {
  return `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n${more}\r\n`;
}

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

  test("shutdown does not wait for the rest of a body that was answered already", () => {
    const harness = new Harness(
      {},
      answering(({ client }) => client.respond(403, NO_FIELDS, true, false)),
    ).send(post(10));
    expect(harness.transport.end_).toBe("");
    harness.act(() => harness.connection.shutdown());
    expect(harness.transport.end_).toBe("end");
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
    expect(harness.refusals[0]).toMatchObject({ code: "HR_HTTP_HEADER_TIMEOUT", method: "", target: "" });
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

import { describe, expect, test } from "bun:test";
import { Harness } from "./testing/harness.ts";
import { answerWhenComplete, bytes, GET, nothing, pairs, type Recorded } from "./testing/recorder.ts";

const NO_FIELDS = new Uint8Array(0);

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

  test("can be accepted before the pipeline's accept has returned", () => {
    const harness = new Harness({}, (request) => request.client.acceptWebSocket("chat", NO_FIELDS)).send(
      SHAKE,
    );
    expect(harness.output).toContain("sec-websocket-protocol: chat\r\n");
    harness.act(() => harness.request.client.takeBody(100)).send(HI);
    expect(harness.request.messages).toEqual(["hi"]);
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

  test("a client that sends FIN before the answer is gone", () => {
    const harness = new Harness({}, nothing).send(SHAKE).fin();
    expect(harness.request.goneFor).toBe("closed");
    expect(harness.transport.end_).toBe("reset");
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

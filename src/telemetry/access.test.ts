import { describe, expect, test } from "bun:test";
import type { AccessRecord } from "../model/access.ts";
import { jsonAccess, textAccess } from "./access.ts";

const record: AccessRecord = {
  time: Date.UTC(2026, 0, 31, 23, 59, 58, 7),
  requestId: "req-1",
  traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  method: "GET",
  target: "/items/7?q=a%20b&x=?",
  version: "1.1",
  clientHost: "10.1.2.3",
  clientPort: 50_123,
  status: 200,
  responseBytes: 1_536,
  durationMs: 12.345_678,
  queueMs: 0,
  instance: "shop-1",
  reason: "",
};

type Line = Readonly<Record<string, string | undefined>>;

describe("JSON", () => {
  const bytes = jsonAccess({ service: "shop", revision: "shop-1" });
  const encode = (one: AccessRecord) => Buffer.from(bytes(one)).toString("utf8");

  test("one object a line, under OpenTelemetry's names", () => {
    const line = encode(record);
    expect(line.endsWith("}\n")).toBe(true);
    expect(line.indexOf("\n")).toBe(line.length - 1);
    expect(JSON.parse(line)).toEqual({
      time: "2026-01-31T23:59:58.007Z",
      level: "info",
      event: "http.server.request",
      "service.name": "shop",
      "service.version": "shop-1",
      "http.request.method": "GET",
      "url.path": "/items/7",
      "url.query": "q=a%20b&x=?",
      "network.protocol.version": "1.1",
      "http.response.status_code": 200,
      "http.response.size": 1_536,
      duration_ms: 12.346,
      queue_ms: 0,
      "client.address": "10.1.2.3",
      "client.port": 50_123,
      "service.instance.id": "shop-1",
      request_id: "req-1",
      trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
      span_id: "00f067aa0ba902b7",
    });
  });

  test("leaves out what there is not", () => {
    const refused = {
      ...record,
      status: 0,
      clientHost: "",
      instance: "",
      requestId: "",
      traceparent: "",
      target: "*",
    };
    const value = JSON.parse(encode({ ...refused, reason: "HR_CLIENT_GONE" })) as Record<string, unknown>;
    expect(Object.keys(value).slice(5)).toEqual([
      "http.request.method",
      "url.path",
      "network.protocol.version",
      "http.response.size",
      "duration_ms",
      "queue_ms",
      "error.type",
    ]);
    expect(value["error.type"]).toBe("HR_CLIENT_GONE");
  });

  test("whatever a client sends stays inside its string", () => {
    const nasty = [
      '"',
      "\\",
      "\n",
      "\r\n",
      "\u0000",
      "\u001b[31m",
      "\u007f",
      "é",
      "\u2028",
      "\ud800",
      "😀",
      '","level":"error',
    ];
    for (const text of nasty) {
      const line = encode({
        ...record,
        method: text,
        target: `/${text}?${text}`,
        requestId: text,
        clientHost: text,
      });
      expect(line.indexOf("\n")).toBe(line.length - 1);
      const value = JSON.parse(line) as Record<string, unknown>;
      expect(value["level"]).toBe("info");
      expect([value["http.request.method"], value["request_id"], value["client.address"]]).toEqual([
        text,
        text,
        text,
      ]);
      expect([value["url.path"], value["url.query"]]).toEqual([`/${text}`.split("?")[0]!, text]);
    }
  });

  test("lines of any length, and numbers of any size", () => {
    for (const length of [0, 1, 4_000, 4_096, 5_000, 100_000]) {
      const value = JSON.parse(
        encode({ ...record, target: `/${"a".repeat(length)}?${"é".repeat(length)}` }),
      ) as Line;
      expect([value["url.path"]?.length, value["url.query"]?.length]).toEqual([length + 1, length]);
    }
    const times = [0, 0.0004, 0.0006, 0.05, 0.999_6, 1, 9.99, 10.101, 299_999.999, 1e9, -1];
    const written = times.map(
      (durationMs) => JSON.parse(encode({ ...record, durationMs })).duration_ms as number,
    );
    expect(written).toEqual([0, 0, 0.001, 0.05, 1, 1, 9.99, 10.101, 299_999.999, 1e9, 0]);
    for (const responseBytes of [0, 9, 10, 99, 100, 12_345, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
      expect(JSON.parse(encode({ ...record, responseBytes }))["http.response.size"]).toBe(responseBytes);
    }
  });

  test("a traceparent that is none is left out", () => {
    for (const traceparent of ["", "00-zz", `00-${"a".repeat(60)}`]) {
      expect(JSON.parse(encode({ ...record, traceparent }))).not.toHaveProperty("trace_id");
    }
  });
});

describe("text", () => {
  const encode = textAccess();
  const clock = new Date(record.time).toTimeString().slice(0, 8);

  test("one line for people", () => {
    expect(encode(record)).toBe(`${clock}.007 200 GET /items/7?q=a%20b&x=? 12.3ms 1.5KiB 10.1.2.3 shop-1\n`);
  });

  test("tells time in the line, refusals and clients that left", () => {
    const refused = {
      ...record,
      status: 503,
      queueMs: 10_000,
      durationMs: 10_000.2,
      instance: "",
      reason: "HR_LINE_WAIT",
    };
    expect(encode(refused)).toBe(
      `${clock}.007 503 GET /items/7?q=a%20b&x=? 10s (10s in line) 1.5KiB 10.1.2.3 HR_LINE_WAIT\n`,
    );
    const gone = { ...record, status: 0, clientHost: "", target: "/" };
    expect(encode(gone)).toBe(`${clock}.007 --- GET / 12.3ms 1.5KiB unix shop-1\n`);
  });

  test("control characters do not reach the terminal", () => {
    const line = encode({ ...record, method: "A\u001b[2J", target: '/\n"x"\\' });
    expect(line).toBe(`${clock}.007 200 A\\u001b[2J /\\n"x"\\ 12.3ms 1.5KiB 10.1.2.3 shop-1\n`);
  });
});

import { describe, expect, test } from "bun:test";
import type { LogRecord } from "../model/log.ts";
import { appRecord, createLogger, jsonLogs, textLogs } from "./logs.ts";
import { ansiPaint, paintFor, plainPaint } from "./paint.ts";
import type { LineWriter } from "./writer.ts";

const time = Date.UTC(2026, 0, 31, 12, 0, 0, 45);
const clock = `${new Date(time).toTimeString().slice(0, 8)}.045`;

const ready: LogRecord = {
  time,
  level: "info",
  event: "instance.ready",
  message: "shop-1 is ready after 212 ms",
  fields: { instance: "shop-1", pid: 4321, start_ms: 212 },
};

describe("text", () => {
  const encode = textLogs();

  test("the sentence, and only the fields that it does not hold", () => {
    expect(encode(ready)).toBe(`${clock} info  shop-1 is ready after 212 ms pid=4321\n`);
  });

  test("texts of several lines stand below", () => {
    const crashed: LogRecord = {
      ...ready,
      level: "error",
      message: "shop-1 crashed",
      fields: { why: "a b", traceback: "Traceback:\n  File x\n", none: null, empty: "" },
    };
    expect(encode(crashed)).toBe(
      `${clock} error shop-1 crashed why="a b"\n    traceback:\n    Traceback:\n      File x\n`,
    );
  });

  test("a text of several lines that was just shown is not shown again", () => {
    const shows = textLogs();
    const failed = { ...ready, message: "failed", fields: { traceback: "a\nb" } };
    shows(failed);
    shows(ready);
    expect(shows(failed)).toBe(`${clock} info  failed\n    traceback: as above\n`);
    expect(shows({ ...failed, fields: { traceback: "a\nc" } })).toBe(
      `${clock} info  failed\n    traceback:\n    a\n    c\n`,
    );
  });

  test("control characters in our own sentences are made visible", () => {
    expect(encode({ ...ready, message: "bad \u001b[2J frame", fields: {} })).toBe(
      `${clock} info  bad \\x1b[2J frame\n`,
    );
  });

  test("the app's own lines stand as the app wrote them", () => {
    const line = {
      time,
      service: "shop",
      revision: "shop-1",
      instance: "i-1",
      stream: "stdout",
      requestId: "r",
    } as const;
    expect(encode(appRecord({ ...line, line: "\u001b[32mhello\u001b[0m" }))).toBe(
      `${clock} i-1 | \u001b[32mhello\u001b[0m\n`,
    );
  });
});

describe("JSON", () => {
  const encode = jsonLogs();

  test("one object a line", () => {
    const line = encode({
      ...ready,
      message: 'two\nlines "quoted"',
      fields: { ...ready.fields, odd: Number.NaN, no: null },
    });
    expect(line.indexOf("\n")).toBe(line.length - 1);
    expect(JSON.parse(line)).toEqual({
      time: "2026-01-31T12:00:00.045Z",
      level: "info",
      event: "instance.ready",
      message: 'two\nlines "quoted"',
      instance: "shop-1",
      pid: 4321,
      start_ms: 212,
      odd: null,
      no: null,
    });
  });

  test("the app's lines carry where they come from", () => {
    const line = {
      time,
      service: "shop",
      revision: "shop-1",
      instance: "i-1",
      stream: "stderr",
      requestId: "r-9",
    } as const;
    expect(JSON.parse(encode(appRecord({ ...line, line: "boom" })))).toEqual({
      time: "2026-01-31T12:00:00.045Z",
      level: "info",
      event: "app.output",
      message: "boom",
      "service.name": "shop",
      "service.version": "shop-1",
      "service.instance.id": "i-1",
      "log.iostream": "stderr",
      request_id: "r-9",
    });
  });
});

test("the logger drops what is below its level, never what the app says, and keeps the app's streams apart", () => {
  const written: string[] = [];
  const stream = (name: string): LineWriter => ({
    write: (line) => void written.push(`${name} ${line}`),
    flushNow() {},
    close: () => Promise.resolve(true),
  });
  const logger = createLogger({
    level: "warn",
    encode: (record) => `${record.event} ${record.message}`,
    stdout: stream("out"),
    stderr: stream("err"),
  });
  logger.log(ready);
  logger.log({ ...ready, level: "warn" });
  const line = { time, service: "s", revision: "s-1", instance: "i", requestId: "" };
  logger.app({ ...line, stream: "stdout", line: "1" });
  logger.app({ ...line, stream: "stderr", line: "2" });
  expect(written).toEqual([
    "err instance.ready shop-1 is ready after 212 ms",
    "out app.output 1",
    "err app.output 2",
  ]);
});

test("colours are for terminals that want them", () => {
  expect(paintFor(true, { TERM: "xterm" })).toBe(ansiPaint);
  expect(paintFor(false, { TERM: "xterm" })).toBe(plainPaint);
  expect(paintFor(true, { TERM: "xterm", NO_COLOR: "1" })).toBe(plainPaint);
  expect(paintFor(true, { TERM: "dumb" })).toBe(plainPaint);
  expect(ansiPaint.red("x")).toBe("\u001b[31mx\u001b[39m");
  expect(ansiPaint.keyed("a", "x")).toBe(ansiPaint.keyed("a", "x"));
});

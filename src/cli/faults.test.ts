import { expect, test } from "bun:test";
import { tellFaults } from "./faults.ts";

test("an exception is told with its stack, written out, and ends the process; a rejection is told", () => {
  const seen: string[] = [];
  const off = tellFaults({
    log: ({ event, message, fields }) => seen.push(`${event} ${message} ${"exception.stacktrace" in fields}`),
    flushNow: () => seen.push("flushed"),
    exit: (code) => seen.push(`exit ${code}`),
  });
  try {
    process.emit("unhandledRejection", "forgotten", Promise.resolve());
    process.emit("uncaughtException", new Error("odd"));
  } finally {
    off();
  }
  expect(seen).toEqual([
    "cli.rejection A fault of Headrace itself: forgotten false",
    "cli.fault A fault of Headrace itself ends it: odd true",
    "flushed",
    "exit 1",
  ]);
  expect(process.listenerCount("uncaughtException")).toBe(0);
});

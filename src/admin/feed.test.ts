import { expect, test } from "bun:test";
import type { LogRecord } from "../model/log.ts";
import { EventFeed } from "./feed.ts";

const record = (message: string, more: Partial<LogRecord> = {}): LogRecord => ({
  time: 1,
  level: "info",
  event: "platform.applied",
  message,
  fields: {},
  ...more,
});

const feed = (capacity = 3, bytes = 10_000) => new EventFeed({ capacity, bytes, run: "r" });
const numbers = (held: readonly { number: number }[]) => held.map(({ number }) => number);

test("holds the last ones, and counts on", () => {
  const some = feed();
  for (const name of ["a", "b", "c", "d", "e"]) some.add(record(name));
  expect(numbers(some.held())).toEqual([3, 4, 5]);
  expect(some.held()[0]!.text).toBe(
    'id: r-3\nevent: platform.applied\ndata: {"id":"r-3","time":1,"level":"info","event":"platform.applied","message":"c","fields":{}}\n\n',
  );
});

test("is bounded in bytes too, but keeps the newest whatever its size", () => {
  const some = feed(100, 1_000);
  for (let n = 0; n < 50; n++) some.add(record("x".repeat(300)));
  expect(some.held().length).toBe(2);
  some.add(record("y".repeat(5_000)));
  expect(numbers(some.held())).toEqual([51]);
});

test("goes on after an event, and says how many are gone", () => {
  const some = feed();
  for (const name of ["a", "b", "c", "d", "e"]) some.add(record(name));
  const after = (id: string) => {
    const { held, lost } = some.after(id);
    return [numbers(held), lost];
  };
  expect(after("r-5")).toEqual([[], 0]);
  expect(after("r-4")).toEqual([[5], 0]);
  expect(after("r-2")).toEqual([[3, 4, 5], 0]);
  expect(after("r-1")).toEqual([[3, 4, 5], 1]);
  for (const other of ["another-4", "", "4", "r-x"])
    expect([other, after(other)]).toEqual([other, [[3, 4, 5], 2]]);
  expect(feed().after("r-7")).toEqual({ held: [], lost: 0 });
});

test("leaves out what is for debugging, but not the states of instances", () => {
  const some = feed();
  some.add(record("held", { level: "debug", event: "autoscaler.held" }));
  some.add(record("started", { level: "debug", event: "instance.started" }));
  some.add(record("state", { level: "debug", event: "instance.state" }));
  expect(some.held().length).toBe(2);
});

test("tells those who listen, until they do not", () => {
  const some = feed();
  const heard: string[] = [];
  const stop = some.listen(({ service }) => heard.push(service));
  some.add(record("a", { fields: { "service.name": "api" } }));
  some.add(record("b"));
  stop();
  some.add(record("c"));
  expect(heard).toEqual(["api", ""]);
});

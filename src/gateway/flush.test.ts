import { expect, test } from "bun:test";
import { type Flushable, flushAll, markDirty } from "./flush.ts";

function item(log: string[], name: string, then?: () => void): Flushable {
  return {
    flush: () => {
      log.push(name);
      then?.();
    },
  };
}

test("flushes in order, and what is marked meanwhile in the same round", () => {
  const log: string[] = [];
  markDirty(item(log, "a", () => markDirty(item(log, "c", flushAll))));
  markDirty(item(log, "b"));
  flushAll();
  expect(log).toEqual(["a", "b", "c"]);
  flushAll();
  expect(log).toHaveLength(3);
});

test("without being told to, at the end of the round", async () => {
  const log: string[] = [];
  markDirty(item(log, "a"));
  await Promise.resolve();
  markDirty(item(log, "b"));
  expect(log).toEqual([]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(log).toEqual(["a", "b"]);
});

test("one that throws does not keep the others from being flushed", () => {
  const log: string[] = [];
  const bad = (): never => {
    throw new Error("bad");
  };
  markDirty(item(log, "a", bad));
  markDirty(item(log, "b"));
  expect(flushAll).toThrow("bad");
  expect(log).toEqual(["a", "b"]);
  markDirty(item(log, "c"));
  flushAll();
  expect(log).toEqual(["a", "b", "c"]);
});

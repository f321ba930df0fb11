import { expect, test } from "bun:test";
import { splitPairs, withoutPairs } from "./fields.ts";

test("every byte survives being taken apart and put together", () => {
  const value = Array.from({ length: 255 }, (_, n) => n + 1);
  const block = Buffer.from([0x61, 0, ...value, 0, 0x62, 0, 0x31]);
  expect(splitPairs(block)[0]![1]).toBe(Buffer.from(value).toString("latin1"));
  const kept = withoutPairs(block, (name) => name === "b");
  expect(Buffer.from(kept)).toEqual(block.subarray(0, -4));
});

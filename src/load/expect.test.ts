import { expect, test } from "bun:test";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { failureOfAnswer, matcher } from "./expect.ts";

const expected = matcher({ statuses: [], length: null, text: "hello", pattern: null });

function judge(body: Uint8Array, coding: string, against = expected) {
  return failureOfAnswer({ status: 200, bodyBytes: body.length, body: [Buffer.from(body)], coding }, against);
}

test("a body is looked at as it is meant, whatever it was sent as", () => {
  const text = "well, hello there";
  expect(judge(Buffer.from(text), "")).toBeNull();
  expect(judge(gzipSync(text), "gzip")).toBeNull();
  expect(judge(deflateSync(text), "deflate")).toBeNull();
  expect(judge(brotliCompressSync(text), "br")).toBeNull();
  expect(judge(gzipSync("nothing"), "gzip")).toBe("body");
  expect(judge(Buffer.from(text), "gzip")).toBe("body");
  expect(judge(Buffer.from(text), "something-else")).toBeNull();
});

test("a length is that of what was sent", () => {
  const body = gzipSync("hello");
  const length = matcher({ statuses: [], length: body.length, text: "hello", pattern: null });
  expect(judge(body, "gzip", length)).toBeNull();
});

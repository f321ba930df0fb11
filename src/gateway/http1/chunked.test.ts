import { expect, test } from "bun:test";
import { Chunked, ChunkedDecoder } from "./chunked.ts";

/** Decodes a whole body; the bytes of data, or the code of the refusal. */
function decode(text: string): number | string {
  const bytes = Buffer.from(text, "latin1");
  const decoder = new ChunkedDecoder(8192);
  let data = 0;
  for (let at = 0; ; at = decoder.at) {
    const told = decoder.next(bytes, at, bytes.length, Number.MAX_SAFE_INTEGER);
    if (told === Chunked.DATA) data += decoder.at - decoder.dataStart;
    else if (told === Chunked.REFUSED) return decoder.error.code;
    else return told === Chunked.END ? data : "unfinished";
  }
}

const chunk = (size: number, extension: string): string =>
  `${size.toString(16)}${extension}\r\n${"x".repeat(size)}\r\n`;

test("every chunk may be signed, however many there are", () => {
  const signed = chunk(8192, `;chunk-signature=${"a".repeat(64)}`).repeat(500);
  expect(decode(`${signed}0;chunk-signature=${"b".repeat(64)}\r\n\r\n`)).toBe(500 * 8192);
});

test("extensions that the data does not outweigh are refused, in one chunk or in many", () => {
  expect(decode(`${chunk(1, `;${"n".repeat(2000)}`)}0\r\n\r\n`)).toBe("HR_HTTP_BAD_CHUNK_EXTENSION");
  expect(decode(`${chunk(1, ";name=value").repeat(500)}0\r\n\r\n`)).toBe("HR_HTTP_BAD_CHUNK_EXTENSION");
});

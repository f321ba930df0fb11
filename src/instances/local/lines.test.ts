import { describe, expect, test } from "bun:test";
import { LineSplitter, readMark, Tail } from "./lines.ts";

function split(chunks: readonly string[], max = 8): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(Buffer.from(line).toString()), max);
  for (const chunk of chunks) {
    const bytes = Buffer.from(chunk);
    splitter.push(bytes);
    // A socket uses its buffer again.
    bytes.fill(0x58);
  }
  splitter.end();
  return lines;
}

describe("lines", () => {
  const rows: readonly (readonly [chunks: readonly string[], lines: readonly string[]])[] = [
    [["a\nb\n"], ["a", "b"]],
    [
      ["a", "b\nc"],
      ["ab", "c"],
    ],
    [["a\r\nb\r\r\n"], ["a", "b\r"]],
    [["\n\n"], ["", ""]],
    [[""], []],
    [["12345678"], ["12345678"]],
    [["12345678\n"], ["12345678"]],
    [["123456789\n"], ["12345678", "9"]],
    [
      ["1234", "56789", "abcdefghijklmn\no"],
      ["12345678", "9abcdefg", "hijklmn", "o"],
    ],
    [["1234567\r", "\n"], ["1234567"]],
  ];
  for (const [chunks, lines] of rows) {
    test(`${JSON.stringify(chunks)} is ${JSON.stringify(lines)}`, () => {
      expect(split(chunks)).toEqual([...lines]);
    });
  }
});

describe("the request-id mark", () => {
  const rows: readonly (readonly [line: string, requestId: string, text: string])[] = [
    ["\x1ereq-1\x1fhello", "req-1", "hello"],
    ["\x1ereq-1\x1f", "req-1", ""],
    ["hello", "", "hello"],
    ["\x1eno end", "", "\x1eno end"],
    ["\x1e\x1fhello", "", "hello"],
    [`\x1e${"x".repeat(300)}\x1fhello`, "", `\x1e${"x".repeat(300)}\x1fhello`],
    ["hello \x1ereq-1\x1f", "", "hello \x1ereq-1\x1f"],
  ];
  for (const [line, requestId, text] of rows) {
    test(JSON.stringify(line.slice(0, 20)), () => {
      expect(readMark(Buffer.from(line))).toEqual({ requestId, line: text });
    });
  }

  test("bytes that are no UTF-8 do not stop a line", () => {
    expect(readMark(new Uint8Array([0x61, 0xff, 0x62])).line).toBe("a\ufffdb");
  });
});

test("a tail keeps the last lines", () => {
  const tail = new Tail(3);
  for (let n = 1; n <= 20; n++) tail.push(String(n));
  expect(tail.lines).toEqual(["18", "19", "20"]);
});

import { expect, test } from "bun:test";
import { maskable, masked } from "./mask.ts";

const shown = (text: string, ...values: string[]) => masked(text, maskable(values));

test("values are masked wherever they stand, the longest first", () => {
  expect(shown("a=correct-horse b=correct-horse-battery", "correct-horse", "correct-horse-battery")).toBe(
    "a=*** b=***",
  );
  expect(shown("nothing here", "correct-horse")).toBe("nothing here");
  expect(shown("$& (.*) $1", "(.*) $1 and more", "(.*) $1x")).toBe("$& (.*) $1");
});

test("a value of several lines is masked line by line, and whole in quotes", () => {
  const key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\r\nAB==\n-----END KEY-----";
  expect(shown("line: MIIEvQIBADANBg", key)).toBe("line: ***");
  expect(shown("AB== is too short", key)).toBe("AB== is too short");
  expect(shown(JSON.stringify({ key }), key)).toBe('{"key":"***"}');
});

test("a value with quotes is masked in a quoted text as well", () => {
  expect(shown('{"key":"half \\"quoted\\" key"}', 'half "quoted" key')).toBe('{"key":"***"}');
});

test("a value that is short is not masked", () => {
  expect(maskable(["", "1234567"])).toEqual([]);
});

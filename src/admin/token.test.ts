import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HeadraceError } from "../base/errors.ts";
import { readToken } from "./token.ts";

const TOKEN = "0123456789abcdef-and-more";
const folder = mkdtempSync(join(tmpdir(), "headrace-token-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("the token comes from a file, else from the environment, and is long enough", () => {
  const file = join(folder, "token");
  writeFileSync(file, `${TOKEN}\n`);
  const variable = { HEADRACE_ADMIN_TOKEN: "another-token-of-someone" };
  expect(readToken(file, variable)).toBe(TOKEN);
  expect(readToken("", variable)).toBe("another-token-of-someone");
  expect(readToken("", {})).toBe("");
  for (const [bad, why] of [
    ["short", "has 5 characters, 16 are the least"],
    ["", "has 0 characters"],
    ["sixteen characters and spaces", "holds spaces"],
  ]) {
    const error = thrownBy(() => readToken("", { HEADRACE_ADMIN_TOKEN: bad }));
    expect([error.code, error.message]).toEqual(["admin_token_unusable", expect.stringContaining(why!)]);
  }
  const gone = thrownBy(() => readToken(join(folder, "gone"), {}));
  expect(gone.message).toContain("cannot be read (ENOENT)");
});

function thrownBy(action: () => unknown): HeadraceError {
  try {
    action();
  } catch (error) {
    if (error instanceof HeadraceError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

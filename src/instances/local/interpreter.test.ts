import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { python } from "../testkit.ts";
import { findInterpreter } from "./interpreter.ts";

let dir = "";

/** A program that answers the question for its version. */
function fake(path: string, script: string): string {
  const full = join(dir, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, `#!/bin/sh\n${script}\n`);
  chmodSync(full, 0o755);
  return full;
}

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "hr-python-"));
  for (const path of ["active", "app/.venv", "other/venv", "cwd/.venv"])
    fake(`${path}/bin/python`, "echo 3.12.1");
  fake("path/python3", "echo 3.11.2");
  fake("old/python3", "echo 3.8.10");
  fake("broken/python3", "echo 'no such library' >&2; exit 1");
  mkdirSync(join(dir, "empty"));
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

const search = (more: {
  python?: string;
  env?: Readonly<Record<string, string>>;
  app?: string;
  cwd?: string;
}) =>
  findInterpreter({
    python: more.python ?? null,
    env: { PATH: `${join(dir, "path")}:/bin:/usr/bin`, ...more.env },
    appDir: join(dir, more.app ?? "empty"),
    cwd: join(dir, more.cwd ?? "empty"),
  });

describe("the interpreter is", () => {
  test("--python before everything", async () => {
    const found = await search({ python, env: { VIRTUAL_ENV: join(dir, "active") }, app: "app" });
    expect(found).toMatchObject({ path: python, source: "--python" });
    expect(found.version).toMatch(/^3\.\d+\.\d+$/);
  });

  test("a command on the PATH, when --python has no slash", async () => {
    expect((await search({ python: "python3" })).path).toBe(join(dir, "path/python3"));
  });

  test("$VIRTUAL_ENV, else .venv beside the app, else in the working directory, else the PATH", async () => {
    const path = async (more: Parameters<typeof search>[0]) =>
      (await search(more)).path.slice(dir.length + 1);
    const env = { VIRTUAL_ENV: join(dir, "active") };
    expect(await path({ env, app: "app", cwd: "cwd" })).toBe("active/bin/python");
    expect(await path({ app: "app", cwd: "cwd" })).toBe("app/.venv/bin/python");
    expect(await path({ app: "other", cwd: "cwd" })).toBe("other/venv/bin/python");
    expect(await path({ cwd: "cwd" })).toBe("cwd/.venv/bin/python");
    expect(await path({})).toBe("path/python3");
  });
});

describe("one clear sentence when", () => {
  const rows: readonly (readonly [
    what: string,
    more: Parameters<typeof search>[0],
    code: string,
    text: string,
  ])[] = [
    [
      "--python names nothing",
      { python: "/no/such/python" },
      "interpreter_missing",
      "/no/such/python (--python)",
    ],
    [
      "$VIRTUAL_ENV is gone",
      { env: { VIRTUAL_ENV: "/no/env" } },
      "interpreter_missing",
      "$VIRTUAL_ENV is /no/env",
    ],
    ["there is none", { env: { PATH: "/no/path" } }, "interpreter_missing", "no python3 on the PATH"],
  ];
  for (const [what, more, code, text] of rows) {
    test(what, async () => {
      const error = await search(more).then(
        () => undefined,
        (error: unknown) => error as Error,
      );
      expect(error).toMatchObject({ code, exit: 2 });
      expect(error?.message).toContain(text);
    });
  }

  test("it is too old", async () => {
    const error = search({ env: { PATH: `${join(dir, "old")}:/bin:/usr/bin` } });
    await expect(error).rejects.toMatchObject({ code: "interpreter_too_old", exit: 2 });
    await expect(error).rejects.toThrow("is Python 3.8.10; Headrace needs 3.9 or newer");
  });

  test("it does not run", async () => {
    const error = search({ env: { PATH: `${join(dir, "broken")}:/bin:/usr/bin` } });
    await expect(error).rejects.toMatchObject({ code: "interpreter_broken", exit: 2 });
    await expect(error).rejects.toThrow("no such library");
  });
});

import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryIo } from "../testing.ts";
import { check } from "./check.ts";

const cwd = mkdtempSync(join(tmpdir(), "headrace-check-"));
afterAll(() => rmSync(cwd, { recursive: true }));
writeFileSync(join(cwd, "main.py"), "");

function write(text: string): void {
  writeFileSync(join(cwd, "headrace.yaml"), text);
}

describe("headrace check", () => {
  test("shows what a right file describes", async () => {
    write(
      "name: shop\nservices:\n  api: { app: main.py, route: { host: shop.test, path: /api, methods: [get] } }\n",
    );
    const io = memoryIo({ cwd });
    expect(await check([], io)).toBe(0);
    expect(io.written.out).toBe(`headrace.yaml is right: shop, one service

SERVICE  ROUTE              APP      INSTANCES
api      GET shop.test/api  main.py  1 x 80
`);
    expect(io.written.err).toBe("");
  });

  test("shows what is wrong as a tree of the keys", async () => {
    write(
      "services:\n  api: { app: main.py, timeot: 3s, scale: { min: 5, max: 2 } }\n  b: { app: gone.py }\n",
    );
    const io = memoryIo({ cwd });
    expect(await check([], io)).toBe(2);
    expect(io.written.err).toBe(`headrace.yaml: 3 problems, nothing was started
└─ services
   ├─ api
   │  ├─ timeot
   │  │  └─ line 2, column 24: There is no such key. Write timeout.
   │  └─ scale
   │     └─ min
   │        └─ line 2, column 45: At least 5 and at most 2 cannot be. Change it or services.api.scale.max.
   └─ b
      └─ app
         └─ line 3, column 8: There is no app gone.py. Check the path; relative ones begin at ${cwd}.
`);
  });

  test("says which service no request reaches", async () => {
    write("services:\n  a: { app: main.py, route: { path: / } }\n  b: { app: main.py }\n");
    const io = memoryIo({ cwd });
    expect(await check([], io)).toBe(0);
    expect(io.written.err).toBe(
      "headrace: note: line 3, column 3, services.b: No client reaches b: it has no route. Add one, such as route: { path: /b }, unless only other services call it.\n",
    );
  });

  test("as JSON has the notes with their places", async () => {
    write("services:\n  a: { app: main.py, route: { path: / } }\n  b: { app: main.py }\n");
    const io = memoryIo({ cwd });
    expect(await check(["--json"], io)).toBe(0);
    const { problems, notices } = JSON.parse(io.written.out);
    expect(problems).toEqual([]);
    expect(notices).toMatchObject([{ code: "no_route", path: "services.b", place: { line: 3, column: 3 } }]);
    expect(io.written.err).toBe("");
  });

  test("reads one file, and says so of a second", async () => {
    write("services: { a: { app: main.py } }");
    expect(await check(["headrace.yaml"], memoryIo({ cwd }))).toBe(0);
    for (const argv of [
      ["headrace.yaml", "b.yaml"],
      ["-f", "headrace.yaml", "b.yaml"],
    ]) {
      const io = memoryIo({ cwd });
      expect(await check(argv, io)).toBe(2);
      expect(io.written.err).toBe(
        'headrace: "b.yaml" is too much: one file is checked at a time. Write headrace check headrace.yaml.\n',
      );
    }
  });

  test("as JSON keeps the values of variables to itself", async () => {
    write('services: { a: { app: main.py, env: { PLAIN: hunter1, HIDDEN: "secret:env/X" } } }');
    const io = memoryIo({ cwd });
    expect(await check(["--json"], io)).toBe(0);
    expect(io.written.out).not.toContain("hunter1");
    const { services } = JSON.parse(io.written.out);
    expect([services[0].run.env, services[0].secrets]).toEqual([["PLAIN"], ["HIDDEN"]]);
  });

  test("without a file says which is missing", async () => {
    const io = memoryIo({ cwd: join(cwd, "nowhere") });
    expect(await check(["-f", "other.yaml"], io)).toBe(2);
    expect(io.written.err).toContain("other.yaml does not exist");
  });
});

import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FileProblem } from "../../config/file/problem.ts";
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
    const io = memoryIo({ cwd, env: { X: "hunter2" } });
    expect(await check(["--json"], io)).toBe(0);
    expect(io.written.out).not.toMatch(/hunter[12]/);
    const { services } = JSON.parse(io.written.out);
    expect([services[0].run.env, services[0].secrets]).toEqual([["PLAIN"], ["HIDDEN"]]);
  });

  test("finds apps and secrets that are missing, all at once with what else is wrong, without an import", async () => {
    mkdirSync(join(cwd, "shop"), { recursive: true });
    writeFileSync(join(cwd, "shop", "__init__.py"), "raise RuntimeError('imported')\n");
    writeFileSync(join(cwd, "shop", "web.py"), "raise RuntimeError('imported')\napp = 1\n");
    const all = `services:
  ok: { app: "shop.web:app", route: { path: / }, env: { A: secret:env/SET, B: secret:file/main.py } }
  module: { app: "shop.nope:app", route: { path: /a } }
  top: { app: "\${NOWHERE}.web:app", route: { path: /b } }
  attribute: { function: "shop.web:ap", route: { path: /c } }
  file: { app: main.py:app, route: { path: /d } }
  secret:
    app: main.py
    timeot: 3s
    route: { path: /e }
    env:
      A: secret:env/UNSET
      B: secret:file/gone.txt
`;
    write(all);
    const io = memoryIo({ cwd, env: { ...process.env, SET: "hunter2", NOWHERE: "hunter3" } });
    expect(await check(["--json"], io)).toBe(2);
    const { problems, notices } = JSON.parse(io.written.out);
    const told = ({ path, code, place, message }: FileProblem) => `${place.line} ${path} ${code}: ${message}`;
    expect(problems.map(told)).toEqual([
      "3 services.module.app app_not_found: There is no module shop.nope.",
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what the user wrote
      "4 services.top.app app_not_found: There is no module ${NOWHERE}.",
      "5 services.attribute.function app_not_found: shop.web has no ap.",
      "6 services.file.app app_not_found: main.py has no app.",
      "9 services.secret.timeot unknown_key: There is no such key.",
    ]);
    // Secrets are often only there where Headrace runs, so nothing is wrong with the file.
    expect(notices.map(told)).toEqual([
      "12 services.secret.env.A secret_missing: A is secret:env/UNSET, and that variable is not set.",
      "13 services.secret.env.B secret_missing: B is secret:file/gone.txt, and the file cannot be read (ENOENT).",
    ]);
    expect(problems[2].instead).toBe("Write shop.web:app.");
    expect(io.written.out).not.toMatch(/hunter[23]/);
  });

  test("looks for modules where the environment of the service says", async () => {
    mkdirSync(join(cwd, "lib"), { recursive: true });
    writeFileSync(join(cwd, "lib", "elsewhere.py"), "app = 1\n");
    const service = (env: string) => `services: { a: { app: "elsewhere:app", env: { ${env} } } }`;
    write(service(`PYTHONPATH: "${join(cwd, "lib")}"`));
    expect(await check([], memoryIo({ cwd, env: process.env }))).toBe(0);
    write(service("A: b"));
    expect(await check([], memoryIo({ cwd, env: process.env }))).toBe(2);
  });

  test("without a file says which is missing", async () => {
    const io = memoryIo({ cwd: join(cwd, "nowhere") });
    expect(await check(["-f", "other.yaml"], io)).toBe(2);
    expect(io.written.err).toContain("other.yaml does not exist");
  });
});

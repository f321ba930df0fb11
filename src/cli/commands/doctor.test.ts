import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { DoctorFinding, DoctorReport, ImportNode, PackageCost } from "../../model/doctor.ts";
import { main } from "../main.ts";
import { memoryIo } from "../testing.ts";
import { hintsFor } from "./doctor-hints.ts";
import { doctorHelp, doctorText, treeText } from "./doctor-text.ts";

function node(name: string, ms: number, ...children: ImportNode[]): ImportNode {
  const ownMs = ms - children.reduce((sum, child) => sum + child.ms, 0);
  return { name, ms, ownMs, memoryBytes: Math.round(ms * 1_000), failed: false, children };
}

function cost(name: string, kind: PackageCost["kind"], ownMs: number): PackageCost {
  return { name, kind, ownMs, modules: 3, memoryBytes: 2_000_000 };
}

const quiet: DoctorReport = {
  app: "shop/main.py",
  name: "main:app",
  interface: "asgi",
  python: { path: "/srv/shop/.venv/bin/python", version: "CPython 3.11.7", source: ".venv in shop" },
  preload: { asked: "auto", level: "app", reasons: [] },
  findings: [],
  forkMs: 2.13,
  modules: 303,
  imports: node("shop/main.py", 300, node("fastapi", 290, node("pydantic", 150), node("starlette", 4))),
  worker: node("the worker", 20, node("headrace.worker.asgi", 4), node("uvloop", 3)),
  packages: [
    cost("fastapi", "installed", 136),
    cost("pydantic", "installed", 150),
    cost("main", "app", 10),
    cost("starlette", "installed", 4),
  ],
  memory: {
    before: { rss: 17_000_000, pss: 16_000_000, private: 15_000_000 },
    after: { rss: 49_000_000, pss: 47_000_000, private: 46_000_000 },
  },
};

const finding = (kind: string, module: string, detail: string): DoctorFinding => ({
  level: "app",
  kind,
  module,
  detail,
});

const noisy: DoctorReport = {
  ...quiet,
  forkMs: null,
  preload: {
    asked: "auto",
    level: "imports",
    reasons: ["level app is not safe to fork: main: the Python thread flusher runs"],
  },
  findings: [
    finding("thread", "main", "the Python thread flusher runs"),
    finding("socket", "shop.db", "a socket is open: connected to 10.0.0.7:5432"),
    finding("socket", "", "a socket is open: bound to 127.0.0.1:9000"),
  ],
};

const textOf = (report: DoctorReport, columns = 100) =>
  doctorText({ report, hints: hintsFor(report), thresholdMs: 0, columns });

describe("the report for people", () => {
  test("of an app that is well", () => {
    expect(textOf(quiet)).toBe(`shop/main.py (main:app), asgi, CPython 3.11.7 by .venv in shop

Preload   app: instances are forked from a process that has imported the app. The import leaves
          nothing behind that speaks against it.
Import    300ms for 303 modules, and 20ms for what the worker needs to run it.
Fork      2.1ms.
Memory    RSS 46.7MiB, of which 30.5MiB came with the import; PSS 44.8MiB; private 43.9MiB.

Imports, with all inside them, and by themselves; 1 import of less than 6ms left out
    TOTAL      OWN    MEMORY  IMPORT
    300ms     10ms    293KiB  shop/main.py
    290ms    136ms    283KiB  └ fastapi
    150ms    150ms    146KiB    └ pydantic

Packages, without what they import
     OWN  MODULES    MEMORY  PACKAGE
   136ms        3    1.9MiB  fastapi
   150ms        3    1.9MiB  pydantic
    10ms        3    1.9MiB  main (the app's own)
     4ms        3    1.9MiB  starlette
`);
  });

  test("names what is unsafe, and what to do", () => {
    const text = textOf(noisy);
    expect(text).toContain(
      `Preload   imports: instances are forked from a process that has imported what the app imports; each
          imports the app itself, 10ms of 300ms.
`,
    );
    expect(text).toContain(`Unsafe to fork
  thread  main     the Python thread flusher runs
  socket  shop.db  a socket is open: connected to 10.0.0.7:5432
  socket  ?        a socket is open: bound to 127.0.0.1:9000
`);
    expect(text).not.toContain("Fork ");
    expect(text).toContain(
      `  - thread of main: Start it in the app's lifespan, or in a function registered with`,
    );
  });

  test("names packages that each instance imports, and findings at the lower level once", () => {
    const findings = [finding("thread", "noisy.pool", "x"), finding("thread", "other", "y")];
    const packages = [...quiet.packages, cost("noisy", "installed", 40)];
    expect(textOf({ ...noisy, findings, packages }, 200).replaceAll(/\s+/g, " ")).toContain(
      "each imports the app itself and noisy, 50ms of 300ms.",
    );
    const again = { ...finding("thread", "noisy.pool", "x"), level: "imports" } as const;
    const off = { asked: "auto", level: "off", reasons: ["level app is not safe"] } as const;
    expect(
      textOf({ ...noisy, preload: off, findings: [...findings, again], packages }),
    ).toContain(`Unsafe to fork
  thread  other       y
  thread  noisy.pool  x, at level imports as well
`);
  });

  test("says why the level is not what was found", () => {
    const reload = {
      asked: "auto",
      level: "imports",
      reasons: ["reloads keep the imports and import the app anew"],
    } as const;
    expect(textOf({ ...quiet, preload: reload }, 200)).toContain("Reloads keep the imports and import the");
    const asked = { ...noisy.preload, asked: "app", level: "app" } as const;
    expect(textOf({ ...noisy, preload: asked }).replaceAll(/\s+/g, " ")).toContain(
      "--preload app asks for, and it is not safe.",
    );
  });

  test("stays within the width", () => {
    const deep = Array.from({ length: 60 }).reduce<ImportNode>(
      (inner, _, index) => node(`package_${index}.module`, 100 + index, inner),
      node("inmost", 100),
    );
    const long = finding("socket", `shop.${"x".repeat(50)}`, "a socket is open: connected to 10.0.0.7:5432");
    for (const columns of [60, 80, 100, 200]) {
      const report = { ...noisy, imports: deep, findings: [long, ...noisy.findings] };
      const text = doctorText({ report, hints: hintsFor(report), thresholdMs: 0.5, columns });
      expect(text).toContain("…");
      const widest = Math.max(...text.split("\n").map((line) => line.length));
      expect([columns, widest <= Math.min(columns, 110)]).toEqual([columns, true]);
    }
  });

  test("does without what the system does not say", () => {
    const unknown = { rss: null, pss: null, private: null };
    const text = textOf({ ...quiet, memory: { before: unknown, after: unknown } });
    expect(text).toContain("Memory    not known on this system.");
  });
});

describe("the tree of imports", () => {
  const tree = node("app", 100, node("big", 60, node("inner", 20), node("tiny", 1)), node("small", 30));

  test("leaves out what takes less than the threshold, and says so", () => {
    const shown = (thresholdMs: number) =>
      treeText(tree, thresholdMs, 100)
        .split("\n")
        .slice(2, -1)
        .map((line) => line.slice(30));
    expect(shown(0)).toEqual(["app", "├ big", "│ ├ inner", "│ └ tiny", "└ small"]);
    expect(shown(20)).toEqual(["app", "├ big", "│ └ inner", "└ small"]);
    expect(shown(1_000)).toEqual(["app"]);
    expect(treeText(tree, 0, 100)).not.toContain("left out");
    expect(treeText(tree, 25, 100)).toContain("2 imports of less than 25ms left out");
  });

  test("draws those that only pass on to the next as one", () => {
    const chain = node("a", 50, node("b", 49, node("c", 48, node("d", 47, node("e", 20), node("f", 20)))));
    const text = treeText(node("app", 100, chain, node("x", 40, node("y", 39))), 5, 100);
    expect(text).toBe(`Imports, with all inside them, and by themselves
    TOTAL      OWN    MEMORY  IMPORT
    100ms     10ms   97.7KiB  app
     50ms     10ms   48.8KiB  ├ a → … → d
     20ms     20ms   19.5KiB  │ ├ e
     20ms     20ms   19.5KiB  │ └ f
     40ms     40ms   39.1KiB  └ x → y
`);
  });

  test("marks imports that failed", () => {
    const failed = { ...node("optional", 5), failed: true };
    expect(treeText(node("app", 100, failed), 0, 100)).toContain("└ optional (failed)");
  });
});

describe("the advice", () => {
  const advised = (report: Partial<DoctorReport>) =>
    hintsFor({ ...quiet, imports: node("app", 1), ...report });

  test("is none when all is well", () => {
    expect(advised({})).toEqual([]);
  });

  test("is given once for all that share it", () => {
    const findings = [
      finding("thread", "a", "the Python thread x runs"),
      finding("thread", "b", "the Python thread y runs"),
    ];
    expect(advised({ findings }).map(({ modules }) => modules)).toEqual([["a", "b"]]);
  });

  test("fits the kind of app", () => {
    const findings = [finding("loop", "main", "the event loop x is open")];
    expect(advised({ findings })[0]?.text).toContain("lifespan");
    expect(advised({ findings, interface: "wsgi" })[0]?.text).not.toContain("lifespan");
    expect(advised({ findings, interface: "wsgi" })[0]?.text).toContain("@headrace.after_fork");
  });

  test("knows every kind of finding, and leaves no placeholder", () => {
    for (const kind of ["thread", "socket", "loop", "epoll", "cuda", "grpc", "patch"]) {
      for (const module of [
        "",
        "main",
        "pymongo.pool",
        "sqlalchemy.engine",
        "psycopg2",
        "redis.connection",
      ]) {
        const [hint] = advised({ findings: [finding(kind, module, "…")] });
        expect(hint?.text).not.toContain("%");
        expect(hint?.text).not.toStartWith("Do it");
        expect(hint?.modules).toEqual(module === "" ? [] : [module]);
      }
    }
  });

  test("knows libraries, and tells native threads and listening sockets apart", () => {
    const text = (kind: string, module: string, detail = "") =>
      advised({ findings: [finding(kind, module, detail)] })[0]?.text;
    expect(text("socket", "pymongo.pool")).toContain("connect=False");
    expect(text("cuda", "pymongo.pool")).toContain("GPU");
    expect(text("thread", "numpy", "the native thread python runs")).toContain("OMP_NUM_THREADS");
    expect(text("socket", "main", "a socket is open: bound to 127.0.0.1:1")).toContain(
      "each other's connections",
    );
  });

  test("warns of libraries that are safe only as long as they are unused", () => {
    const packages = [cost("grpc", "installed", 1)];
    expect(advised({ packages })).toHaveLength(1);
    expect(advised({ packages: [cost("grpc", "app", 1)] })).toEqual([]);
    expect(advised({ packages, preload: { asked: "off", level: "off", reasons: [] } })).toEqual([]);
  });

  test("finds what the app's own modules import and what takes long", () => {
    const imports = node(
      "main.py",
      1_000,
      node("shop", 900, node("shop.models", 800, node("pandas", 700, node("numpy", 300)))),
    );
    const packages = [cost("shop", "app", 1), cost("pandas", "installed", 1)];
    const level = (level: "app" | "imports" | "off") =>
      advised({ imports, packages, preload: { asked: "auto", level, reasons: [] } });
    expect(level("app").map(({ modules }) => modules)).toEqual([["pandas"]]);
    expect(level("off")[0]?.text).toContain("It takes 700ms of the import, 70 %. Every instance pays that");
    const framework = node("main.py", 1_000, node("django.core.wsgi", 900));
    expect(advised({ imports: framework, packages: [cost("django", "installed", 900)] })).toEqual([]);
  });
});

describe("headrace doctor", () => {
  const venv = resolve(import.meta.dir, "../../../.venv/bin/python");
  const python = existsSync(venv) ? venv : "python3";
  const patience = { timeout: 120_000 };
  let cwd = "";
  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), "hr-doctor-"));
  });
  afterEach(() => rmSync(cwd, { recursive: true, force: true }));

  async function call(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
    const io = memoryIo({ cwd });
    return { code: await main(["doctor", ...argv], io), ...io.written };
  }

  const app = "print('hello')\nimport decimal\nasync def app(scope, receive, send):\n    pass\n";

  test(
    "examines an app that can be imported: exit code 0",
    async () => {
      writeFileSync(join(cwd, "main.py"), app);
      const text = await call("main.py", "--python", python);
      expect([text.code, text.err]).toEqual([0, "hello\n"]);
      expect(text.out).toStartWith("main.py (main:app), asgi, CPython 3.");
      const json = await call("main.py", "--python", python, "--json", "--port", "9");
      expect([json.code, json.err]).toEqual([0, "hello\n"]);
      const report = JSON.parse(json.out) as DoctorReport & { hints: unknown };
      expect(report).toMatchObject({ app: "main.py", name: "main:app", interface: "asgi", hints: [] });
      expect(report.python).toMatchObject({ path: python, source: "--python" });
      expect(report.preload.asked).toBe("auto");
    },
    patience,
  );

  test(
    "shows the traceback of one that cannot: exit code 3",
    async () => {
      writeFileSync(
        join(cwd, "main.py"),
        "def settings():\n    raise KeyError('DATABASE_URL')\nsettings()\n",
      );
      const { code, out, err } = await call("main.py", "--python", python);
      expect([code, out]).toEqual([3, ""]);
      expect(err).toContain("KeyError: 'DATABASE_URL'");
      expect(err).toContain("headrace: Importing main failed: KeyError: 'DATABASE_URL'");
      const json = await call("main.py", "--python", python, "--json");
      expect([json.code, json.err]).toEqual([3, ""]);
      expect(JSON.parse(json.out)).toMatchObject({ error: { code: "app_import_failed" } });
      expect(JSON.parse(json.out).error.traceback).toContain("in settings");
    },
    patience,
  );

  test("imports nothing when the flags are wrong: exit code 2", async () => {
    const { code, out, err } = await call("main.py", "--thresold", "1ms");
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain("--thresold: There is no such flag. Write --threshold.");
    expect((await call()).err).toContain(
      "No app is named. Write its file or module, as in: headrace doctor main.py",
    );
    expect((await call()).code).toBe(2);
  });

  test("helps", async () => {
    const { code, out } = await call("--help");
    expect([code, out]).toEqual([0, doctorHelp(100)]);
    for (const word of ["--threshold DURATION", "--json", "--python PATH", "--preload auto|app|imports|off"])
      expect(out).toContain(word);
  });
});

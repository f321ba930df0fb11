import { describe, expect, test } from "bun:test";
import { ManualClock, systemClock } from "../base/clock.ts";
import type { HeadraceError } from "../base/errors.ts";
import { type Examination, examine } from "./local/doctor.ts";
import { type Looked, needsImports, verdict } from "./local/verdict.ts";
import type { OutputLine } from "./ports.ts";
import { type PoolSpec, timings } from "./settings.ts";
import { asgiApp, Kit, options, untilGone } from "./testkit.ts";

const thread = { kind: "thread", module: "reporter", detail: "the Python thread flusher runs" };
const patch = {
  kind: "patch",
  module: "gevent.monkey",
  detail: "the standard library is patched for gevent",
};

function seen(level: Looked["level"], ...findings: Looked["findings"]): Looked {
  return { level, findings };
}

describe.skipIf(process.platform !== "linux")("the verdict", () => {
  const base = { preload: "auto", keepImports: false, workerClass: "auto" } as const;
  const said = "level app is not safe to fork: reporter: the Python thread flusher runs";
  const cases: readonly (readonly [
    string,
    Partial<PoolSpec>,
    app: Looked,
    imports: Looked | null,
    level: string,
    reasons: readonly string[],
  ])[] = [
    ["nothing found", {}, seen("app"), null, "app", []],
    ["a finding", {}, seen("imports", thread), seen("imports"), "imports", [said]],
    [
      "findings at both levels",
      {},
      seen("imports", thread),
      seen("off", thread),
      "off",
      [said, said.replace("level app", "level imports")],
    ],
    [
      "a patch",
      {},
      seen("off", patch),
      null,
      "off",
      ["level app is not safe to fork: gevent.monkey: the standard library is patched for gevent"],
    ],
    ["asked for app", { preload: "app" }, seen("imports", thread), null, "app", [said]],
    ["asked for imports", { preload: "imports" }, seen("app"), seen("imports"), "imports", []],
    [
      "asked for imports, with a finding",
      { preload: "imports" },
      seen("imports", thread),
      seen("off", thread),
      "imports",
      [said.replace("level app", "level imports")],
    ],
    ["asked for off", { preload: "off" }, seen("app"), null, "off", ["--preload off was asked for"]],
    [
      "--reload",
      { keepImports: true },
      seen("app"),
      seen("imports"),
      "imports",
      ["reloads keep the imports and import the app anew"],
    ],
    [
      "gevent",
      { workerClass: "gevent" },
      seen("off", patch),
      null,
      "off",
      ["gevent patches the standard library before the app is imported"],
    ],
  ];
  for (const [what, asked, app, imports, level, reasons] of cases) {
    test(what, () => {
      const whole = { ...base, ...asked };
      expect(needsImports(whole, app)).toBe(imports !== null);
      expect(verdict(whole, app, imports)).toEqual({ level, reasons } as never);
    });
  }
});

async function examined(
  source: string,
  spec: Partial<PoolSpec> = {},
  files: Readonly<Record<string, string>> = {},
): Promise<{ readonly kit: Kit; readonly report: Examination; readonly lines: OutputLine[] }> {
  const kit = new Kit(source, { preload: "auto", ...spec }, { files });
  const lines: OutputLine[] = [];
  const report = await examine(kit.spec, { clock: systemClock, output: (line) => lines.push(line) });
  return { kit, report, lines };
}

async function refused(source: string, spec: Partial<PoolSpec> = {}): Promise<HeadraceError> {
  await using kit = new Kit(source, spec);
  const error = await examine(kit.spec, { clock: systemClock, output: () => {} }).then(
    () => undefined,
    (error: unknown) => error,
  );
  return error as HeadraceError;
}

const background =
  "import threading\nhold = threading.Event()\nthreading.Thread(target=hold.wait, daemon=True).start()\n";

describe("an examination", () => {
  test(
    "reports the tree of imports, packages and memory",
    async () => {
      const { kit, report, lines } = await examined(
        `import helper\nprint("said at import", flush=True)\n${asgiApp}`,
        {},
        { "helper.py": "import decimal\n" },
      );
      await using _ = kit;
      expect(report).toMatchObject({ app: "app:app", name: "app:app", interface: "asgi" });
      const [app] = report.imports.children;
      const helper = app?.children.find(({ name }) => name === "helper");
      expect(helper?.children.map(({ name }) => name)).toEqual(["decimal"]);
      expect(helper?.ms).toBeGreaterThanOrEqual(helper?.ownMs ?? Number.POSITIVE_INFINITY);
      expect(report.packages.map(({ name }) => name)).toContain("standard library");
      expect(lines.map(({ line }) => line)).toEqual(["said at import"]);
    },
    options,
  );

  test(
    "reads a report that is longer than a line of output may be",
    async () => {
      const many = Object.fromEntries(
        Array.from({ length: 900 }, (_, index) => [`part_${"x".repeat(60)}_${index}.py`, ""]),
      );
      const source = `${Object.keys(many)
        .map((name) => `import ${name.slice(0, -3)}`)
        .join("\n")}\n${asgiApp}`;
      const { kit, report } = await examined(source, {}, many);
      await using _ = kit;
      expect(report.modules).toBeGreaterThanOrEqual(900);
    },
    options,
  );

  // Forks are for Linux.
  for (const [what, source, files] of [
    ["a safe app", asgiApp, {}],
    ["an app whose import starts a thread", `${background}${asgiApp}`, {}],
    ["an app that imports such a module", `import reporter\n${asgiApp}`, { "reporter.py": background }],
  ] as const) {
    test.skipIf(process.platform !== "linux")(
      `comes to the level that a pool comes to: ${what}`,
      async () => {
        const { kit, report } = await examined(source, {}, files);
        await using _ = kit;
        await kit.pool.start();
        const { level, reasons } = kit.pool.status.preload;
        expect(report.preload.level).toBe(level);
        const stable = (all: readonly string[]) => all.map((text) => text.replace(/Thread-\d+/, "Thread-N"));
        expect(stable(report.preload.reasons)).toEqual(stable(reasons));
      },
      options,
    );
  }

  test(
    "fails with the traceback of an app that cannot be imported",
    async () => {
      const error = await refused("import json\nraise OSError('no settings')\n");
      expect(error).toMatchObject({ code: "app_import_failed", exit: 3 });
      expect(error.detail).toContain("raise OSError('no settings')");
      expect(error.detail).not.toContain("headrace");
    },
    options,
  );

  test(
    "says how a process ended that did not live to report",
    async () => {
      const error = await refused("import os\nos._exit(7)\n");
      expect(error).toMatchObject({ code: "app_exited", exit: 3 });
      expect(error.message).toContain("exit status 7");
    },
    options,
  );

  test(
    "ends an import that takes too long, after its stacks, with what it has started",
    async () => {
      const source = `
import os, subprocess, sys, threading
child = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
print("pids", os.getpid(), child.pid, flush=True)
threading.Event().wait()
`;
      await using kit = new Kit(source);
      const lines: string[] = [];
      const clock = new ManualClock();
      const output = ({ line }: OutputLine) => {
        lines.push(line);
        if (line.startsWith("pids ")) clock.advance(kit.spec.startupTimeoutMs);
        if (line.includes("most recent call first")) clock.advance(timings.lastWordsMs);
      };
      const failing = examine(kit.spec, { clock, output });
      expect(await failing.catch((error: unknown) => error)).toMatchObject({
        code: "start_timeout",
        exit: 3,
      });
      expect(lines.join("\n")).toContain("most recent call first");
      const pids = lines.find((line) => line.startsWith("pids "))?.split(" ") ?? [];
      for (const pid of pids.slice(1)) await untilGone(Number(pid));
    },
    options,
  );
});

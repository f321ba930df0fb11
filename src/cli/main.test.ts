import { describe, expect, test } from "bun:test";
import { HeadraceError } from "../base/errors.ts";
import { runOptions } from "../config/options.ts";
import type { StatusReport } from "../model/instance.ts";
import { VERSION } from "../model/version.ts";
import { runHelp } from "./help.ts";
import { main } from "./main.ts";
import { startedRecord, startedText } from "./started.ts";
import { tellError } from "./tell.ts";
import { memoryIo } from "./testing.ts";

async function call(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = memoryIo();
  return { code: await main(argv, io), ...io.written };
}

describe("the command", () => {
  test("alone, it says what there is", async () => {
    const { code, out, err } = await call();
    expect([code, err]).toEqual([0, ""]);
    for (const word of ["headrace run APP", "headrace ps", "headrace version"]) expect(out).toContain(word);
    for (const argv of [["help"], ["--help"], ["-h"]])
      expect(await call(...argv)).toEqual({ code, out, err });
  });

  test("tells its version", async () => {
    for (const argv of [["version"], ["--version"], ["-V"]]) {
      const { code, out } = await call(...argv);
      expect([code, out.startsWith(`headrace ${VERSION} (Bun `)]).toEqual([0, true]);
    }
  });

  test("helps with a command", async () => {
    expect((await call("help", "run")).out).toBe((await call("run", "--help")).out);
    expect((await call("help", "ps")).out).toContain("--json");
  });

  test("says what was meant", async () => {
    const cases: [string[], string][] = [
      [["rnu", "x"], 'There is no command "rnu". Did you mean headrace run?'],
      [["main.py"], 'There is no command "main.py". To serve an app, write: headrace run main.py'],
      [["shop:app"], 'There is no command "shop:app". To serve an app, write: headrace run shop:app'],
      [["--port", "1"], "Flags stand after a command, as in: headrace run main.py --port"],
      [["quux"], 'There is no command "quux". See headrace --help.'],
      [["constructor"], 'There is no command "constructor". See headrace --help.'],
    ];
    for (const [argv, line] of cases)
      expect(await call(...argv)).toEqual({ code: 2, out: "", err: `headrace: ${line}\n` });
  });

  test("tells all problems of a run at once, and starts nothing", async () => {
    const { code, err } = await call("run", "nope.py", "--prot", "1", "--timeout", "soon");
    expect(code).toBe(2);
    expect(err.replaceAll(process.cwd(), "CWD")).toBe(`headrace: --prot: There is no such flag. Write --port.
headrace: --timeout: "soon" cannot be used. Write a duration, such as 30s, 500ms or 5m (a bare number is seconds).
headrace: There is no app nope.py. Check the path; relative ones begin at CWD.
headrace run --help lists all flags.
`);
  });
});

describe("the help of run", () => {
  test("names every flag once and keeps to the width", () => {
    for (const columns of [60, 80, 100, 200]) {
      const help = runHelp(columns);
      for (const { flag, kind, fallback } of Object.values(runOptions)) {
        const form = kind === "toggle" && fallback === true ? `--[no-]${flag}` : `--${flag}`;
        expect([
          flag,
          help.split("\n").filter(
            (line) =>
              line
                .trim()
                .replace(/^-\w, /, "")
                .split(" ")[0] === form,
          ).length,
        ]).toEqual([flag, 1]);
      }
      const described = help.split("\n").filter((line) => line.startsWith(" ".repeat(30)));
      expect(Math.max(...described.map((line) => line.length))).toBeLessThanOrEqual(Math.min(columns, 110));
    }
  });

  test("shows default and variables", () => {
    expect(
      runHelp(100),
    ).toContain(`  -p, --port N                Port to listen on. 0: a free one, said at the start. [default 8080;
                              $PORT]
`);
  });
});

describe("what was thrown", () => {
  const told = (error: unknown) => {
    const io = memoryIo();
    tellError(io, error);
    return io.written.err;
  };

  test("the traceback first, the sentence and what to do last", () => {
    const detail = 'Traceback (most recent call last):\n  File "main.py", line 1\nNameError: x\n';
    const error = new HeadraceError("app_import_failed", "Importing main failed.", {
      detail,
      hint: "See above.",
      exit: 3,
    });
    expect(told(error)).toBe(`${detail}headrace: Importing main failed. See above.\n`);
    expect(told(new HeadraceError("x", "Sentence."))).toBe("headrace: Sentence.\n");
  });

  test("what nobody expected is our own fault, with its stack", () => {
    const text = told(new TypeError("undefined is not a function"));
    expect(text).toContain("main.test.ts");
    expect(text).toEndWith("headrace: This is a fault of Headrace itself, not of your app.\n");
    expect(told("text")).toStartWith("text\n");
  });
});

describe("what is said once it runs", () => {
  const status: StatusReport = {
    version: "0.1.0",
    service: "shop",
    revision: "rev-1",
    app: "main.py",
    interface: "asgi",
    url: "http://127.0.0.1:8080",
    pid: 1,
    uptimeMs: 1,
    ready: true,
    stopped: false,
    preload: { level: "imports", reasons: ["grpc was imported"] },
    concurrency: 1,
    measured: null,
    limits: [],
    scaling: null,
    line: { waiting: 0, depth: 10 },
    revisions: [{ revision: "rev-1", weight: 100, tags: [], shadow: 0, instances: 1 }],
    rollout: null,
    gateways: [],
    instances: [],
  };

  const none = { dim: String, bold: String, cyan: String };

  test("a block for people", () => {
    expect(startedText(status, "", none)).toBe(`
  shop is served on http://127.0.0.1:8080

  app        main.py (asgi)
  instances  0 × 1 slot
  gateways   0
  preload    imports: grpc was imported
  admin      off

`);
  });

  test("how many instances there may be, where they come and go", () => {
    const scaling = { minInstances: 0, maxInstances: 50, desired: 1, panicking: false };
    expect(startedText({ ...status, scaling }, "", none)).toContain("  instances  0 × 1 slot (0 to 50)\n");
  });

  test("a record for programs", () => {
    const { message, event, fields } = startedRecord(status, "http://127.0.0.1:8081");
    expect([event, message]).toEqual(["cli.serving", "shop is served on http://127.0.0.1:8080"]);
    expect(fields).toMatchObject({
      admin_url: "http://127.0.0.1:8081",
      preload_reasons: "grpc was imported",
    });
  });
});

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadRun } from "./load.ts";
import type { Environment } from "./parse.ts";
import type { Facts } from "./resolve.ts";
import type { RunConfig } from "./run-config.ts";

let cwd: string;
let facts: Facts;

beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), "headrace-load-"));
  mkdirSync(join(cwd, "shop"));
  mkdirSync(join(cwd, "pkg"));
  for (const path of ["main.py", "shop/main.py", "pkg/__init__.py", "handler", ".env"])
    writeFileSync(join(cwd, path), "");
  writeFileSync(join(cwd, "a.env"), "A=1\nB=file\n");
  writeFileSync(join(cwd, "b.env"), "B=later\nnonsense\n");
  symlinkSync(process.execPath, join(cwd, "python-here"));
  facts = { cwd, cores: 4, sharesPorts: true, stdoutIsTerminal: false, stderrIsTerminal: true };
});

afterAll(() => rmSync(cwd, { recursive: true }));

const configOf = (argv: string[], env: Environment = {}, more: Partial<Facts> = {}): RunConfig => {
  const loaded = loadRun(argv, env, { ...facts, ...more });
  if (loaded.kind !== "config") throw new Error(JSON.stringify(loaded));
  return loaded.config;
};

const problemsOf = (argv: string[], env: Environment = {}, more: Partial<Facts> = {}): string[] => {
  const loaded = loadRun(argv, env, { ...facts, ...more });
  if (loaded.kind !== "problems") throw new Error(JSON.stringify(loaded));
  return loaded.problems.map((problem) =>
    `${problem.code} ${problem.subject} ${problem.message}`.replaceAll(`${cwd}/`, "CWD/"),
  );
};

describe("the app", () => {
  test("is the argument", () => {
    expect(configOf(["main.py"])).toMatchObject({
      app: "main.py",
      interface: "auto",
      target: null,
      appDir: cwd,
      cwd,
    });
    expect(configOf(["shop.wsgi:application"]).app).toBe("shop.wsgi:application");
    expect(configOf(["pkg/"]).app).toBe("pkg/");
  });

  test("is found in --app-dir too", () => {
    expect(configOf(["main.py", "--app-dir", "shop"])).toMatchObject({
      appDir: join(cwd, "shop"),
      appInDir: false,
    });
    writeFileSync(join(cwd, "shop", "side.py"), "");
    const side = configOf(["side.py", "--app-dir", "shop", "--reload"]);
    expect(side).toMatchObject({ appInDir: true, reloadDirs: [join(cwd, "shop")] });
    expect(problemsOf(["only.py", "--app-dir", "shop"])).toEqual(["app_not_found  There is no app only.py."]);
  });

  test("comes from functions-framework's variables", () => {
    const named = configOf([], { FUNCTION_TARGET: "hello", FUNCTION_SIGNATURE_TYPE: "cloudevent" });
    expect(named).toMatchObject({
      app: "main.py",
      target: "hello",
      interface: "function",
      signatureType: "cloudevent",
    });
    expect(configOf([], { FUNCTION_SOURCE: "shop/main.py", FUNCTION_TARGET: "f" }).app).toBe("shop/main.py");
    expect(configOf(["shop/main.py", "--target", "f"])).toMatchObject({ app: "shop/main.py", target: "f" });
  });

  test("a function's name from outside does not make a function of an app that says what it is", () => {
    const asgi = configOf(["main.py", "--interface", "asgi"], { FUNCTION_TARGET: "f" });
    expect(asgi).toMatchObject({ interface: "asgi", target: null, signatureType: null });
    expect(configOf(["main.py:app"], { FUNCTION_TARGET: "f" })).toMatchObject({
      interface: "auto",
      target: null,
    });
  });

  test("that is missing is said clearly", () => {
    expect(problemsOf([])).toEqual(["app_missing  No app is named."]);
    expect(problemsOf(["nope.py:app"])).toEqual(["app_not_found  There is no app nope.py."]);
    expect(problemsOf(["handler"])).toEqual(["file_unreadable  handler is a file and no module name."]);
    expect(problemsOf(["main.py", "shop/main.py"])).toEqual([
      'unexpected_argument  There is one app to a command: "shop/main.py" is too much.',
    ]);
  });

  test("gives the service its name", () => {
    const names: [string, string][] = [
      ["shop/main.py", "shop"],
      ["shop/main.py:app", "shop"],
      ["shop.wsgi:application", "shop"],
      ["my_shop.api.v2:create", "v2"],
      ["pkg/", "pkg"],
    ];
    for (const [app, service] of names) expect([app, configOf([app]).service]).toEqual([app, service]);
    expect(configOf(["main.py"]).service).toMatch(/^headrace-load-[a-z0-9]+/);
    expect(configOf(["main.py", "--service", "till"]).service).toBe("till");
    expect(configOf(["main.py"], { K_SERVICE: "cloud" }).service).toBe("cloud");
    expect(problemsOf(["main.py", "--service", "My Shop"])).toEqual([
      'invalid_value --service "My Shop" cannot be used.',
    ]);
  });
});

describe("what the machine says", () => {
  test("one gateway a core, one where the port or the socket cannot be shared", () => {
    expect(configOf(["main.py"]).gateways).toBe(4);
    expect(configOf(["main.py"], {}, { sharesPorts: false }).gateways).toBe(1);
    expect(configOf(["main.py", "--uds", "s.sock"])).toMatchObject({ gateways: 1, uds: join(cwd, "s.sock") });
    expect(configOf(["main.py", "--gateways", "2"]).gateways).toBe(2);
    expect(problemsOf(["main.py", "--gateways", "2"], {}, { sharesPorts: false })).toEqual([
      "conflict --gateways Processes cannot share a port on this system.",
    ]);
  });

  test("the line holds ten times the slots", () => {
    expect(configOf(["main.py", "--concurrency", "5", "--instances", "3"]).lineDepth).toBe(150);
    expect(configOf(["main.py", "--line-depth", "0"]).lineDepth).toBe(0);
  });

  test("text for terminals, JSON for everything else", () => {
    expect(configOf(["main.py"])).toMatchObject({ accessLog: "json", logFormat: "text" });
    const shown = configOf(["main.py"], {}, { stdoutIsTerminal: true, stderrIsTerminal: false });
    expect(shown).toMatchObject({ accessLog: "text", logFormat: "json" });
    const given = configOf(["main.py", "--access-log", "off", "--log-format", "json"]);
    expect(given).toMatchObject({ accessLog: "off", logFormat: "json" });
  });

  test("an admin port that was asked for is remembered as such", () => {
    expect(configOf(["main.py"])).toMatchObject({ admin: true, adminPort: 8081, adminPortGiven: false });
    expect(configOf(["main.py"], { HEADRACE_ADMIN_PORT: "0" })).toMatchObject({
      adminPort: 0,
      adminPortGiven: true,
    });
    expect(configOf(["main.py", "--no-admin"]).admin).toBe(false);
  });

  test("the folders to watch are the app's own unless others are given", () => {
    expect(configOf(["shop/main.py", "--reload"]).reloadDirs).toEqual([join(cwd, "shop")]);
    expect(configOf(["shop.wsgi", "--reload"]).reloadDirs).toEqual([cwd]);
    const given = configOf(["main.py", "--reload", "--reload-dir", "pkg", "--reload-dir", `${cwd}/shop/..`]);
    expect(given.reloadDirs).toEqual([join(cwd, "pkg"), cwd]);
  });

  test("the config cannot be changed", () => {
    expect(Object.isFrozen(configOf(["main.py"]))).toBe(true);
  });
});

describe("contradictions", () => {
  const cases: [string[], string][] = [
    [["--uds", "s", "--port", "1"], "conflict --uds A Unix socket has no --port."],
    [["--uds", "s", "--gateways", "2"], "conflict --gateways Gateways cannot share a Unix socket."],
    [
      ["--worker-class", "gevent", "--interface", "asgi"],
      "conflict --worker-class gevent runs WSGI apps only.",
    ],
    [["--target", "f", "--interface", "wsgi"], "conflict --target An app of --interface wsgi has no target."],
    [["--root-path", "shop"], 'invalid_value --root-path "shop" cannot be used.'],
    [["--reload-dir", "shop"], "conflict --reload-dir It does nothing without --reload."],
    [["--port", "8081", "--admin-port", "8081"], "conflict --admin-port Port 8081 is the app's own."],
    [["--app-dir", "nowhere"], "file_unreadable --app-dir There is no folder CWD/nowhere."],
    [["--reload", "--reload-dir", "no"], "file_unreadable --reload-dir There is no folder CWD/no."],
    [["--python", "./main.py"], "file_unreadable --python There is no program ./main.py."],
    [["--health-path", "healthz"], 'invalid_value --health-path "healthz" cannot be used.'],
    [["--trusted-proxies", "10.0.0.0/33"], 'invalid_value --trusted-proxies "10.0.0.0/33" cannot be used.'],
    [["--env", "=x"], 'invalid_value --env "=x" cannot be used.'],
  ];
  for (const [argv, problem] of cases) {
    test(argv.join(" "), () => expect(problemsOf(["main.py", ...argv])).toEqual([problem]));
  }

  test("--target and a function named in the app", () => {
    expect(problemsOf(["main.py:f", "--target", "g"])).toEqual([
      'conflict --target The app "main.py:f" names its function already.',
    ]);
  });

  test("what goes together is no problem", () => {
    const config = configOf(
      [
        "main.py",
        "--python",
        "./python-here",
        "--trusted-proxies",
        "*,unix,10.0.0.0/8,2001:db8::/32",
        "--root-path",
        "/a/",
      ],
      { PORT: "7000" },
    );
    expect(config).toMatchObject({ python: "./python-here", rootPath: "/a", port: 7000 });
    expect(config.trustedProxies).toEqual(["*", "unix", "10.0.0.0/8", "2001:db8::/32"]);
    expect(configOf(["main.py", "--uds", "s"], { PORT: "7000" }).uds).toBe(join(cwd, "s"));
    expect(configOf(["main.py", "--host", "[::1]"]).host).toBe("::1");
  });
});

describe("the app's environment", () => {
  test("later files are stronger, flags are strongest", () => {
    const argv = ["main.py", "--env-file", "a.env", "-e", "C=x=y,z", "--env", "A=flag"];
    expect(configOf(argv).env).toEqual({ A: "flag", B: "file", C: "x=y,z" });
  });

  test("lines that are none are told with their number", () => {
    expect(
      problemsOf(["main.py", "--env-file", "a.env", "--env-file", "b.env", "--env-file", "c.env"]),
    ).toEqual([
      "env_file_invalid --env-file Line 2 of b.env cannot be read: it is not KEY=VALUE.",
      "file_unreadable --env-file The file c.env does not exist.",
    ]);
  });
});

test("help needs nothing else to be right", () => {
  expect(loadRun(["--help", "--nonsense"], {}, facts).kind).toBe("help");
});

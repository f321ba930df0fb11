import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runOptions } from "../options.ts";
import type { Facts } from "../resolve.ts";
import type { ApplicationConfig } from "./config.ts";
import { application, elsewhere } from "./keys.ts";
import { loadFile, readFile } from "./load.ts";
import type { FileProblem } from "./problem.ts";
import type { Shape } from "./shape.ts";

const folder = mkdtempSync(join(tmpdir(), "headrace-file-"));
afterAll(() => rmSync(folder, { recursive: true }));
for (const app of ["main.py", "jobs.py", "legacy.py"]) writeFileSync(join(folder, app), "");
const FILE = join(folder, "headrace.yaml");

const facts: Facts = {
  cwd: "/",
  cores: 2,
  sharesPorts: true,
  stdoutIsTerminal: false,
  stderrIsTerminal: false,
};

function good(source: string, env: Record<string, string> = {}): ApplicationConfig {
  const loaded = readFile(source, FILE, env, facts);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems, null, 1));
  return loaded.application;
}

function bad(source: string, env: Record<string, string> = {}): readonly FileProblem[] {
  const loaded = readFile(source, FILE, env, facts);
  if (loaded.ok) throw new Error("the file was accepted");
  return loaded.problems;
}

const where = ({ path, place, code }: FileProblem) => `${place.line}:${place.column} ${path} ${code}`;

const SHOP = `
name: shop
listen: { port: 9000 }
services:
  api:
    app: main.py:app
    route: { host: shop.test, path: /api/, strip: true }
    concurrency: 40
    scale: { min: 1, max: 20, target: 70% }
    timeout: 30s
    env: { LOG_LEVEL: info, API_KEY: "secret:env/API_KEY", WHO: "\${WHO:-nobody}" }
  thumbnails:
    function: jobs.py:make_thumbnail
    scale: { min: 0, max: 10 }
  legacy:
    app: legacy.py
    route:
      - { path: / }
      - { host: "*.old.test", methods: [get, post], headers: ["x-beta: yes", x-any] }
    instances: 2
redirects: { path: /old, to: /new/* }
`;

describe("a file", () => {
  test("says for each service what headrace run would have been told", () => {
    const { name, services } = good(SHOP);
    expect(name).toBe("shop");
    expect(services.map((service) => service.name)).toEqual(["api", "thumbnails", "legacy"]);
    const [api, thumbnails, legacy] = services.map((service) => service.run);
    expect(api).toMatchObject({
      app: "main.py:app",
      port: 9000,
      concurrency: 40,
      timeoutMs: 30_000,
      service: "api",
    });
    expect(api!.scaling).toMatchObject({ minInstances: 1, maxInstances: 20, targetUtilization: 0.7 });
    expect(api!.appDir).toBe(folder);
    expect(thumbnails).toMatchObject({ interface: "function", app: "jobs.py:make_thumbnail" });
    expect(thumbnails!.scaling).toMatchObject({ minInstances: 0, maxInstances: 10 });
    expect(legacy).toMatchObject({ instances: 2, scaling: null, port: 9000 });
  });

  test("keeps secrets out of the environment that it shows", () => {
    const [api] = good(SHOP).services;
    expect(api!.run.env).toEqual({ LOG_LEVEL: "info", WHO: "nobody" });
    expect(api!.secrets).toEqual({ API_KEY: { store: "env", key: "API_KEY" } });
    expect(good(SHOP, { WHO: "me" }).services[0]!.run.env["WHO"]).toBe("me");
  });

  test("has routes by host, path, method and header, and redirects", () => {
    const { services, redirects } = good(SHOP);
    expect(services[0]!.routes).toEqual([
      { host: "shop.test", path: "/api", methods: [], headers: [], strip: true, rewrite: "" },
    ]);
    expect(services[1]!.routes).toEqual([]);
    expect(services[2]!.routes[1]).toEqual({
      host: "*.old.test",
      path: "/",
      methods: ["GET", "POST"],
      headers: [
        { name: "x-beta", value: "yes" },
        { name: "x-any", value: null },
      ],
      strip: false,
      rewrite: "",
    });
    expect(redirects).toEqual([{ host: "", path: "/old", to: "/new/*", status: 308 }]);
  });

  test("has limits by path and method", () => {
    const { services } = good(`
services:
  a:
    app: main.py
    limits: [ { path: /report/, method: post, slots: 2 }, { method: [GET, HEAD], slots: 5 }, { path: /x, slots: 1 } ]
  b: { app: main.py, limits: { slots: 9 }, route: { path: /b } }
`);
    expect(services[0]!.run.limits).toEqual([
      { path: "/report", methods: ["POST"], slots: 2 },
      { path: "/", methods: ["GET", "HEAD"], slots: 5 },
      { path: "/x", methods: [], slots: 1 },
    ]);
    expect(services[1]!.run.limits).toEqual([{ path: "/", methods: [], slots: 9 }]);
  });

  test("has affinity by a key, or by a cookie of the gateway's own", () => {
    const of = (affinity: string) =>
      good(`services: { a: { app: main.py, affinity: ${affinity} } }`).services[0]!.run.affinity;
    expect(of("{ header: X-User-Id }")).toEqual({
      by: "header",
      name: "x-user-id",
      sticky: false,
      balanceFactor: 1.25,
    });
    expect(of("{ query: User, balanceFactor: 150% }")).toEqual({
      by: "query",
      name: "User",
      sticky: false,
      balanceFactor: 1.5,
    });
    expect(of("{ cookie: home, sticky: true }")).toMatchObject({ by: "cookie", name: "home", sticky: true });
    expect(of("{ cookie: sid, balanceFactor: 0 }")).toMatchObject({ sticky: false, balanceFactor: 0 });
    // What belongs to an instance belongs to its revision.
    const splitBy = (more: string) => good(`services: { a: { app: main.py, ${more} } }`).services[0]!.splitBy;
    expect(splitBy("affinity: { header: X-User }")).toEqual({ by: "header", name: "x-user" });
    expect(splitBy("affinity: { header: X-User }, split: { query: u }")).toEqual({ by: "query", name: "u" });
    expect(splitBy("affinity: { cookie: home, sticky: true }")).toBeNull();
  });

  test("follows anchors, merges and the user's own keys", () => {
    const { services } = good(`
x-base: &base { concurrency: 7, scale: { max: 3 } }
services:
  a: { <<: *base, app: main.py }
  b: { <<: *base, app: main.py, concurrency: 9, route: { path: /b } }
`);
    expect(services.map(({ run }) => run.concurrency)).toEqual([7, 9]);
    expect(services[1]!.run.scaling).toMatchObject({ maxInstances: 3 });
  });

  test("of a service with an environment of its own uses that", () => {
    const venv = join(folder, "own", ".venv", "bin");
    mkdirSync(venv, { recursive: true });
    writeFileSync(join(venv, "python"), "#!/bin/sh\n", { mode: 0o755 });
    writeFileSync(join(folder, "own", "main.py"), "");
    const python = join(venv, "python");
    expect(good("services: { a: { app: own/main.py } }").services[0]!.run.python).toBe(python);
    const named = good("services: { a: { app: main.py, python: ./own/.venv } }");
    expect(named.services[0]!.run.python).toBe(python);
  });
});

describe("what is wrong", () => {
  test("is told all at once, with line, column, and what to write instead", () => {
    const problems = bad(`services:
  api:
    app: main.py
    concurency: 80
    timeout: 30 parsecs
    scale: { min: 5, max: 2 }
  Thumbs:
    function: jobs.py:f
  none:
    route: { path: api }
`);
    expect(problems.map(where)).toEqual([
      "4:5 services.api.concurency unknown_key",
      "5:14 services.api.timeout invalid_value",
      "6:14 services.api.scale.min conflict",
      "7:3 services.Thumbs invalid_value",
      "9:3 services.none app_missing",
      "10:20 services.none.route.path invalid_value",
    ]);
    expect(problems[0]!.instead).toBe("Write concurrency.");
    expect(problems[2]!.instead).toBe("Change it or services.api.scale.max.");
  });

  test("in the wrong place is shown its group", () => {
    const [min] = bad("services: { a: { app: main.py, min: 2 } }");
    expect(min!.instead).toBe("Write scale.min.");
    expect(bad("services: { a: { app: main.py, cpu: 2 } }")[0]!.instead).toBe(
      "Write scale.cpu or resources.cpu.",
    );
    expect(bad("port: 1\nservices: { a: { app: main.py } }")[0]!.instead).toBe(
      "Write listen.port or admin.port.",
    );
  });

  test("speaks of keys, not of flags", () => {
    const texts = [
      ...bad("services: { a: { app: main.py, scale: { target: 50% } } }"),
      ...bad("listen: { tlsCert: main.py }\nservices: { a: { app: main.py } }"),
      ...bad("services: { a: { app: main.py, scale: { min: 1, toZeroAfter: 10s } } }"),
    ].map(({ message, instead }) => `${message} ${instead}`);
    for (const text of texts) expect(text).not.toMatch(/--[a-z]/);
    expect(texts.join("\n")).toContain("scale.min: 0");
  });

  test("in what all services share is told once", () => {
    const problems = bad(
      `listen: { tlsCert: main.py }\nservices: { a: { app: main.py }, b: { app: jobs.py, route: { path: /b } } }`,
    );
    expect(problems).toHaveLength(1);
    expect(problems[0]!.path).toBe("listen.tlsCert");
  });

  test("is a missing app, a route of two services, two kinds of app, a bad reference", () => {
    expect(bad("services: { a: { app: gone.py } }").map(where)).toEqual([
      "1:18 services.a.app app_not_found",
    ]);
    const clash = bad(
      "services:\n  a: { app: main.py, route: { path: /x } }\n  b: { app: main.py, route: { path: /x/ } }",
    );
    expect(clash.map(where)).toEqual(["3:29 services.b.route conflict"]);
    expect(clash[0]!.message).toContain("The service a has this route as well");
    expect(bad("services: { a: { app: main.py, function: jobs.py:f } }").map(({ code }) => code)).toEqual([
      "conflict",
    ]);
    expect(bad('services: { a: { app: main.py, env: { A: "secret:vault" } } }')[0]!.message).toContain(
      "no store of secrets",
    );
    expect(bad(`services: { a: { app: main.py, timeout: '\${GONE}' } }`).map(({ code }) => code)).toEqual([
      "variable_missing",
    ]);
  });

  test("is a limit without slots, of none, or twice", () => {
    const of = (limits: string) =>
      bad(`services: { a: { app: main.py, limits: ${limits} } }`).map(({ code }) => code);
    expect(of("{ path: /x }")).toEqual(["file_invalid"]);
    expect(of("{ path: x, slots: 0 }")).toEqual(["invalid_value", "invalid_value"]);
    expect(of("[ { path: /x, slots: 1 }, { path: /x/, slots: 2 } ]")).toEqual(["conflict"]);
    expect(of("[ { method: [GET, POST], slots: 1 }, { method: POST, slots: 2 } ]")).toEqual(["conflict"]);
  });

  test("is affinity to two keys, to none, or sticky without a cookie", () => {
    const of = (affinity: string) =>
      bad(`services: { a: { app: main.py, affinity: ${affinity} } }`).map(({ code }) => code);
    expect(of("{ header: a, cookie: b }")).toEqual(["conflict"]);
    expect(of("{ sticky: true }")).toEqual(["conflict"]);
    expect(of("{ header: a, sticky: true }")).toEqual(["conflict"]);
    expect(of("{ cookie: a, sticky: true, balanceFactor: 150 }")).toEqual(["conflict"]);
    expect(of("{ cookie: 'a b' }")).toContain("invalid_value");
    expect(of("{ cookie: a, balanceFactor: 100% }")).toEqual(["invalid_value"]);
  });

  test("does not show what a variable holds", () => {
    const problems = bad(`services: { a: { app: main.py, timeout: '\${PASSWORD}' } }`, {
      PASSWORD: "hunter2",
    });
    expect(JSON.stringify(problems)).not.toContain("hunter2");
  });

  test("is no YAML, an empty file, a list, an alias bomb, a loop", () => {
    expect(bad("services: { a: ").map(({ code }) => code)).toContain("file_invalid");
    expect(bad("services: {}\nservices: {}").length).toBeGreaterThan(0);
    expect(bad("").map(({ message }) => message)).toEqual(["The file has no services."]);
    expect(bad("- a").length).toBe(1);
    expect(bad("services:").map(({ message }) => message)).toEqual(["There is no service."]);
    const bomb = ["x-a: &a [1,2,3,4,5,6,7,8,9,10]"];
    for (const [index, name] of [..."bcdefgh"].entries()) {
      const before = `*${"abcdefgh"[index]}`;
      bomb.push(`x-${name}: &${name} [${Array(10).fill(before).join(",")}]`);
    }
    expect(bad(bomb.join("\n"))[0]!.message).toContain("too many parts");
    expect(bad("x-a: &a { b: *a }\nservices: {}").length).toBeGreaterThan(0);
  });

  test("is a file that is not there", () => {
    const loaded = loadFile("", {}, { ...facts, cwd: "/nowhere" });
    expect(loaded.ok).toBe(false);
    if (!loaded.ok) expect(loaded.problems[0]!.message).toContain("/nowhere/headrace.yaml does not exist");
  });
});

test("every option of headrace run has a key, or a reason", () => {
  const missing = Object.keys(runOptions).filter((name) => !(name in elsewhere) && !setByFile().has(name));
  expect(missing).toEqual([]);
});

function setByFile(): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (shape: Shape): void => {
    if (shape.kind === "value") {
      if (shape.run !== null) found.add(shape.run);
    } else if (shape.kind === "table") visit(shape.each);
    else if (shape.kind === "list") visit(shape.item);
    else for (const key of Object.values(shape.keys)) visit(key.shape);
  };
  visit(application);
  return found;
}

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is how files refer to variables
import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runOptions } from "../options.ts";
import { application, elsewhere } from "./keys.ts";
import { readFile } from "./load.ts";
import type { Shape } from "./shape.ts";
import { bad, FILE, facts, folder, good, where } from "./testing.ts";

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

  test("reads quantities as Kubernetes writes them, and durations as Go does", () => {
    const of = (keys: string) => good(`services: { a: { app: main.py, ${keys} } }`).services[0]!.run;
    expect(of("resources: { memory: .5Gi, cpu: .5 }")).toMatchObject({ memory: 2 ** 29, cpu: 0.5 });
    expect(of("resources: { memory: 129e6, cpu: 2.0000 }")).toMatchObject({ memory: 129e6, cpu: 2 });
    expect(of("resources: { memory: 1Pi, cpu: 1e-1 }")).toMatchObject({ memory: 2 ** 50, cpu: 0.1 });
    expect(of("timeout: .5s, line: { wait: 500us }")).toMatchObject({ timeoutMs: 500, lineWaitMs: 1 });
    expect(of("scale: { min: 1, target: 70.5% }").scaling).toMatchObject({ targetUtilization: 0.705 });
  });

  test("leaves to the environment what it does not say of what all services share", () => {
    const env = {
      HEADRACE_PORT: "9001",
      PORT: "9002",
      HEADRACE_HTTP2: "off",
      HEADRACE_ADMIN_PORT: "9003",
      HEADRACE_LOG_LEVEL: "warn",
      HEADRACE_GATEWAYS: "3",
      HEADRACE_CONCURRENCY: "7",
      WEB_CONCURRENCY: "9",
    };
    const of = (more: string) =>
      good(`${more}\nservices: { a: { app: main.py }, b: { app: jobs.py, route: { path: /b } } }`, env)
        .services;
    for (const { run } of of("")) {
      expect(run).toMatchObject({ port: 9001, http2: false, adminPort: 9003, logLevel: "warn", gateways: 3 });
      // Of a service the file says all.
      expect(run).toMatchObject({ concurrency: 80, instances: 1 });
    }
    expect(of("listen: { port: 80 }\nlogs: { level: error }")[1]!.run).toMatchObject({
      port: 80,
      http2: false,
      logLevel: "error",
    });
    const [problem, ...more] = bad("services: { a: { app: main.py } }", { HEADRACE_PORT: "many" });
    expect(problem).toMatchObject({ message: '$HEADRACE_PORT: "many" cannot be used.', path: "" });
    const same = bad("services: { a: { app: main.py }, b: { app: jobs.py, route: { path: /b } } }", {
      HEADRACE_ADMIN_PORT: "8080",
    });
    expect(same.map(({ path, message }) => `${path} ${message}`)).toEqual([
      " $HEADRACE_ADMIN_PORT: Port 8080 is the app's own.",
    ]);
    expect(more).toEqual([]);
    good("listen: { port: 80 }\nservices: { a: { app: main.py } }", { HEADRACE_PORT: "many" });
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

  test("or brought from elsewhere is shown what it is called here", () => {
    const of = (key: string) => bad(`services: { a: { app: main.py, ${key} } }`)[0]!.instead;
    expect(of("replicas: 2")).toBe("Write instances.");
    expect(of("num_instances: 2")).toBe("Write instances.");
    expect(of("environment: { A: b }")).toBe("Write env.");
    expect(of("env_file: x")).toBe("Write envFile.");
    expect(of("startup_timeout: 3s")).toBe("Write startupTimeout.");
    expect(of("http2: true")).toBe("Write listen.http2.");
    expect(of("ports: [80]")).toBe("Write listen.port.");
    expect(of("port: 80")).toBe("Write listen.port or admin.port.");
    expect(of("path: /x")).toBe("Write route.path or limits.path.");
    expect(of("maxReplicas: 3")).toBe("Write scale.max.");
    expect(of("image: shop")).toContain("There are no images");
    expect(of("scale: { concurrency: 3 }")).toBe("Write services.a.concurrency.");
    expect(of("route: { methds: GET }")).toBe("Write methods.");
    expect(of("split: { by: x }")).toBe("There are: header, cookie, query.");
    expect(of("zzz: x")).toMatch(/^Nearest are (\w+, ){4}\w+; docs/);
    const [top] = bad("workers: 2\nservices: { a: { app: main.py } }");
    expect(top!.instead).toBe("Write services.NAME.instances.");
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
    const env = { PASSWORD: "hunter2", SHORT: "h2", HOST: "Hunter.test", DIR: "./hunter3//x" };
    const of = (keys: string) => bad(`services: { a: { ${keys} } }`, env).map(({ message }) => message);
    expect(of("app: main.py, timeout: '${PASSWORD}'")).toEqual(['"${PASSWORD}" cannot be used.']);
    expect(of("app: '${PASSWORD}.py'")).toEqual(["There is no app ${PASSWORD}.py."]);
    expect(of("app: '${PASSWORD}.py:app'")).toEqual(["There is no app ${PASSWORD}.py."]);
    expect(of("app: 'x${SHORT}.py'")).toEqual(["There is no app x${SHORT}.py."]);
    expect(of("app: main.py, dir: '${DIR}'")).toEqual([`There is no folder ${folder}/\${DIR}.`]);
    expect(of("app: main.py, envFile: '${PASSWORD}.env'")).toEqual([
      "The file ${PASSWORD}.env does not exist.",
    ]);
    expect(of("app: main.py, env: { A: 'secret:${PASSWORD}/x' }")).toEqual([
      'There is no store of secrets "${PASSWORD}".',
    ]);
    expect(of("app: main.py, route: [ { host: '${HOST}' }, { host: '${HOST}' } ]")).toEqual([
      "The service has this route twice: ${HOST}/.",
    ]);
    // What a variable holds by chance is not taken out of numbers and words.
    const conflict = bad("services: { a: { app: main.py, scale: { min: 52, max: '${N}' } } }", { N: "5" });
    expect(conflict[0]!.message).toBe("At least 52 and at most ${N} cannot be.");
  });

  test("is a route that asks for what another has, a redirect included", () => {
    const of = (...services: string[]) =>
      bad(
        `services:\n${services.map((one, index) => `  s${index}: { app: main.py, route: ${one} }`).join("\n")}`,
      ).map(({ path, message }) => `${path}: ${message}`);
    const has = "The service s0 has this route as well";
    expect(of("{ path: /x, methods: GET }", "{ path: /x, methods: [GET, POST] }")).toEqual([
      `services.s1.route: ${has}: GET,POST any host/x.`,
    ]);
    expect(of("{ path: /x, headers: [x-b, x-a] }", "{ path: /x, headers: [x-a, x-b] }")).toEqual([
      `services.s1.route: ${has}: any host/x.`,
    ]);
    expect(of("[ { path: /y }, { path: /x }, { path: /y/ } ]")).toEqual([
      "services.s0.route[2]: The service has this route twice: any host/y.",
    ]);
    const redirects = "redirects: [ { path: /x, to: /y }, { path: /x/, to: /z } ]\n";
    expect(
      bad(`${redirects}services: { a: { app: main.py, route: { path: /x } } }`).map(({ message }) => message),
    ).toEqual([
      "There are two redirects for this: any host/x.",
      "A redirect, in line 1, takes what this is for: any host/x.",
    ]);
    const all = "redirects: { path: /, to: /y }\nservices: { a: { app: main.py } }";
    expect(bad(all).map(where)).toEqual(["2:13 services.a conflict"]);
    const different = [
      "{ path: /x, methods: GET }",
      "{ path: /x, methods: POST }",
      "{ path: /x }",
      "{ path: /x, headers: x-a }",
      "{ path: /x, headers: x-b }",
      "{ path: /x, host: x.test }",
    ].map((route, index) => `s${index}: { app: main.py, route: ${route} }`);
    good(`redirects: { path: /, to: /x }\nservices: { ${different.join(", ")} }`);
  });

  test("makes no second problem of what could not be read", () => {
    const of = (services: string, more = "") => bad(`${more}services: ${services}`).map(where);
    expect(
      of("{ a: { app: main.py, route: { path: x } }, b: { app: main.py, route: { host: 'b:80' } } }"),
    ).toEqual(["1:47 services.a.route.path invalid_value", "1:88 services.b.route.host invalid_value"]);
    expect(
      of("{ a: { app: main.py, route: { path: x } } }", "redirects: { path: /, to: /x }\n"),
    ).toHaveLength(1);
    expect(
      of("{ a: { app: main.py, route: [ { path: x, strip: true }, { path: /b, strip: true } ] } }"),
    ).toHaveLength(1);
    expect(of("{ api: main.py }")).toEqual(["1:13 services.api invalid_value"]);
    expect(of("{ a: { app: [main.py] } }")).toEqual(["1:18 services.a.app invalid_value"]);
    expect(of("{ a: { app: main.py, affinity: { header: 'a b' } } }")).toHaveLength(1);
    expect(of("{ a: { app: main.py, split: { header: 'a b' } } }")).toHaveLength(1);
    expect(
      of("{ a: { app: main.py, limits: [ { path: x, slots: 1 }, { path: y, slots: 1 } ] } }"),
    ).toHaveLength(2);
  });

  test("is a function without its name", () => {
    const [problem] = bad("services: { a: { function: jobs.py } }");
    expect(problem).toMatchObject({ path: "services.a.function", code: "invalid_value" });
    expect(problem!.instead).toContain("such as jobs.py:thumbnail");
    expect(bad("services: { a: { function: shop.jobs } }")).toHaveLength(1);
  });

  test("is a secret where none is read", () => {
    const [problem] = bad("admin: { tokenFile: secret:env/TOKEN }\nservices: { a: { app: main.py } }");
    expect(problem).toMatchObject({ path: "admin.tokenFile", code: "invalid_value" });
    expect(problem!.message).toContain("A secret stands under env only");
    writeFileSync(join(folder, "some.env"), "A=1\nTOKEN=secret:env/X\n");
    const loaded = readFile("services: { a: { app: main.py, envFile: some.env } }", FILE, {}, facts);
    expect(loaded.ok && loaded.notices.map(where)).toEqual(["1:32 services.a.envFile env_file_invalid"]);
    expect(loaded.ok && loaded.notices[0]!.message).toContain("TOKEN in some.env reads like a reference");
  });

  test("is a size, time or number of cores that would be none, or a thousandth", () => {
    const of = (key: string) =>
      bad(`services: { a: { app: main.py, ${key} } }`).map(({ instead }) => instead);
    expect(of("timeout: 0.0001s")).toEqual(["Write a duration of at least 1ms, or 0."]);
    expect(of("timeout: 24.9d")).toEqual(["Write a duration of at most 24 days."]);
    expect(of("resources: { memory: 256m }")).toEqual(["Write 256M or 256Mi: a small m is a thousandth."]);
    expect(of("resources: { memory: 0.1 }")[0]).toContain("Write a size, such as 64KiB");
    expect(of("resources: { cpu: 1m }")[0]).toContain("at least 10m");
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

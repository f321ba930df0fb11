import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HeadraceError } from "../base/errors.ts";
import { ReleaseStack } from "../base/release.ts";
import type { StatusReport } from "../model/instance.ts";
import type { LogRecord } from "../model/log.ts";
import type { DecisionReport } from "../model/scaling.ts";
import { adminErrors } from "./errors.ts";
import { EventFeed, FEED } from "./feed.ts";
import type { ActionOutcome, AdminPorts, Outcome, Readiness } from "./ports.ts";
import { type AdminOptions, type AdminServer, startAdmin } from "./server.ts";

const report: StatusReport = {
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
  preload: { level: "app", reasons: [] },
  concurrency: 80,
  measured: null,
  limits: [],
  scaling: null,
  line: { waiting: 0, depth: 800 },
  revisions: [{ revision: "rev-1", weight: 100, tags: [], shadow: 0, instances: 0 }],
  rollout: null,
  gateways: [],
  instances: [],
};

const TOKEN = "0123456789abcdef-and-more";
const folder = mkdtempSync(join(tmpdir(), "headrace-admin-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** One that is free now. */
async function freePort(): Promise<number> {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  const port = server.port!;
  await server.stop(true);
  return port;
}

let release: ReleaseStack;
let logged: LogRecord[];
let called: string[];

beforeEach(() => {
  release = new ReleaseStack();
  logged = [];
  called = [];
});

afterEach(() => release.release());

interface World {
  readonly readiness?: Readiness;
  readonly status?: () => Promise<StatusReport | null>;
  readonly outcome?: ActionOutcome;
  readonly decisions?: readonly DecisionReport[];
}

function serve(world: World = {}, more: Partial<AdminOptions> = {}): AdminServer {
  const act =
    (name: string) =>
    (instance = "") => {
      called.push(`${name} ${instance}`.trim());
      return Promise.resolve(world.outcome ?? ({ kind: "done" } as const));
    };
  const traffic = { service: "shop", targets: [], tags: [], shadow: null, before: null, rollout: null };
  const about =
    <T>(name: string, value: T) =>
    async (service: string, ...rest: readonly unknown[]): Promise<Outcome<T>> => {
      if (service !== "shop") return { kind: "unknown-service" };
      const wish = rest.filter((each) => !(each instanceof AbortSignal));
      called.push(`${name} ${service}${wish.map((each) => ` ${JSON.stringify(each)}`).join("")}`);
      const { outcome = { kind: "done" } } = world;
      if (outcome.kind === "unknown-instance") throw new Error("no instance is asked for");
      return outcome.kind === "done" ? { kind: "done", value } : outcome;
    };
  const ports: AdminPorts = {
    readiness: () => world.readiness ?? { ready: true, why: "" },
    status: world.status ?? (() => Promise.resolve(report)),
    services: () => Promise.resolve([report]),
    route: ({ url }) => ({ service: new URL(url).pathname === "/shop" ? "shop" : null }),
    decisionsOf: (name) => (name === "shop" ? (world.decisions ?? null) : undefined),
    deploy: about("deploy", { service: "shop", revision: "rev-2", rollout: null }),
    revisions: about("revisions", []),
    traffic: about("traffic", traffic),
    setTraffic: about("setTraffic", traffic),
    rollback: about("rollback", traffic),
    metrics: () => Promise.resolve([{ name: "x", kind: "gauge", help: "h", samples: [] }]),
    decisions: () => world.decisions ?? null,
    reload: () => act("reload")(),
    stop: act("stop"),
    stacks: act("stacks"),
    restartService: act("restartService"),
    stopService: act("stopService"),
    startService: act("startService"),
    restart: act("restart"),
  };
  const server = startAdmin({
    host: "127.0.0.1",
    port: 0,
    portGiven: false,
    listen: [],
    socket: "",
    token: "",
    store: null,
    ports,
    feed: new EventFeed({ ...FEED, run: "r" }),
    log: (record) => logged.push(record),
    ...more,
  });
  release.push(() => server.stop());
  return server;
}

async function ask(
  server: AdminServer,
  path: string,
  init: RequestInit = {},
): Promise<{ status: number; body: string }> {
  const response = await fetch(server.url + path, init);
  return { status: response.status, body: await response.text() };
}

const codeOf = (body: string) => (JSON.parse(body) as { error: { code: string } }).error.code;

test("decisions are an array; there is none while the start is under way", async () => {
  expect((await fetch(`${serve().url}/v1/decisions`)).status).toBe(503);
  const answer = await fetch(`${serve({ decisions: [] }).url}/v1/decisions`);
  expect([answer.status, await answer.json()]).toEqual([200, []]);
});

describe("what can be asked", () => {
  test("health: the process lives", async () => {
    expect(await ask(serve({ readiness: { ready: false, why: "x" } }), "/healthz")).toEqual({
      status: 200,
      body: "ok\n",
    });
  });

  test("readiness, and why not", async () => {
    expect(await ask(serve(), "/readyz")).toEqual({ status: 200, body: "ready\n" });
    const why = "no instance is ready";
    expect(await ask(serve({ readiness: { ready: false, why } }), "/readyz")).toEqual({
      status: 503,
      body: "not ready: no instance is ready\n",
    });
  });

  test("metrics, in the format that the scraper accepts", async () => {
    const server = serve();
    const plain = await fetch(`${server.url}/metrics`, { headers: { accept: "text/plain" } });
    expect(plain.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(await plain.text()).toBe("# HELP x h\n# TYPE x gauge\n");
    const open = await fetch(`${server.url}/metrics`, {
      headers: { accept: "application/openmetrics-text" },
    });
    expect(open.headers.get("content-type")).toStartWith("application/openmetrics-text; version=1.0.0");
    expect(await open.text()).toBe("# HELP x h\n# TYPE x gauge\n# EOF\n");
  });

  test("status, as JSON that nobody caches", async () => {
    const response = await fetch(`${serve().url}/v1/status`);
    expect(await response.json()).toEqual(report);
    expect([response.headers.get("content-type"), response.headers.get("cache-control")]).toEqual([
      "application/json",
      "no-store",
    ]);
  });

  test("status and actions before the start is done", async () => {
    const server = serve({ status: () => Promise.resolve(null), outcome: { kind: "starting" } });
    for (const [method, path] of [
      ["GET", "/v1/status"],
      ["POST", "/v1/reload"],
    ] as const) {
      const { status, body } = await ask(server, path, { method });
      expect([status, codeOf(body)]).toEqual([503, "admin_starting"]);
    }
  });

  test("HEAD where there is GET: the same head, and no body", async () => {
    const server = serve();
    for (const path of ["/healthz", "/v1/status", "/metrics", "/v1/nothing"]) {
      const get = await fetch(server.url + path);
      const length = String((await get.arrayBuffer()).byteLength);
      const head = await fetch(server.url + path, { method: "HEAD" });
      expect([path, head.status, head.headers.get("content-length"), await head.text()]).toEqual([
        ...[path, get.status, length, ""],
      ]);
    }
    const stream = await fetch(`${server.url}/v1/events`, { method: "HEAD" });
    expect([stream.status, stream.headers.get("content-length"), await stream.text()]).toEqual([
      200,
      null,
      "",
    ]);
  });
});

describe("what can be done", () => {
  test("reload, stacks and restart reach the platform", async () => {
    const server = serve();
    for (const path of ["/v1/reload", "/v1/instances/i-1/stacks", "/v1/instances/i%20x/restart"]) {
      expect(await ask(server, path, { method: "POST" })).toEqual({ status: 200, body: '{"ok":true}\n' });
    }
    expect(called).toEqual(["reload", "stacks i-1", "restart i x"]);
  });

  test("an unknown instance", async () => {
    const { status, body } = await ask(
      serve({ outcome: { kind: "unknown-instance" } }),
      "/v1/instances/i-9/restart",
      {
        method: "POST",
      },
    );
    expect([status, codeOf(body)]).toEqual([404, "admin_instance_unknown"]);
  });

  test("an action that failed says why", async () => {
    const outcome = { kind: "failed", code: "app_import_failed", message: "No module named x." } as const;
    expect(await ask(serve({ outcome }), "/v1/reload", { method: "POST" })).toEqual({
      status: 422,
      body: '{"error":{"code":"app_import_failed","message":"No module named x."}}\n',
    });
    const detailed = serve({ outcome: { ...outcome, detail: "Traceback\n  line 1\n" } });
    const { body } = await ask(detailed, "/v1/services/shop/deploy", { method: "POST" });
    expect(JSON.parse(body).error.detail).toBe("Traceback\n  line 1\n");
  });
});

describe("what is refused", () => {
  test("bodies that are too large, with a length and without one, in the form of every error", async () => {
    const server = serve();
    const large = JSON.stringify({ untag: ["x".repeat(64 * 1024)] });
    const chunked = () => new Response(`${large}${" ".repeat(3_000_000)}`).body;
    for (const [method, path, body] of [
      ["PUT", "/v1/services/shop/traffic", large],
      ["PUT", "/v1/services/shop/traffic", chunked()],
      ["POST", "/v1/services/shop/deploy", "x".repeat(1_000_000)],
    ] as const) {
      const headers = { "content-type": "application/json" };
      const answer = await ask(server, path, { method, headers, body });
      expect([answer.status, codeOf(answer.body)]).toEqual([413, "admin_body_too_large"]);
    }
    expect(called).toEqual([]);
    expect((await ask(server, "/healthz")).status).toBe(200);
  });

  test("unknown paths", async () => {
    const server = serve();
    for (const path of [
      "/",
      "/v1",
      "/v1/statuss",
      "/v1/instances//restart",
      "/v1/instances/a/b/restart",
      "/v1/instances/%ff/restart",
    ]) {
      const { status, body } = await ask(server, path, { method: "POST" });
      expect([path, status, codeOf(body)]).toEqual([path, 404, "admin_not_found"]);
    }
    expect(called).toEqual([]);
  });

  test("methods that a path does not have", async () => {
    const server = serve();
    for (const [method, path, allow] of [
      ["POST", "/metrics", "GET"],
      ["GET", "/v1/reload", "POST"],
      ["DELETE", "/v1/status", "GET"],
    ] as const) {
      const response = await fetch(server.url + path, { method });
      expect([path, response.status, response.headers.get("allow")]).toEqual([path, 405, allow]);
      expect(codeOf(await response.text())).toBe("admin_method_not_allowed");
    }
    expect(called).toEqual([]);
  });

  test("names that are not this machine's own (DNS rebinding)", async () => {
    const server = serve();
    const port = new URL(server.url).port;
    for (const host of [
      "evil.example",
      `evil.example:${port}`,
      "127.0.0.1.evil.example",
      "10.0.0.1",
      "",
      "a b",
      "[::1",
    ]) {
      const { status, body } = await ask(server, "/v1/status", { headers: { host } });
      expect([host, status, codeOf(body)]).toEqual([host, 403, "admin_host_refused"]);
    }
    for (const host of [`localhost:${port}`, "LOCALHOST", "127.0.0.1", "127.9.9.9:1", "[::1]:80"]) {
      expect([host, (await ask(server, "/healthz", { headers: { host } })).status]).toEqual([host, 200]);
    }
  });

  test("pages of other origins", async () => {
    const server = serve();
    const post = (origin: string) => ask(server, "/v1/reload", { method: "POST", headers: { origin } });
    for (const origin of ["http://evil.example", "null", "http://localhost:1"]) {
      const { status, body } = await post(origin);
      expect([origin, status, codeOf(body)]).toEqual([origin, 403, "admin_origin_refused"]);
    }
    expect((await post(server.url)).status).toBe(200);
    expect(called).toEqual(["reload"]);
  });

  test("nothing about a failure on our side but that it happened; the log has the rest", async () => {
    const server = serve({ status: () => Promise.reject(new Error("a secret path")) });
    const { status, body } = await ask(server, "/v1/status");
    expect([status, codeOf(body), body.includes("secret")]).toEqual([500, "admin_internal", false]);
    expect(logged.at(-1)).toMatchObject({ level: "error", event: "admin.failed" });
    expect(logged.at(-1)?.message).toContain("a secret path");
  });
});

describe("the port", () => {
  const portOf = (server: AdminServer) => Number(new URL(server.url).port);

  test("is said in the log", () => {
    const server = serve();
    expect(portOf(server)).toBeGreaterThan(0);
    expect(logged.map(({ event, message }) => [event, message])).toEqual([
      ["admin.ready", `The admin port listens on ${server.url}.`],
    ]);
  });

  test("moves when it is taken and nobody asked for it", () => {
    const taken = portOf(serve());
    const second = serve({}, { port: taken });
    expect(portOf(second)).not.toBe(taken);
    expect(logged.map(({ event }) => event)).toEqual(["admin.ready", "admin.port_moved", "admin.ready"]);
  });

  test("is an error when it is taken and somebody asked for it", () => {
    const taken = portOf(serve());
    const error = thrownBy(() => serve({}, { port: taken, portGiven: true }));
    expect([error.code, error.exit, error.message]).toEqual([
      "admin_port_taken",
      2,
      `The admin port 127.0.0.1:${taken} is taken.`,
    ]);
    expect(error.hint).toBe(adminErrors.admin_port_taken.hint);
  });

  test("cannot be had on an address of another machine", () => {
    const error = thrownBy(() => serve({}, { host: "192.0.2.1", token: TOKEN }));
    expect([error.code, error.exit]).toEqual(["admin_address_invalid", 2]);
  });

  test("that others can reach is warned of, and takes any name", async () => {
    const server = serve({}, { host: "0.0.0.0", token: TOKEN });
    expect(logged.map(({ event }) => event)).toContain("admin.exposed");
    const url = `http://127.0.0.1:${portOf(server)}/healthz`;
    expect((await fetch(url, { headers: { host: "headrace.internal" } })).status).toBe(200);
  });
});

describe("the token", () => {
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const open = () => serve({}, { listen: ["0.0.0.0:0"], token: TOKEN });
  const further = (server: AdminServer, path: string) =>
    `http://127.0.0.1:${new URL(server.urls[0]!).port}${path}`;

  test("is wanted on addresses beyond loopback, and there alone", async () => {
    const server = open();
    const url = further(server, "/v1/status");
    expect((await fetch(url, { headers: bearer(TOKEN) })).status).toBe(200);
    expect((await fetch(url, { headers: { authorization: `bearer  ${TOKEN} ` } })).status).toBe(200);
    expect((await ask(server, "/v1/status")).status).toBe(200);
    const missing = await fetch(url);
    expect([missing.status, missing.headers.get("www-authenticate"), codeOf(await missing.text())]).toEqual([
      401,
      'Bearer realm="headrace"',
      "admin_token_missing",
    ]);
    for (const authorization of [
      "",
      "Bearer",
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(1)}`,
      `Basic ${TOKEN}`,
      TOKEN,
    ]) {
      const wrong = await fetch(url, { headers: { authorization } });
      expect([authorization, wrong.status]).toEqual([authorization, 401]);
      if (authorization === "") continue;
      expect(wrong.headers.get("www-authenticate")).toBe('Bearer realm="headrace", error="invalid_token"');
    }
    expect(called).toEqual([]);
  });

  test("is not wanted of probes, and tells nobody without it what there is", async () => {
    const server = open();
    for (const [path, status] of [
      ["/healthz", 200],
      ["/readyz", 200],
      ["/metrics", 401],
      ["/v1/events", 401],
      ["/v1/nothing", 401],
    ] as const)
      expect([path, (await fetch(further(server, path))).status]).toEqual([path, status]);
    expect((await fetch(further(server, "/v1/nothing"), { headers: bearer(TOKEN) })).status).toBe(404);
    expect((await fetch(further(server, "/v1/reload"), { headers: bearer(TOKEN) })).status).toBe(405);
  });

  test("has to be there before anything is opened", async () => {
    for (const more of [
      { host: "0.0.0.0" },
      { listen: ["[::]:0"] },
      { listen: ["127.0.0.1:0", "10.0.0.1:0"] },
    ]) {
      const error = thrownBy(() => serve({}, more));
      expect([error.code, error.exit]).toEqual(["admin_token_needed", 2]);
    }
    expect(logged).toEqual([]);
    serve({}, { listen: ["127.0.0.1:0", "[::1]:0"] });
    expect(logged.map(({ event }) => event)).toEqual(["admin.ready", "admin.ready", "admin.ready"]);
  });

  test("an address that is taken leaves none open", async () => {
    const taken = new URL(serve().url).port;
    const port = await freePort();
    const error = thrownBy(() => serve({}, { port, portGiven: true, listen: [`127.0.0.1:${taken}`] }));
    expect([error.code, error.message]).toEqual([
      "admin_port_taken",
      `The admin port 127.0.0.1:${taken} is taken.`,
    ]);
    expect(new URL(serve({}, { port, portGiven: true }).url).port).toBe(String(port));
  });
});

describe("the Unix socket", () => {
  const over = (socket: string, path: string, init: RequestInit = {}) =>
    fetch(`http://localhost${path}`, { ...init, unix: socket });

  test("takes all, whatever the Host says, and is its user's alone", async () => {
    const path = join(folder, "admin.sock");
    const server = serve({}, { socket: path, host: "0.0.0.0", token: TOKEN });
    expect(server.socket).toBe(path);
    expect((await over(path, "/v1/status", { headers: { host: "anything" } })).status).toBe(200);
    expect((await over(path, "/v1/reload", { method: "POST" })).status).toBe(200);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await server.stop();
    expect(existsSync(path)).toBe(false);
  });

  test("takes the place of one that was left behind", async () => {
    const path = join(folder, "left.sock");
    writeFileSync(path, "");
    serve({}, { socket: path });
    expect((await over(path, "/healthz")).status).toBe(200);
  });

  test("that cannot be had is warned of; the port is there all the same", async () => {
    const server = serve({}, { socket: join(folder, "x".repeat(120)) });
    expect(server.socket).toBe("");
    expect(logged.map(({ event }) => event)).toContain("admin.no_socket");
    expect((await ask(server, "/healthz")).status).toBe(200);
  });
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

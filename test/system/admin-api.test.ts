/** The admin API of a real platform against docs/openapi.json: every route answers as it is declared, and there is no other. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { misfits } from "../../src/admin/check.ts";
import type { Routes } from "../../src/admin/routes.ts";
import type { JsonSchema } from "../../src/admin/schema.ts";
import { readEvents } from "../../src/base/event-source.ts";
import type { EventReport } from "../../src/model/event.ts";
import type { StatusReport } from "../../src/model/instance.ts";
import {
  command,
  eventually,
  freePort,
  Headrace,
  PATIENCE_MS,
  PYTHON,
  ROOT,
  scratchFolder,
  soon,
} from "./harness.ts";

setDefaultTimeout(PATIENCE_MS * 4);

interface Content {
  readonly schema: JsonSchema;
  /** Of a stream: what each event holds. */
  readonly "x-event-data"?: JsonSchema;
}
interface Operation {
  readonly operationId: keyof Routes;
  readonly responses: Readonly<Record<string, { readonly content: Readonly<Record<string, Content>> }>>;
}
interface Document extends JsonSchema {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}
const openapi = JSON.parse(readFileSync(join(ROOT, "docs/openapi.json"), "utf8")) as Document;

/** How a route is called so that it does what it is there for. */
interface Example {
  readonly params?: () => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

const WEB = { params: () => ({ service: "web" }) };
const ANY_INSTANCE = { params: async () => ({ instance: (await web()).instances[0]!.id }) };

/** One for every route: a route without one does not compile. */
const examples: Readonly<Record<keyof Routes, Example>> = {
  health: {},
  readiness: {},
  metrics: {},
  status: {},
  services: {},
  serviceDecisions: WEB,
  deploy: WEB,
  revisions: WEB,
  traffic: WEB,
  setTraffic: { ...WEB, body: { tags: [{ tag: "blue", revision: "rev-1" }] } },
  rollback: WEB,
  decisions: {},
  events: { query: { follow: "false" } },
  logs: { query: { service: "web", tail: "5", since: "1" } },
  reload: {},
  restartService: WEB,
  stopService: { params: () => ({ service: "jobs" }) },
  startService: { params: () => ({ service: "jobs" }) },
  stop: {},
  stacks: ANY_INSTANCE,
  restartInstance: ANY_INSTANCE,
};

const scratch = scratchFolder();
let headrace: Headrace;

const APP = `
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
`;

beforeAll(async () => {
  const [port, adminPort] = [await freePort(), await freePort()];
  for (const name of ["web", "jobs", "broken"]) writeFileSync(join(scratch.path, `${name}.py`), APP);
  const file = join(scratch.path, "headrace.yaml");
  writeFileSync(
    file,
    `
listen: { port: ${port} }
admin: { port: ${adminPort} }
gateways: 1
logs: { access: off, format: json }
services:
  web: { app: web.py, python: ${PYTHON}, scale: { min: 1, max: 2 }, resources: { memory: 1Gi } }
  jobs: { app: jobs.py, python: ${PYTHON}, route: { path: /jobs } }
  broken: { app: broken.py, python: ${PYTHON}, route: { path: /broken } }
`,
  );
  headrace = await Headrace.up(file, { port, adminPort }, { XDG_RUNTIME_DIR: scratch.path });
  // From now on it cannot be deployed.
  writeFileSync(join(scratch.path, "broken.py"), "raise RuntimeError('no')\n");
  await (await headrace.fetch("/")).text();
  await eventually("a decision", async () => {
    const decisions = await fetch(`${headrace.adminUrl}/v1/services/web/decisions`);
    return ((await decisions.json()) as unknown[]).length > 0 ? true : undefined;
  });
});
afterAll(async () => {
  await headrace.stop();
  scratch[Symbol.dispose]();
});

async function web(): Promise<StatusReport> {
  const all = (await (await fetch(`${headrace.adminUrl}/v1/services`)).json()) as StatusReport[];
  return all.find(({ service }) => service === "web")!;
}

const operations = Object.entries(openapi.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);

/** What is wrong with an answer, by the description. */
async function wrongWith(operation: Operation, response: Response): Promise<readonly string[]> {
  const declared = operation.responses[String(response.status)];
  const text = await response.text();
  if (declared === undefined) return [`status ${response.status} is not declared: ${text}`];
  const type = (response.headers.get("content-type") ?? "").split(";")[0]!.trim();
  const content = declared.content[type];
  if (content === undefined) return [`content type ${type} is not declared`];
  const data = content["x-event-data"];
  if (data !== undefined) {
    const events = await Array.fromAsync(readEvents(new Response(text).body!));
    if (events.length === 0) return ["there are no events"];
    return events.flatMap((event) => misfits(data, JSON.parse(event.data), { root: openapi, closed: true }));
  }
  const value: unknown = type === "application/json" ? JSON.parse(text) : text;
  return misfits(content.schema, value, { root: openapi, closed: true });
}

function filled(path: string, params: Readonly<Record<string, string>>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? "no-such"));
}

async function call(
  { path, method, operation }: (typeof operations)[number],
  valid: boolean,
): Promise<Response> {
  const example = examples[operation.operationId];
  const params = valid ? await example.params?.() : {};
  const query = new URLSearchParams(example.query).toString();
  const json = { body: JSON.stringify(example.body), headers: { "content-type": "application/json" } };
  return fetch(`${headrace.adminUrl}${filled(path, params ?? {})}${query === "" ? "" : `?${query}`}`, {
    method,
    ...(example.body === undefined ? {} : json),
  });
}

async function answersAsDeclared(operation: (typeof operations)[number]): Promise<void> {
  const response = await call(operation, true);
  expect(response.status).toBe(200);
  expect(await wrongWith(operation.operation, response)).toEqual([]);
}

describe("docs/openapi.json", () => {
  test("describes every route that is called here", () => {
    expect(operations.map(({ operation }) => operation.operationId).sort()).toEqual(
      (Object.keys(examples) as (keyof Routes)[]).sort(),
    );
  });

  for (const operation of operations) {
    const name = `${operation.method} ${operation.path}`;
    // Whatever else there is to ask comes before it.
    if (operation.operation.operationId !== "stop")
      test(`${name} answers as declared`, () => answersAsDeclared(operation));

    if (operation.path.includes("{"))
      test(`${name}, of what there is not`, async () => {
        const response = await call(operation, false);
        expect(response.status).toBe(404);
        expect(await wrongWith(operation.operation, response)).toEqual([]);
      });

    if (operation.path.startsWith("/v1/"))
      test(`${name} takes no parameters but its own`, async () => {
        const path = filled(operation.path, {});
        const response = await fetch(`${headrace.adminUrl}${path}?no_such=1`, { method: operation.method });
        expect(response.status).toBe(400);
        expect(await wrongWith(operation.operation, response)).toEqual([]);
      });

    test(`${name} refuses web pages`, async () => {
      const headers = { origin: "http://evil.test" };
      const response = await fetch(`${headrace.adminUrl}${filled(operation.path, {})}`, {
        method: operation.method,
        headers,
      });
      expect(response.status).toBe(403);
      expect(await wrongWith(operation.operation, response)).toEqual([]);
    });
  }

  test("an action that fails", async () => {
    const response = await fetch(`${headrace.adminUrl}/v1/services/broken/deploy`, { method: "POST" });
    expect(response.status).toBe(422);
    const { operation } = operations.find(({ path }) => path.endsWith("/deploy"))!;
    expect(await wrongWith(operation, response)).toEqual([]);
  });

  test("there is no other method", async () => {
    for (const [path, methods] of Object.entries(openapi.paths)) {
      const declared = Object.keys(methods).map((method) => method.toUpperCase());
      for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
        if (declared.includes(method)) continue;
        const response = await fetch(headrace.adminUrl + filled(path, {}), { method });
        const allow = response.headers.get("allow");
        expect([method, path, response.status, allow]).toEqual([method, path, 405, declared.join(", ")]);
      }
    }
  });

  test("there is no other path", async () => {
    const near = operations.flatMap(({ path }) => [
      `${filled(path, {})}/`,
      `${filled(path, {})}/more`,
      `/v2${filled(path, {})}`,
    ]);
    for (const path of ["/", "/v1", "/v1/", "/openapi.json", ...near]) {
      const response = await fetch(headrace.adminUrl + path);
      expect([path, response.status]).toEqual([path, 404]);
    }
  });
});

describe("headrace events", () => {
  const env = () => ({ XDG_RUNTIME_DIR: scratch.path });

  async function shown(args: readonly string[]): Promise<readonly EventReport[]> {
    const { stdout, status } = await command(["events", "--json", ...args], { env: env() });
    expect(status).toBe(0);
    return stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as EventReport);
  }

  test("tells of starts, crashes, deploys and failures, of one service or of all", async () => {
    // One that was replaced just now may still be there.
    const instances = (await web()).instances.filter(({ state }) => state === "ready");
    process.kill(instances[0]!.pid, "SIGKILL");
    await command(["deploy", "jobs"], { env: env() });
    await command(["deploy", "broken"], { env: env() });
    const crash = await eventually("the crash", async () =>
      (await shown(["--service", "web"])).find(
        ({ event, fields }) => event === "instance.crashed" && fields["pid"] === instances[0]!.pid,
      ),
    );
    expect(crash.fields).toMatchObject({ instance: instances[0]!.id, exit_signal: "SIGKILL" });
    const all = await shown([]);
    const told = (event: string, service: string) =>
      all.some((one) => one.event === event && one.fields["service.name"] === service);
    for (const [event, service] of [
      ["instance.started", "jobs"],
      ["instance.ready", "jobs"],
      ["instance.state", "web"],
    ] as const)
      expect([event, service, told(event, service)]).toEqual([event, service, true]);
    expect(
      all.some(({ event, message }) => event === "platform.applied" && message.endsWith(" of jobs")),
    ).toBe(true);
    const failed = all.find(({ event }) => event === "platform.apply_failed");
    expect(failed?.message).toMatch(
      /^rev-\d+ of broken did not start, nothing has changed: .*RuntimeError: no/,
    );
    expect(String(failed?.fields["traceback"])).toContain("broken.py");
    expect((await shown(["--service", "web"])).every(({ fields }) => fields["service.name"] === "web")).toBe(
      true,
    );
    expect((await shown(["--tail", "3"])).map(({ id }) => id)).toEqual(all.slice(-3).map(({ id }) => id));
  });

  test("is for people, too", async () => {
    const { stdout } = await command(["events", "--admin", headrace.adminUrl, "--service", "web"], {
      env: env(),
    });
    expect(stdout).toMatch(/^\d\d:\d\d:\d\d\.\d{3} info {2}i-\w+ is ready after \d+ ms/m);
  });

  test("says what is wrong", async () => {
    const nowhere = await command(["events", "--admin", `127.0.0.1:${await freePort()}`], { env: env() });
    expect([nowhere.status, nowhere.stderr]).toEqual([
      1,
      expect.stringMatching(/^headrace: 127\.0\.0\.1:\d+ cannot be reached \(\w+\)\.\n$/),
    ]);
    const nonsense = await command(["events", "--admin", "what is this"], { env: env() });
    expect([nonsense.status, nonsense.stderr]).toEqual([
      2,
      "headrace: --admin what is this is no address. Write http://HOST:PORT or unix:/PATH.\n",
    ]);
  });
});

// The last one: nothing runs after it.
test("POST /v1/stop answers as declared, and then all is down", async () => {
  await answersAsDeclared(operations.find(({ operation }) => operation.operationId === "stop")!);
  expect(await soon("the exit", headrace.exit)).toEqual({ status: 0, signal: null });
});

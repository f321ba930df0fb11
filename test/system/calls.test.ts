/** Services call each other by name; nobody else can. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import type { StatusReport } from "../../src/model/instance.ts";
import { type Answer, ask, RawClient, values } from "./client.ts";
import { APPS, eventually, freePort, Headrace, PATIENCE_MS, PYTHON, scratchFolder } from "./harness.ts";
import { Load } from "./load.ts";
import { Stage } from "./stage.ts";

setDefaultTimeout(PATIENCE_MS * 2);

const CALLS = join(APPS, "calls.py");
const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/** `callee` and `function` have no route of their own: `caller` has all. */
const SERVICES = `
  caller: { <<: *all, app: "${CALLS}:app", route: { path: / }, priority: [ /bulk=bulk ] }
  fn: { <<: *all, function: "${CALLS}:function", route: { path: /function } }
  callee: { <<: *all, app: "${CALLS}:callee", instances: 2 }
`;

class World {
  readonly folder = scratchFolder();
  readonly file = join(this.folder.path, "headrace.yaml");
  private constructor(readonly ports: { readonly port: number; readonly adminPort: number }) {}

  static async make(): Promise<World> {
    return new World({ port: await freePort(), adminPort: await freePort() });
  }

  write(services: string, host = "127.0.0.1"): void {
    const { port, adminPort } = this.ports;
    writeFileSync(
      this.file,
      `
listen: { port: ${port}, host: ${host} }
admin: { port: ${adminPort} }
gateways: 2
logs: { access: off, format: json }
x-all: &all { python: ${PYTHON}, drainTimeout: 10s }
services:${services}`,
    );
  }

  async up(stage: Stage, host?: string): Promise<Headrace> {
    this.write(SERVICES, host);
    return Headrace.up(this.file, this.ports, stage.env);
  }

  [Symbol.dispose](): void {
    this.folder[Symbol.dispose]();
  }
}

interface Called {
  readonly status: number;
  readonly reason: string;
  readonly body: {
    readonly service: string;
    readonly path: string;
    readonly query: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly left: number | null;
  };
}

const call = async (headrace: Headrace, target: string, head: readonly string[] = []): Promise<Called> =>
  JSON.parse((await ask(headrace.port, "GET", target, head)).body.toString());

const env = async (headrace: Headrace): Promise<Record<string, string>> =>
  JSON.parse((await ask(headrace.port, "GET", "/env")).body.toString());

/** A request with this host and no other. */
async function askHost(port: number, host: string, target: string): Promise<Answer> {
  using client = await RawClient.open(port);
  return await client.send(`GET ${target} HTTP/1.1\r\nhost: ${host}\r\n\r\n`).answer();
}

const portIn = (url: string | undefined) => Number(new URL(url!).port);

describe("a service is called by its name", () => {
  test("by a plain URL, by its host, by the SDK; by apps and by functions", async () => {
    using stage = await Stage.open();
    using world = await World.make();
    await using headrace = await world.up(stage);
    const path = encodeURIComponent("/a%20b/c?d=e");
    for (const how of ["plain", "host", "sdk"]) {
      const { status, body } = await call(headrace, `/x?service=callee&how=${how}&path=${path}`);
      expect([status, body.service, body.path, body.query]).toEqual([200, "callee", "/a b/c", "d=e"]);
    }
    const fromFunction = JSON.parse((await ask(headrace.port, "GET", "/function")).body.toString());
    expect(fromFunction).toMatchObject({ service: "callee", path: "/from-function" });
    // As a proxy, for programs that only know names.
    const shared = portIn((await env(headrace))["HEADRACE_URL"]);
    const answer = await askHost(shared, "callee.internal", "http://callee.internal/proxied");
    expect([answer.status, JSON.parse(answer.body.toString()).path]).toEqual([200, "/proxied"]);
  });

  test("with the deadline, the trace and the class of the request that it is for", async () => {
    using stage = await Stage.open();
    using world = await World.make();
    await using headrace = await world.up(stage);
    const head = [`traceparent: ${TRACE}`, "tracestate: a=b", "x-request-timeout: 20"];
    const { body } = await call(headrace, "/bulk?service=callee", head);
    expect(body.headers).toMatchObject({
      traceparent: TRACE,
      tracestate: "a=b",
      "headrace-priority": "bulk",
    });
    expect(Number(body.headers["x-request-timeout"])).toBeWithin(0.001, 20.001);
    expect(body.left!).toBeWithin(0.001, 20.001);
    const plain = await call(headrace, "/x?service=callee", head);
    expect(plain.body.headers).not.toHaveProperty("headrace-priority");
    // Who does not ask for it sends nothing along.
    const bare = await call(headrace, "/bulk?service=callee&how=plain", head);
    for (const name of ["traceparent", "x-request-timeout", "headrace-priority"])
      expect(bare.body.headers).not.toHaveProperty(name);
  });

  test("and what waits there too long is over when its caller's time is", async () => {
    using stage = await Stage.open();
    using world = await World.make();
    await using headrace = await world.up(stage);
    // Its own time, and that of the service, would be five minutes.
    const late = ask(headrace.port, "GET", "/x?service=callee&path=/stage", ["x-request-timeout: 400ms"]);
    const callee = await stage.begun("callee");
    expect((await late).status).toBe(504);
    // The caller's and the callee's, each counted with its own service.
    await eventually("both to be over their time", async () => {
      const refused = /^headrace_\w+\{([^}]*HR_DEADLINE[^}]*)\} 1$/gm;
      const labels = [...(await headrace.metrics()).matchAll(refused)].map(([, text]) => text!);
      return ["caller", "callee"].every((name) => labels.some((text) => text.includes(`service="${name}"`)))
        ? true
        : undefined;
    });
    callee.tell("go");
  });
});

describe("from outside", () => {
  test("a service without a route is not reached, by no name and no address", async () => {
    using stage = await Stage.open();
    using world = await World.make();
    const outer = Object.values(networkInterfaces())
      .flat()
      .find((address) => address?.family === "IPv4" && !address.internal)?.address;
    await using headrace = await world.up(stage, "0.0.0.0");
    // caller has all paths and takes them for its own.
    const known = await env(headrace);
    for (const [host, target] of [
      ["callee.internal", "/env"],
      ["callee.internal:80", "/env"],
      ["callee.internal", "http://callee.internal/env"],
    ] as const) {
      const own = JSON.parse((await askHost(headrace.port, host, target)).body.toString());
      expect(own).toEqual(known);
    }
    // The ports of services are on loopback only.
    for (const url of Object.values(known)) {
      expect(new URL(url).hostname).toBe("127.0.0.1");
      if (outer === undefined) continue;
      const refused = await fetch(`http://${outer}:${portIn(url)}/`).then(
        () => "reached",
        () => "refused",
      );
      expect(refused).toBe("refused");
    }
    // A page in a browser here that has its own name point at loopback.
    for (const url of Object.values(known)) {
      const rebound = await askHost(portIn(url), "evil.test", "/");
      expect([rebound.status, values(rebound, "headrace-reason")]).toEqual([404, ["HR_NO_ROUTE"]]);
    }
    const shared = portIn(known["HEADRACE_URL"]);
    expect((await askHost(shared, "else.internal", "/")).status).toBe(404);
    expect((await askHost(shared, "127.0.0.1", "/")).status).toBe(404);
  });

  test("the class that a service would carry over is not believed", async () => {
    using stage = await Stage.open();
    using world = await World.make();
    await using headrace = await world.up(stage);
    const { body } = await call(headrace, "/x?service=callee", ["headrace-priority: critical"]);
    expect(body.headers).not.toHaveProperty("headrace-priority");
    const bulk = await call(headrace, "/bulk?service=callee", ["headrace-priority: critical"]);
    expect(bulk.body.headers["headrace-priority"]).toBe("bulk");
  });
});

describe("while the world changes", () => {
  test("calls by name go on: a gateway dies, a service is deployed, another one comes and goes", async () => {
    using stage = await Stage.open();
    using world = await World.make();
    await using headrace = await world.up(stage);
    const before = await env(headrace);
    const { gateways } = await headrace.status();
    process.kill(gateways[0]!.pid, "SIGKILL");
    await eventually("a new gateway", async () => {
      const now = (await headrace.status()).gateways.filter(({ state }) => state === "ready");
      return now.length === 2 && now.every(({ pid }) => pid !== gateways[0]!.pid) ? true : undefined;
    });
    for (let n = 0; n < 10; n++) expect((await call(headrace, "/x?service=callee")).status).toBe(200);
    expect(await env(headrace)).toEqual(before);

    const load = new Load(headrace.port, 4, () => "/x?service=callee");
    world.write(`${SERVICES}  late: { <<: *all, app: "${CALLS}:callee" }\n`);
    headrace.signal("SIGHUP");
    const ready = async (name: string) => {
      const all = (await (await fetch(`${headrace.adminUrl}/v1/services`)).json()) as StatusReport[];
      return all.some(({ service, ready }) => service === name && ready);
    };
    await eventually("the late one", async () => ((await ready("late")) ? true : undefined));
    // Those that run learn its address with their next revision; its name they can use at once.
    const named = await call(headrace, "/x?service=late&how=host");
    expect([named.status, named.body.service]).toEqual([200, "late"]);
    world.write(SERVICES);
    process.kill(headrace.pid, "SIGHUP");
    await eventually("it to be gone", async () => ((await ready("late")) ? undefined : true));
    expect((await call(headrace, "/x?service=late&how=host")).status).toBe(404);
    await load.stop();
    expect(load.wrong).toEqual([]);
    process.kill(headrace.pid, "SIGTERM");
    expect((await headrace.exit).status).toBe(0);
  });

  test("a request that Headrace waits for as it stops can still call", async () => {
    using stage = await Stage.open();
    using world = await World.make();
    await using headrace = await world.up(stage);
    const last = call(headrace, "/x?service=callee&stage=caller");
    const caller = await stage.begun("caller");
    headrace.signal("SIGTERM");
    await headrace.output.waitFor("platform.stopping");
    caller.tell("go");
    expect((await last).body.service).toBe("callee");
  });
});

test("headrace run: the one service there is can be called by its name", async () => {
  await using headrace = await Headrace.start(`${CALLS}:app`, { args: ["--service", "shop"] });
  const { HEADRACE_SERVICE_SHOP_URL: own, HEADRACE_URL: shared } = await env(headrace);
  expect(await (await fetch(`${own}/env`)).json()).toEqual(await env(headrace));
  expect((await askHost(portIn(shared), "shop.internal", "/env")).status).toBe(200);
});

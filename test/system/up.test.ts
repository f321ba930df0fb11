/** Many services from one file, through the command and HTTP only. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StatusReport } from "../../src/model/instance.ts";
import { ask, values } from "./client.ts";
import {
  APPS,
  command,
  eventually,
  freePort,
  Headrace,
  PATIENCE_MS,
  PYTHON,
  scratchFolder,
} from "./harness.ts";
import { Load } from "./load.ts";

setDefaultTimeout(PATIENCE_MS * 4);

/** Answers who it is, and what it was asked for. */
const app = (version: string) => `
import os
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = " ".join(["${version}", scope["root_path"] + "|" + scope["path"], os.environ.get("TOKEN", "-")]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})
`;

const folder = scratchFolder();
const notes = scratchFolder();
const noted = { XDG_RUNTIME_DIR: notes.path };
afterAll(() => {
  folder[Symbol.dispose]();
  notes[Symbol.dispose]();
});

let count = 0;

/** A folder with apps, and a file that serves them. */
class World {
  readonly folder = join(folder.path, String(count++));
  readonly file = join(this.folder, "headrace.yaml");
  readonly ports: { readonly port: number; readonly adminPort: number };

  private constructor(ports: { port: number; adminPort: number }) {
    this.ports = ports;
    mkdirSync(this.folder);
    for (const name of ["one", "two"]) this.app(name, `${name} v1`);
    this.write("/two");
  }

  static async make(): Promise<World> {
    return new World({ port: await freePort(), adminPort: await freePort() });
  }

  app(name: string, version: string): void {
    writeFileSync(join(this.folder, `${name}.py`), app(version));
  }

  write(two: string, more = ""): void {
    writeFileSync(
      this.file,
      `
name: world-${this.ports.port}
listen: { port: ${this.ports.port} }
admin: { port: ${this.ports.adminPort} }
gateways: 2
logs: { access: off, format: json }
x-all: &all { python: ${PYTHON}, drainTimeout: 10s }
services:
  one:
    <<: *all
    app: one.py
    env: { TOKEN: "secret:env/ONE_TOKEN" }
    route: { path: / }
  deep:
    <<: *all
    app: one.py
    route: { host: "*.one.test", path: /deep, strip: true }
  two:
    <<: *all
    app: two.py
    instances: 2
    route: { path: ${two} }
redirects: { path: /old, to: /two/* }
${more}`,
    );
  }

  rename(name: string): void {
    writeFileSync(this.file, readFileSync(this.file, "utf8").replace(/^name: .*$/m, `name: ${name}`));
  }

  up(): Promise<Headrace> {
    return Headrace.up(this.file, this.ports, { ...noted, ONE_TOKEN: "hunter2-the-secret" });
  }
}

const body = async (headrace: Headrace, path: string, head: readonly string[] = []) =>
  (await ask(headrace.port, "GET", path, head)).body.toString();

async function service(headrace: Headrace, name: string): Promise<StatusReport> {
  const all = (await (await fetch(`${headrace.adminUrl}/v1/services`)).json()) as StatusReport[];
  return all.find((status) => status.service === name)!;
}

describe("headrace up", () => {
  test("serves each service at its routes, redirects, and says 404 where there is none", async () => {
    const world = await World.make();
    await using headrace = await world.up();
    expect(await body(headrace, "/")).toBe("one v1 |/ hunter2-the-secret");
    expect(await body(headrace, "/two/x")).toBe("two v1 |/two/x -");
    expect(await body(headrace, "/twofold")).toStartWith("one v1");
    expect(await body(headrace, "http://a.one.test/deep/x")).toBe("one v1 /deep|/deep/x -");
    const moved = await ask(headrace.port, "GET", "/old/shoe?size=9");
    expect([moved.status, values(moved, "location")]).toEqual([308, ["/two/shoe?size=9"]]);
    const metrics = await headrace.metrics();
    expect(metrics).toContain('headrace_requests_total{service="two",revision="rev-1",code="200"} 1');
    expect(metrics).toContain('headrace_requests_total{code="308"} 1');
    const ps = await command(["ps", "--json"], { env: noted });
    const shown = JSON.parse(ps.stdout) as { service: string; revision: string }[];
    expect(shown.map(({ service, revision }) => [service, revision])).toEqual([
      ["one", "rev-1"],
      ["deep", "rev-1"],
      ["two", "rev-1"],
    ]);
    const status = await (await fetch(`${headrace.adminUrl}/v1/services`)).text();
    for (const text of [headrace.output.text, ps.stdout, status, metrics])
      expect(text).not.toContain("hunter2");
  });

  test("loads a service anew by headrace deploy, under load, without a request that fails", async () => {
    const world = await World.make();
    await using headrace = await world.up();
    const load = new Load(headrace.port, 8, () => "/two");
    for (let version = 2; version <= 5; version++) {
      world.app("two", `two v${version}`);
      const { stdout, status } = await command(["deploy", "two", "--name", `world-${world.ports.port}`], {
        env: noted,
      });
      expect([stdout, status]).toEqual([`two serves rev-${version}.\n`, 0]);
      expect(await body(headrace, "/two")).toStartWith(`two v${version} `);
    }
    await load.stop();
    expect(load.wrong).toEqual([]);
    expect([...load.bodies].map((text) => text.slice(0, 6)).sort()).toEqual([
      "two v1",
      "two v2",
      "two v3",
      "two v4",
      "two v5",
    ]);
    expect((await service(headrace, "two")).revision).toBe("rev-5");
    const unknown = await command(["deploy", "three", "--name", `world-${world.ports.port}`], { env: noted });
    expect([unknown.status, unknown.stderr]).toEqual([
      2,
      "headrace: There is no service of this name. headrace ps lists them.\n",
    ]);
  });

  test("applies a changed file on SIGHUP: routes at once, and nothing of a file that is wrong", async () => {
    const world = await World.make();
    await using headrace = await world.up();
    const load = new Load(headrace.port, 4, () => "/");
    world.write("/second");
    process.kill(headrace.pid, "SIGHUP");
    await eventually("the new route", async () =>
      (await body(headrace, "/second")).startsWith("two v1") ? true : undefined,
    );
    expect(await body(headrace, "/two")).toStartWith("one v1");
    // The service itself has not changed.
    expect((await service(headrace, "two")).revision).toBe("rev-1");

    world.write("/third", "services2: {}\n");
    process.kill(headrace.pid, "SIGHUP");
    await eventually("the complaint", () =>
      headrace.output.text.includes("services2: There is no such key. Write services.") ? true : undefined,
    );
    expect(await body(headrace, "/second")).toStartWith("two v1");

    world.app("two", "two v2");
    writeFileSync(join(world.folder, "two.py"), "raise RuntimeError('broken')\n");
    const broken = await command(["deploy", "two", "--name", `world-${world.ports.port}`], { env: noted });
    expect(broken.status).toBe(1);
    expect(await body(headrace, "/second")).toStartWith("two v1");
    await load.stop();
    expect(load.wrong).toEqual([]);
  });

  test("is stopped by headrace down, which waits for it", async () => {
    const world = await World.make();
    const headrace = await world.up();
    const { stdout, status } = await command(["down", "--name", `world-${world.ports.port}`], { env: noted });
    expect([stdout, status]).toEqual([`world-${world.ports.port} is down.\n`, 0]);
    expect(await headrace.exit).toEqual({ status: 0, signal: null });
    await headrace.nothingLeft();
    const again = await command(["down", "--name", `world-${world.ports.port}`], { env: noted });
    expect([again.status, again.stderr]).toEqual([
      2,
      `headrace: No world-${world.ports.port} of this user runs here.\n`,
    ]);
  });

  test("is stopped by its admin API, one of two of the same name, and headrace down waits for it", async () => {
    const [one, two] = [await World.make(), await World.make()];
    for (const world of [one, two]) world.rename("twins");
    const [first, second] = [await one.up(), await two.up()];
    const unclear = await command(["down", "--name", "twins"], { env: noted });
    expect(unclear.status).toBe(2);
    for (const { adminUrl, pid } of [first, second])
      expect(unclear.stderr).toContain(`twins (pid ${pid}, ${adminUrl})`);
    expect(unclear.stderr).toEndWith("Say which one with --admin.\n");
    // Nor are the kept lines shown as if nothing ran.
    const logs = await command(["logs", "--name", "twins"], { env: noted });
    expect([logs.status, logs.stdout, logs.stderr]).toEqual([2, "", unclear.stderr]);
    const ps = await command(["ps", "--json", "--name", "twins"], { env: noted });
    const urls = (JSON.parse(ps.stdout) as { adminUrl: string }[]).map(({ adminUrl }) => adminUrl);
    expect(new Set(urls)).toEqual(new Set([first.adminUrl, second.adminUrl]));
    const load = new Load(first.port, 4, () => "/");
    const down = await command(["down", "--admin", second.adminUrl], { env: noted });
    expect([down.stderr, down.stdout, down.status]).toEqual(["", `${second.adminUrl} is down.\n`, 0]);
    expect(await second.exit).toEqual({ status: 0, signal: null });
    await second.nothingLeft();
    await load.stop();
    expect(load.wrong).toEqual([]);
    expect((await fetch(`${first.adminUrl}/v1/stop`, { method: "POST" })).status).toBe(200);
    expect(await first.exit).toEqual({ status: 0, signal: null });
    await first.nothingLeft();
  });

  test("does not start on a port that is taken: it says by whom, and which key is another", async () => {
    const [one, two] = [await World.make(), await World.make()];
    one.rename("first");
    await using headrace = await one.up();
    const start = async (port: number, adminPort: number) => {
      const file = "services: { one: { app: one.py } }\n";
      writeFileSync(two.file, `listen: { port: ${port} }\nadmin: { port: ${adminPort} }\n${file}`);
      const { status, stderr } = await command(["up", "-f", two.file], { env: noted });
      return [status, stderr.split("\n").at(-2)];
    };
    const { port, adminPort } = one.ports;
    const who = `It is headrace first (pid ${headrace.pid}).`;
    expect(await start(port, two.ports.adminPort)).toEqual([
      2,
      `headrace: Port ${port} on 127.0.0.1 is taken by another program. ${who} Stop that program, or choose another port with listen.port.`,
    ]);
    expect(await start(two.ports.port, adminPort)).toEqual([
      2,
      `headrace: The admin port 127.0.0.1:${adminPort} is taken. ${who} Write another admin.port, 0 for a free one, or admin.enabled: false.`,
    ]);
    const status = await service(headrace, "one");
    await command(["deploy", "one", "--name", "first"], { env: noted });
    // Of what runs, not of the revision.
    expect((await service(headrace, "one")).uptimeMs).toBeGreaterThan(status.uptimeMs);
  });

  test("listens where the environment says, if the file does not", async () => {
    const world = await World.make();
    writeFileSync(world.file, `services: { one: { app: one.py, python: ${PYTHON} } }\n`);
    const { port, adminPort } = world.ports;
    await using headrace = await Headrace.up(world.file, world.ports, {
      ...noted,
      PORT: "1",
      HEADRACE_PORT: String(port),
      HEADRACE_ADMIN_PORT: String(adminPort),
    });
    expect(await body(headrace, "/x")).toBe("one v1 |/x -");
    expect((await service(headrace, "one")).service).toBe("one");
  });

  test("does not start with a file that is wrong, and says all of it with line and column", async () => {
    const world = await World.make();
    writeFileSync(world.file, "services:\n  one:\n    app: gone.py\n    timeout: soon\n");
    const { status, stderr } = await command(["up", "-f", world.file], { env: noted });
    expect(status).toBe(2);
    expect(stderr).toContain("2 problems, nothing was started");
    expect(stderr).toContain("line 3, column 5: There is no app gone.py.");
    expect(stderr).toContain('line 4, column 14: "soon" cannot be used.');
  });

  test("does not start without a module, an attribute or a secret, and says which, all at once", async () => {
    const world = await World.make();
    const services = `services:
  one: { app: one.py, route: { path: / }, env: { A: "secret:env/NOT_THERE" } }
  two: { app: "two:ap", route: { path: /two } }
  three: { app: "two.three:app", route: { path: /three } }
`;
    writeFileSync(world.file, services);
    const { status, stderr } = await command(["up", "-f", world.file], { env: noted });
    expect(status).toBe(2);
    expect(stderr).toContain("3 problems, nothing was started");
    expect(stderr).toContain("line 2, column 50: A is secret:env/NOT_THERE, and that variable is not set.");
    expect(stderr).toContain("line 3, column 10: two has no ap. Write two:app.");
    expect(stderr).toContain("line 4, column 12: There is no module two.three.");
  });
});

test("a service that is busy does not hold up another", async () => {
  const world = await World.make();
  writeFileSync(
    world.file,
    `
listen: { port: ${world.ports.port} }
admin: { port: ${world.ports.adminPort} }
logs: { access: off, format: json }
services:
  slow: { app: ${join(APPS, "knee.py")}, python: ${PYTHON}, concurrency: 1, line: { depth: 1000 }, route: { path: /slow } }
  quick: { app: one.py, python: ${PYTHON}, route: { path: / } }
`,
  );
  await using headrace = await world.up();
  const load = new Load(headrace.port, 50, () => "/slow");
  await eventually("a line", async () =>
    (await service(headrace, "slow")).line.waiting > 20 ? true : undefined,
  );
  for (let n = 0; n < 20; n++) expect(await body(headrace, "/")).toStartWith("one v1");
  expect((await service(headrace, "quick")).line.waiting).toBe(0);
  await load.stop();
  expect(load.wrong).toEqual([]);
});

/** headrace logs and headrace restart. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask } from "./client.ts";
import {
  command,
  eventually,
  freePort,
  Headrace,
  PATIENCE_MS,
  PYTHON,
  ROOT,
  scratchFolder,
} from "./harness.ts";
import { Load } from "./load.ts";

setDefaultTimeout(PATIENCE_MS * 4);

const scratch = scratchFolder();
afterAll(() => scratch[Symbol.dispose]());

const APP = `
import os, sys
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    if scope["path"].endswith("/say"):
        print("said", scope["query_string"].decode(), flush=True)
        print("complained", scope["query_string"].decode(), file=sys.stderr, flush=True)
    body = str(os.getpid()).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
`;

let count = 0;

class World {
  readonly folder = join(scratch.path, String(count++));
  readonly file = join(this.folder, "headrace.yaml");
  readonly env = { XDG_RUNTIME_DIR: join(this.folder, "run"), XDG_STATE_HOME: join(this.folder, "state") };

  private constructor(readonly ports: { port: number; adminPort: number }) {
    mkdirSync(this.folder);
    mkdirSync(this.env.XDG_RUNTIME_DIR);
    writeFileSync(join(this.folder, "app.py"), APP);
    writeFileSync(
      this.file,
      `
name: mill
listen: { port: ${ports.port} }
admin: { port: ${ports.adminPort} }
gateways: 1
logs: { access: off, format: json }
services:
  api: { app: app.py, python: ${PYTHON}, instances: 3, route: { path: / } }
  jobs: { app: app.py, python: ${PYTHON}, route: { path: /jobs, strip: true } }
`,
    );
  }

  static async make(): Promise<World> {
    return new World({ port: await freePort(), adminPort: await freePort() });
  }

  up(): Promise<Headrace> {
    return Headrace.up(this.file, this.ports, this.env);
  }

  logs(...args: string[]) {
    return command(["logs", ...args], { env: this.env });
  }
}

describe("headrace logs", () => {
  test("shows what a service wrote, from whom, and for how long back", async () => {
    const world = await World.make();
    await using headrace = await world.up();
    for (const n of [1, 2, 3]) await ask(headrace.port, "GET", `/say?${n}`);
    await ask(headrace.port, "GET", "/jobs/say?4");
    const api = await eventually("the lines", async () => {
      const { stdout } = await world.logs("api");
      return stdout.includes("said 3") && stdout.includes("complained 3") ? stdout : undefined;
    });
    expect(api).toMatch(/^\d\d:\d\d:\d\d\.\d{3} i-\w+ \| said 1$/m);
    expect(api).toMatch(/info {2}i-\w+ is ready after/);
    expect(api).not.toContain("said 4");
    const all = await eventually("those of the other", async () => {
      const { stdout } = await world.logs();
      return stdout.includes("said 4") ? stdout : undefined;
    });
    expect(all).toMatch(/ jobs i-\w+ \| said 4$/m);
    expect(all).toMatch(/ api i-\w+ \| said 3$/m);
    expect(all).toContain("The admin port listens on");
    expect((await world.logs("jobs", "--tail", "1")).stdout.trimEnd().split("\n").length).toBe(1);
    expect((await world.logs("jobs", "--tail", "0")).stdout).toBe("");
    const [line] = (await world.logs("jobs", "--json", "--since", "10m")).stdout
      .split("\n")
      .filter((text) => text.includes("said 4"));
    const { fields, ...rest } = JSON.parse(line!) as { message: string; fields: Record<string, string> };
    expect(rest).toMatchObject({ level: "info", event: "app.output", message: "said 4" });
    expect(fields).toMatchObject({ "service.name": "jobs", "log.iostream": "stdout" });
    const mine = await world.logs("--instance", fields["service.instance.id"]!);
    expect(mine.stdout).toContain("said 4");
    expect(mine.stdout).not.toContain("said 3");
    const unknown = await world.logs("nobody");
    expect([unknown.status, unknown.stderr]).toEqual([
      2,
      "headrace: There is no service of this name. headrace ps lists them.\n",
    ]);
    await headrace.stop();
  });

  test("-f goes on over crashes and over restarts of Headrace, and misses nothing", async () => {
    const world = await World.make();
    const first = await world.up();
    const follower = spawn(join(ROOT, "headrace"), ["logs", "-f", "jobs"], {
      env: { ...process.env, ...world.env, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    for (const stream of [follower.stdout, follower.stderr])
      stream.on("data", (chunk: Buffer) => {
        text += chunk.toString();
      });
    const seen = (what: string) => eventually(what, () => (text.includes(what) ? true : undefined));
    try {
      const say = (port: number, what: string) => ask(port, "GET", `/jobs/say?${what}`);
      const pid = (await ask(first.port, "GET", "/jobs/")).body.toString();
      await say(first.port, "before");
      await seen("said before");
      process.kill(Number(pid), "SIGKILL");
      await seen("crashed with signal SIGKILL");
      await eventually("another instance", async () => {
        const answer = await ask(first.port, "GET", "/jobs/");
        return answer.status === 200 && answer.body.toString() !== pid ? true : undefined;
      });
      await say(first.port, "after-the-crash");
      await seen("said after-the-crash");
      await first.stop();
      await seen("waiting for it to come back");
      await using second = await world.up();
      await say(second.port, "after-the-restart");
      await seen("said after-the-restart");
      expect(text.match(/said before/g)?.length).toBe(1);
      // The start of the second was over before the follower had found it.
      expect(text.match(/is ready after/g)?.length).toBe(3);
    } finally {
      const gone = new Promise((resolve) => follower.once("exit", resolve));
      follower.kill();
      await gone;
    }
  });

  test("shows the last lines of one that is gone, however it went", async () => {
    const world = await World.make();
    const headrace = await world.up();
    await ask(headrace.port, "GET", "/jobs/say?last-words");
    await eventually("the line", async () =>
      (await world.logs("jobs")).stdout.includes("said last-words") ? true : undefined,
    );
    await headrace.kill();
    const { stdout, stderr, status } = await world.logs("jobs");
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /^headrace: Nothing runs. These are the last lines of mill, until \d{4}-\d\d-\d\d /,
    );
    expect(stdout).toMatch(/^\d\d:\d\d:\d\d\.\d{3} i-\w+ \| said last-words$/m);
    const nobody = await world.logs("nobody");
    expect([nobody.status, nobody.stderr]).toEqual([2, "headrace: No Headrace of this user runs here.\n"]);
    expect((await world.logs("jobs", "--name", "other")).status).toBe(2);
  });

  test("keeps nothing when it is told so", async () => {
    await using headrace = await Headrace.start(join(scratch.path, "0", "app.py"), {
      args: ["--log-keep", "0", "--service", "silent"],
      env: { XDG_RUNTIME_DIR: scratch.path, XDG_STATE_HOME: join(scratch.path, "none") },
    });
    const shown = await command(["logs", "--admin", headrace.adminUrl], {});
    expect([shown.status, shown.stderr]).toEqual([
      2,
      "headrace: No log lines are kept: --log-keep is 0, or they cannot be written.\n",
    ]);
  });
});

describe("headrace restart", () => {
  test("replaces every instance, under load, without a request that fails", async () => {
    const world = await World.make();
    await using headrace = await world.up();
    const load = new Load(headrace.port, 8, () => "/");
    await eventually("all instances", () => (load.bodies.size === 3 ? true : undefined));
    const old = new Set(load.bodies);
    const { stdout, stderr, status } = await command(["restart", "api"], { env: world.env });
    expect([stderr, stdout, status]).toEqual(["", "The instances of api are replaced.\n", 0]);
    load.bodies.clear();
    await eventually("all new instances", () =>
      [...load.bodies].filter((pid) => !old.has(pid)).length === 3 ? true : undefined,
    );
    await load.stop();
    expect(load.wrong).toEqual([]);
    const unknown = await command(["restart", "nobody"], { env: world.env });
    expect([unknown.status, unknown.stderr]).toEqual([
      2,
      "headrace: There is no service of this name. headrace ps lists them.\n",
    ]);
    const missing = await command(["restart"], { env: world.env });
    expect([missing.status, missing.stderr]).toEqual([
      2,
      "headrace: A name is missing. Write headrace restart api.\n",
    ]);
  });
});

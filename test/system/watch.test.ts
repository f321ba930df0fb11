/** `headrace up --watch`, and SIGHUP, with files that cannot be applied: through the command and HTTP only. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask } from "./client.ts";
import { eventually, freePort, Headrace, PATIENCE_MS, PYTHON, scratchFolder } from "./harness.ts";

setDefaultTimeout(PATIENCE_MS * 4);

const scratch = scratchFolder();
afterAll(() => scratch[Symbol.dispose]());

let count = 0;

/** Two services, each in a folder of its own; what is written comes to the file as one. */
class World {
  readonly folder = join(scratch.path, String(count++));
  readonly file = join(this.folder, "headrace.yaml");
  readonly ports: { readonly port: number; readonly adminPort: number };

  private constructor(ports: { port: number; adminPort: number }) {
    this.ports = ports;
    for (const name of ["one", "two", "three"]) {
      mkdirSync(join(this.folder, name), { recursive: true });
      this.app(name, "v1");
    }
    this.write({});
  }

  static async make(): Promise<World> {
    return new World({ port: await freePort(), adminPort: await freePort() });
  }

  app(name: string, version: string, more = ""): void {
    this.#put(
      join(this.folder, name, "main.py"),
      `${more}
async def app(scope, receive, send):
    if scope["type"] == "http":
        body = b"${name} ${version}"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": body})
`,
    );
  }

  write(how: { readonly port?: number; readonly env?: string; readonly names?: readonly string[] }): void {
    const names = how.names ?? ["one", "two"];
    const env = how.env === undefined ? "" : `, env: { NEW: "${how.env}" }`;
    const service = (name: string) =>
      `  ${name}: { app: main.py, dir: ${name}, python: ${PYTHON}, route: { path: /${name} }${env} }`;
    this.#put(
      this.file,
      `
name: watched-${this.ports.port}
listen: { port: ${how.port ?? this.ports.port} }
admin: { port: ${this.ports.adminPort} }
gateways: 1
logs: { access: off, format: json }
services:
${names.map(service).join("\n")}
`,
    );
  }

  up(...flags: readonly string[]): Promise<Headrace> {
    const env = { XDG_RUNTIME_DIR: scratch.path };
    return Headrace.up(this.file, this.ports, env, ["--state-dir", join(this.folder, "state"), ...flags]);
  }

  /** Watchers never see half of it. */
  #put(path: string, text: string): void {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  }
}

const serves = (headrace: Headrace, name: string, text: string) =>
  eventually(`${text} at /${name}`, async () => {
    const { body } = await ask(headrace.port, "GET", `/${name}`);
    return body.toString() === text ? true : undefined;
  });

async function revisions(headrace: Headrace, name: string): Promise<readonly string[]> {
  const answer = await fetch(`${headrace.adminUrl}/v1/services/${name}/revisions`);
  return ((await answer.json()) as { revision: string }[]).map(({ revision }) => revision);
}

const REFUSED = {
  restart_needed: /apply_failed.*cannot be changed while Headrace runs/,
  secret_missing: /file_wrong.*NEW is secret:env\/NOT_SET, and that variable is not set/,
} as const;

describe("a file that is refused is told of in the log", () => {
  const changes = {
    SIGHUP: { flags: [], tell: (headrace: Headrace) => process.kill(headrace.pid, "SIGHUP") },
    "--watch": { flags: ["--watch"], tell: () => {} },
  } as const;
  for (const [way, { flags, tell }] of Object.entries(changes)) {
    test(`after ${way}`, async () => {
      const world = await World.make();
      await using headrace = await world.up(...flags);
      await headrace.output.waitFor("cli.serving");
      world.write({ port: world.ports.port + 1 });
      tell(headrace);
      await headrace.output.waitFor(REFUSED.restart_needed);
      world.write({ env: "secret:env/NOT_SET" });
      tell(headrace);
      await headrace.output.waitFor(REFUSED.secret_missing);
      expect(headrace.output.text).not.toContain("the file is applied");
      await serves(headrace, "one", "one v1");
      expect(await revisions(headrace, "one")).toEqual(["rev-1"]);
    });
  }
});

describe("headrace up --watch", () => {
  test("loads the services whose code changed, and only those", async () => {
    const world = await World.make();
    await using headrace = await world.up("--watch");
    await headrace.output.waitFor("cli.serving");
    world.app("one", "v2");
    await serves(headrace, "one", "one v2");
    // What is written as it was is another file and no other code.
    world.app("two", "v1");
    await headrace.output.waitFor(/platform\.unchanged.*two/);
    world.app("two", "v2");
    await serves(headrace, "two", "two v2");
    expect(await revisions(headrace, "one")).toEqual(["rev-2", "rev-1"]);
    expect(await revisions(headrace, "two")).toEqual(["rev-2", "rev-1"]);
    // The file has not changed, so it was not read again.
    expect(headrace.output.text).not.toContain("the file is read");
  });

  test("watches what the file adds, and nothing of what it leaves out", async () => {
    const world = await World.make();
    await using headrace = await world.up("--watch");
    await headrace.output.waitFor("cli.serving");
    world.write({ names: ["one", "three"] });
    await serves(headrace, "three", "three v1");
    world.app("two", "v2");
    world.app("three", "v2");
    await serves(headrace, "three", "three v2");
    world.app("three", "v3");
    await serves(headrace, "three", "three v3");
    expect(headrace.output.text).not.toMatch(/two.main\.py/);
  });

  test("many changes while a service starts make one revision more", async () => {
    const world = await World.make();
    await using headrace = await world.up("--watch");
    await headrace.output.waitFor("cli.serving");
    const gate = join(world.folder, "gate");
    const wait = `import os, time\nprint("at the gate", flush=True)\nwhile not os.path.exists(${JSON.stringify(gate)}): time.sleep(0.01)\n`;
    world.app("one", "v2", wait);
    await headrace.output.waitFor("at the gate");
    for (let version = 3; version <= 6; version++) {
      world.app("one", `v${version}`);
      await eventually(`the change to v${version}`, () =>
        headrace.output.text.split("platform.changed").length > version - 1 ? true : undefined,
      );
    }
    writeFileSync(gate, "");
    await serves(headrace, "one", "one v6");
    // Changes are made one after the other: what was asked for before this one is done when it is.
    world.app("two", "v2");
    await serves(headrace, "two", "two v2");
    expect(await revisions(headrace, "one")).toEqual(["rev-3", "rev-2", "rev-1"]);
  });

  test("a change that does not start leaves what runs, and the next one that does is served", async () => {
    const world = await World.make();
    await using headrace = await world.up("--watch");
    await headrace.output.waitFor("cli.serving");
    world.app("one", "v2", "raise RuntimeError('broken')");
    await headrace.output.waitFor(/apply_failed.*one/);
    await serves(headrace, "one", "one v1");
    world.app("one", "v3");
    await serves(headrace, "one", "one v3");
  });
});

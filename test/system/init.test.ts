/** headrace init on projects as people have them: what it writes, and that it can be served. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { command, freePort, Headrace, PATIENCE_MS, ROOT, scratchFolder } from "./harness.ts";

setDefaultTimeout(PATIENCE_MS * 4);

const PROJECTS = join(ROOT, "test/projects");
const GOLDEN = join(PROJECTS, "golden");
/** The environment with the frameworks, as an active one. */
const env = { VIRTUAL_ENV: join(ROOT, ".venv") };

const scratch = scratchFolder();
afterAll(() => scratch[Symbol.dispose]());

let count = 0;

/** A copy of a project that may be written to. */
function copyOf(project: string): string {
  // Names come from the folder's own.
  const folder = join(scratch.path, String(count++), project);
  mkdirSync(folder, { recursive: true });
  cpSync(join(PROJECTS, project), folder, { recursive: true });
  return folder;
}

const names = readdirSync(PROJECTS).filter((name) => name !== "golden" && name !== "nothing");

describe.each(names)("%s", (name) => {
  test("is read as expected, and headrace check takes the file", async () => {
    const folder = copyOf(name);
    const { stdout, stderr, status } = await command(["init"], { cwd: folder, env });
    expect([stderr, status]).toEqual(["", 0]);
    expect(stdout).toStartWith("Wrote headrace.yaml:\n");
    const text = readFileSync(join(folder, "headrace.yaml"), "utf8");
    expect(text).toBe(readFileSync(join(GOLDEN, `${name}.yaml`), "utf8"));
    const secrets = [...text.matchAll(/secret:env\/(\w+)/g)].map(([, secret]) => [secret!, "set"]);
    const check = await command(["check"], { cwd: folder, env: { ...env, ...Object.fromEntries(secrets) } });
    expect([check.stderr, check.status]).toEqual(["", 0]);
  });
});

describe("what it writes serves", () => {
  test.each([
    ["fastapi-factory", "/", { SHOP_API_TOKEN: "x" }],
    ["django-project", "/", {}],
    ["flask-procfile", "/", {}],
    ["docker-entrypoint", "/", {}],
    ["quart-script", "/", {}],
    ["functions", "/hello", {}],
  ] as const)("%s", async (name, path, more) => {
    const folder = copyOf(name);
    await command(["init"], { cwd: folder, env });
    const file = join(folder, "headrace.yaml");
    const ports = { port: await freePort(), adminPort: await freePort() };
    // Only where it listens is another, so that tests may run beside each other.
    const text = readFileSync(file, "utf8").replace(/^listen:\n( .*\n)+/m, "");
    writeFileSync(
      file,
      `listen: { port: ${ports.port} }\nadmin: { port: ${ports.adminPort} }\ngateways: 1\n${text}`,
    );
    await using headrace = await Headrace.up(file, ports, { ...env, ...more, XDG_RUNTIME_DIR: folder });
    expect(await (await headrace.fetch(path)).text()).toMatch(/served/);
  });
});

describe("the command", () => {
  test("writes over a file only when it is told to", async () => {
    const folder = copyOf("quart-script");
    const file = join(folder, "headrace.yaml");
    writeFileSync(file, "mine");
    const refused = await command(["init", folder], { env });
    expect([refused.status, refused.stdout, refused.stderr]).toEqual([
      2,
      "",
      "headrace: headrace.yaml is there already. Add --force to write over it, or --stdout to only look.\n",
    ]);
    const shown = await command(["init", folder, "--stdout"], { env });
    expect([shown.status, shown.stdout]).toEqual([
      0,
      readFileSync(join(GOLDEN, "quart-script.yaml"), "utf8"),
    ]);
    expect(readFileSync(file, "utf8")).toBe("mine");
    const forced = await command(["init", folder, "--force"], { env });
    expect(forced.status).toBe(0);
    expect(readFileSync(file, "utf8")).toBe(shown.stdout);
  });

  test("says so when there is nothing to serve, and writes nothing", async () => {
    const folder = copyOf("nothing");
    const { status, stderr } = await command(["init"], { cwd: folder, env });
    expect(status).toBe(2);
    expect(stderr).toContain("aiohttp (bot/web.py:3) speaks neither ASGI nor WSGI, so it cannot be served.");
    expect(stderr).toContain(`No app was found in ${folder}.`);
    expect(existsSync(join(folder, "headrace.yaml"))).toBe(false);
    const nowhere = await command(["init", join(folder, "gone")], { env });
    expect([nowhere.status, nowhere.stderr]).toEqual([
      2,
      `headrace: There is no folder ${join(folder, "gone")}.\n`,
    ]);
  });

  test("reads without running: what does not compile, or would do harm, is left alone", async () => {
    const folder = copyOf("quart-script");
    writeFileSync(join(folder, "old.py"), "print 'python 2'\n");
    writeFileSync(join(folder, "harm.py"), "open('harm.txt', 'w')\nraise SystemExit(1)\n");
    const { status, stdout } = await command(["init", "--stdout"], { cwd: folder, env });
    expect(status).toBe(0);
    expect(stdout).toContain("app: server:app");
    expect(stdout).toContain("old.py could not be read: SyntaxError");
    expect(existsSync(join(folder, "harm.txt"))).toBe(false);
  });

  test("does not take secrets over, nor files of variables by itself", async () => {
    const folder = copyOf("quart-script");
    writeFileSync(join(folder, ".env"), "SHOP_TOKEN=hunter2\n");
    writeFileSync(join(folder, "Procfile"), "web: SHOP_TOKEN=hunter2 uvicorn server:app\n");
    const { stdout } = await command(["init", "--stdout"], { cwd: folder, env });
    expect(stdout).not.toContain("hunter2");
    expect(stdout).toContain("SHOP_TOKEN: secret:env/SHOP_TOKEN");
    expect(stdout).toContain("envFile: .env gives its variables to the app");
  });

  test("what a source says and headrace.yaml does not take is a remark, not an error", async () => {
    const folder = copyOf("quart-script");
    writeFileSync(
      join(folder, "Procfile"),
      "web: uvicorn server:app --port 99999 --workers many --root-path x\n",
    );
    const { status, stdout } = await command(["init", "--stdout"], { cwd: folder, env });
    expect(status).toBe(0);
    expect(stdout).toContain("# - Procfile:1, --port 99999: listen.port: 99999 cannot be carried over.");
    expect(stdout).not.toMatch(/^ +(instances|rootPath):/m);
    expect(stdout).toContain("--workers many");
  });
});

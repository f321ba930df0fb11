/** The worker on every CPython that this machine has, 3.9 to 3.14, with nothing installed beside the standard library. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { homedir } from "node:os";
import { join } from "node:path";
import { run as runScenario } from "../../src/load/python-testkit.ts";
import { ask, RawClient } from "./client.ts";
import { APPS, Headrace, PATIENCE_MS, soon } from "./harness.ts";

setDefaultTimeout(PATIENCE_MS * 3);

const WANTED = ["3.9", "3.10", "3.11", "3.12", "3.13", "3.13t", "3.14", "3.14t"];
const WHO =
  "import sys, sysconfig; print('%d.%d%s' % (*sys.version_info[:2], 't' if sysconfig.get_config_var('Py_GIL_DISABLED') else ''))";

/** Interpreters by version: on the path, and where pyenv keeps them. */
function interpreters(): Map<string, string> {
  const versions = join(homedir(), ".pyenv/versions");
  const kept = [
    ...new Bun.Glob("*/bin/python3").scanSync({
      cwd: versions,
      onlyFiles: false,
      throwErrorOnBrokenSymlink: false,
    }),
  ];
  const named = WANTED.map((version) => `python${version}`);
  const found = new Map<string, string>();
  for (const path of [...kept.map((file) => join(versions, file)), ...named, "python3"]) {
    const asked = spawnSync(path, ["-c", WHO], { encoding: "utf8" });
    const version = asked.status === 0 ? asked.stdout.trim() : "";
    if (WANTED.includes(version) && !found.has(version)) found.set(version, path);
  }
  return found;
}

const found = interpreters();

test("this machine has one at least", () => {
  expect(found.size).toBeGreaterThan(0);
});

for (const version of WANTED) {
  const path = found.get(version);
  if (path === undefined) test.skip(`CPython ${version} (not on this machine)`, () => {});
  else test(`CPython ${version}`, () => serves(path));
}

async function serves(python: string): Promise<void> {
  for (const preload of ["app", "off"]) {
    await using asgi = await Headrace.start(join(APPS, "raw_asgi.py"), {
      python,
      args: ["--preload", preload, "--instances", "2"],
    });
    const body = new Uint8Array(500_000).fill(3);
    const upload = await ask(asgi.port, "PUT", "/upload", [`content-length: ${body.length}`], body);
    expect(JSON.parse(upload.body.toString()).size).toBe(body.length);
    expect((await ask(asgi.port, "GET", "/download?size=500000")).body.length).toBe(500_000);
    expect((await ask(asgi.port, "GET", "/raises")).status).toBe(500);
    expect(await shout(asgi, "corn")).toBe("corn");
    const origin = preload === "app" ? "fork" : "spawn";
    expect((await asgi.status()).instances.map((instance) => instance.origin)).toEqual([origin, origin]);
  }
  await using wsgi = await Headrace.start(`${join(APPS, "raw_wsgi.py")}:application`, { python });
  using client = await RawClient.open(wsgi.port);
  expect((await client.request("GET", "/write").answer()).body.toString()).toBe(
    "written first, returned after",
  );
  expect(
    (await client.request("PUT", "/lines", ["content-length: 4"], "a\nb\n").answer()).body.toString(),
  ).toBe('["a\\n", "b\\n"]');
  await using functions = await Headrace.start(join(APPS, "functions/http_function.py"), { python });
  expect((await ask(functions.port, "GET", "/?name=Ada")).body.toString()).toBe("hello Ada");
  await loads(python, `http://127.0.0.1:${functions.port}`);
}

/** A scenario of the load generator, closed and on a schedule. */
async function loads(python: string, host: string): Promise<void> {
  const source = `
from headrace.load import User, between, task
class Guest(User):
    wait_time = between(0.01, 0.02)
    @task
    async def greet(self):
        answer = await self.client.get("/", params={"name": self.number})
        self.check("greets me", answer.text == f"hello {self.number}")
`;
  const stages = [{ atS: 0, rate: 50 }];
  for (const wish of [{ host }, { host, model: "open", stages }] as const) {
    const { sum, notes, whole } = await runScenario({ source, wish, python });
    expect([whole, notes, sum.failures]).toEqual([true, [], {}]);
    expect(sum.checks.get("greets me")?.passed).toBe(sum.done);
    if ("model" in wish) expect(sum.done).toBe(50);
  }
}

/** One message there and back. */
async function shout(headrace: Headrace, text: string): Promise<unknown> {
  const socket = new WebSocket(`${headrace.url.replace("http", "ws")}/ws`);
  const answer = new Promise((resolve, reject) => {
    socket.onopen = () => socket.send(text);
    socket.onmessage = ({ data }) => resolve(data);
    socket.onerror = reject;
  });
  try {
    return await soon("the echo", answer);
  } finally {
    socket.close();
  }
}

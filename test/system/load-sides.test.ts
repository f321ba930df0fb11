/** Both sides of a load: what a Headrace says of the service that is loaded, and of no other. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LoadResult } from "../../src/load/result.ts";
import { command, freePort, Headrace, PATIENCE_MS, PYTHON, scratchFolder } from "./harness.ts";
import { Load } from "./load.ts";

setDefaultTimeout(PATIENCE_MS * 2);

const scratch = scratchFolder();
const env = { XDG_RUNTIME_DIR: scratch.path };
let headrace: Headrace;

const APP = `
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
`;

beforeAll(async () => {
  const ports = { port: await freePort(), adminPort: await freePort() };
  writeFileSync(join(scratch.path, "app.py"), APP);
  const file = join(scratch.path, "headrace.yaml");
  writeFileSync(
    file,
    `
listen: { port: ${ports.port} }
admin: { port: ${ports.adminPort} }
gateways: 1
logs: { access: off, format: json }
x-all: &all { app: app.py, python: ${PYTHON} }
services:
  aa: { <<: *all, route: { path: /aa } }
  bb: { <<: *all, route: { path: /bb } }
  beta: { <<: *all, route: { path: /aa, headers: ["x-version: beta"] } }
redirects: { path: /old, to: /aa }
`,
  );
  headrace = await Headrace.up(file, ports, env);
});

afterAll(async () => {
  await headrace.stop();
  scratch[Symbol.dispose]();
});

async function load(...args: readonly string[]) {
  const { status, stdout, stderr } = await command(
    ["load", ...args, "--rate", "20", "--duration", "2s", "--json", "-"],
    { env },
  );
  if (!stdout.startsWith("{")) throw new Error(`no result (exit ${status}):\n${stdout}${stderr}`);
  return { result: JSON.parse(stdout) as LoadResult, stderr };
}

const url = (path: string) => `http://127.0.0.1:${headrace.port}${path}`;

test("the service's side is that of the service which is loaded, whatever others do", async () => {
  const others = new Load(headrace.port, 1, () => "/bb");
  const { result } = await load(url("/aa/{{seq}}"));
  await others.stop();
  expect(others.answered).toBeGreaterThan(0);
  expect([result.server?.service, result.server?.requests]).toEqual(["aa", 40]);
  // A quantile of theirs is known to the end of its bucket, and not better.
  expect([0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000]).toContain(result.server!.run.p99AtMostMs!);
  expect(result.server!.series.every(({ ready }) => ready <= 1)).toBe(true);
});

test("headers and methods choose a service as they do in the gateway", async () => {
  const { result } = await load(url("/aa"), "-H", "X-Version: beta");
  expect([result.server?.service, result.server?.requests]).toEqual(["beta", 40]);
});

test("what no service has a route for is said to be that of all", async () => {
  const { result, stderr } = await load(url("/nowhere"));
  expect(result.server?.service).toBe("aa, bb, beta");
  expect(result.notes.join()).toContain("which of them this run asked could not be told");
  expect(stderr).toContain("could not be told");
});

test("an admin port that is named and cannot be read is told", async () => {
  const { result } = await load(url("/aa"), "--admin", "http://127.0.0.1:1");
  expect(result.server).toBeNull();
  expect(result.notes.join()).toContain("The service's side could not be read at http://127.0.0.1:1");
  const wrong = await command(["load", url("/aa"), "--admin", "localhost"], { env });
  expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining('"localhost" is no URL')]);
});

test("headrace run is named too", async () => {
  await using alone = await Headrace.start(join(scratch.path, "app.py"), {
    env,
    args: ["--service", "shop"],
  });
  const { result } = await load(`http://127.0.0.1:${alone.port}/`);
  expect([result.server?.service, result.server?.requests]).toEqual(["shop", 40]);
});

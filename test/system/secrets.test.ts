/** Values of secrets are shown nowhere, whatever an app does with them. Through the command and HTTP only. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask } from "./client.ts";
import { command, freePort, Headrace, PATIENCE_MS, PYTHON, scratchFolder } from "./harness.ts";

setDefaultTimeout(PATIENCE_MS * 4);

const scratch = scratchFolder();
afterAll(() => scratch[Symbol.dispose]());

const VALUE = "correct-horse-battery";
const APP = `
import os
print("print", os.environ["KEY"], flush=True)
async def app(scope, receive, send):
    if scope["type"] == "http":
        body = os.environ["KEY"].encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": body})
`;

let count = 0;

async function world() {
  const folder = join(scratch.path, String(count++));
  mkdirSync(folder);
  const ports = { port: await freePort(), adminPort: await freePort() };
  const file = join(folder, "headrace.yaml");
  const state = join(folder, "state");
  writeFileSync(join(folder, "app.py"), APP);
  writeFileSync(join(folder, "key"), `${VALUE}\n`);
  writeFileSync(
    file,
    `
name: world-${ports.port}
listen: { port: ${ports.port} }
admin: { port: ${ports.adminPort} }
gateways: 1
logs: { access: off, format: json }
services:
  api: { app: app.py, python: ${PYTHON}, env: { KEY: "secret:file/key" } }
`,
  );
  const env = { XDG_RUNTIME_DIR: scratch.path };
  const run = (...args: readonly string[]) => command([...args, "--name", `world-${ports.port}`], { env });
  const up = () => Headrace.up(file, ports, env, ["--state-dir", state]);
  return { folder, file, state, env, run, up };
}

test("what an app prints or raises is masked in logs, events, answers and on the disk", async () => {
  const { folder, state, run, up } = await world();
  await using headrace = await up();
  await headrace.output.waitFor("print ***");
  // The app itself has it.
  expect((await ask(headrace.port, "GET", "/")).body.toString()).toBe(VALUE);
  writeFileSync(join(folder, "app.py"), `import os\nraise RuntimeError("no " + os.environ["KEY"])\n`);
  const deploy = await run("deploy", "api");
  expect(deploy.status).toBe(1);
  expect(deploy.stderr).toContain("RuntimeError: no ***");
  const logs = await run("logs");
  expect(logs.stdout).toContain("print ***");
  const shown = [deploy, logs, await run("events"), await run("ps", "--json")];
  for (const { stdout, stderr } of shown) expect(stdout + stderr).not.toContain(VALUE);
  expect(headrace.output.text).toContain("RuntimeError: no ***");
  expect(headrace.output.text).not.toContain(VALUE);
  await headrace.stop();
  const kept = readdirSync(join(state, "logs")).map((name) =>
    readFileSync(join(state, "logs", name), "utf8"),
  );
  expect(kept.join("")).toContain("print ***");
  expect(kept.join("")).not.toContain(VALUE);
});

test("headrace restart reads them anew, and keeps what runs when the app does not start with them", async () => {
  const { folder, run, up } = await world();
  writeFileSync(
    join(folder, "app.py"),
    `import os\nif os.environ["KEY"] == "wrong-horse-battery": raise RuntimeError("no " + os.environ["KEY"])\n${APP}`,
  );
  await using headrace = await up();
  const answer = async () => (await ask(headrace.port, "GET", "/")).body.toString();
  writeFileSync(join(folder, "key"), "another-horse-battery");
  writeFileSync(join(folder, "app.py"), "raise RuntimeError('the code is that of the revision')");
  expect(await answer()).toBe(VALUE);
  expect(await run("restart", "api")).toMatchObject({ status: 0 });
  expect(await answer()).toBe("another-horse-battery");
  writeFileSync(join(folder, "key"), "wrong-horse-battery");
  const failed = await run("restart", "api");
  expect(failed.status).toBe(1);
  expect(failed.stderr).toContain("The new instances did not start, so the old ones stay");
  expect(await answer()).toBe("another-horse-battery");
  for (const value of [VALUE, "another-horse-battery", "wrong-horse-battery"])
    expect(headrace.output.text + failed.stderr).not.toContain(value);
});

test("a start that fails does not show them", async () => {
  const { folder, file, state, env } = await world();
  writeFileSync(join(folder, "app.py"), `import os\nraise RuntimeError("no " + os.environ["KEY"])\n`);
  const start = () => command(["up", "-f", file, "--state-dir", state], { env });
  const raised = await start();
  expect(raised.stderr).toContain("RuntimeError: no ***");
  expect(raised.stdout + raised.stderr).not.toContain(VALUE);
  writeFileSync(join(folder, "key"), `${VALUE}\0and more`);
  const odd = await start();
  expect(odd.status).toBe(2);
  expect(odd.stderr).toContain("KEY is secret:file/key, and it holds a NUL byte, which no variable can.");
  expect(odd.stderr).not.toContain(VALUE);
});

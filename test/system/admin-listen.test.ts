/** The admin API for other machines: a token, and a command that has it. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask } from "./client.ts";
import { command, freePort, Headrace, PATIENCE_MS, scratchFolder } from "./harness.ts";

setDefaultTimeout(PATIENCE_MS * 3);

const TOKEN = "a-token-of-decent-length";
const scratch = scratchFolder();
const elsewhere = scratchFolder();
afterAll(() => {
  scratch[Symbol.dispose]();
  elsewhere[Symbol.dispose]();
});

const app = join(scratch.path, "main.py");
writeFileSync(
  app,
  `
import os
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": repr(sorted(k for k in os.environ if "TOKEN" in k)).encode()})
`,
);

test("the command acts on a Headrace elsewhere when it has the token, and says so when it has not", async () => {
  const further = await freePort();
  await using headrace = await Headrace.start(app, {
    args: ["--admin-listen", `0.0.0.0:${further}`, "--service", "far"],
    env: { XDG_RUNTIME_DIR: scratch.path, HEADRACE_ADMIN_TOKEN: TOKEN },
  });
  // Its own notes are not seen from there.
  const there = { XDG_RUNTIME_DIR: elsewhere.path, HEADRACE_ADMIN_URL: `http://127.0.0.1:${further}` };
  const without = await command(["deploy", "far"], { env: there });
  expect([without.status, without.stderr]).toEqual([
    2,
    "headrace: This address wants a token: Authorization: Bearer TOKEN. The command takes it from $HEADRACE_ADMIN_TOKEN or --admin-token-file.\n",
  ]);
  const wrong = await command(["deploy", "far"], { env: { ...there, HEADRACE_ADMIN_TOKEN: `${TOKEN}!` } });
  expect([wrong.status, wrong.stderr]).toEqual([
    2,
    "headrace: The token is not the one that Headrace was started with.\n",
  ]);
  const file = join(scratch.path, "token");
  writeFileSync(file, `${TOKEN}\n`);
  const right = await command(["deploy", "far", "--admin-token-file", file], { env: there });
  expect([right.stderr, right.stdout, right.status]).toEqual(["", "far serves rev-1.\n", 0]);
  const ps = await command(["ps"], { env: { ...there, HEADRACE_ADMIN_TOKEN: TOKEN } });
  expect([ps.status, ps.stdout]).toEqual([0, expect.stringContaining(`http://127.0.0.1:${headrace.port}`)]);
  // The app has no business with it.
  expect((await ask(headrace.port, "GET", "/")).body.toString()).toBe("[]");
});

test("on this machine the command goes over the socket, which goes with Headrace", async () => {
  const env = { XDG_RUNTIME_DIR: scratch.path };
  const headrace = await Headrace.start(app, {
    args: ["--admin-host", "0.0.0.0", "--service", "near"],
    env: { ...env, HEADRACE_ADMIN_TOKEN: TOKEN },
  });
  const socket = join(scratch.path, "headrace", `${headrace.pid}.sock`);
  expect(statSync(socket).mode & 0o777).toBe(0o600);
  // No token is given, and none is needed.
  expect((await command(["ps"], { env })).stdout).toStartWith("near ");
  const over = await command(["events", "--admin", `unix:${socket}`, "--json"], {
    env: { XDG_RUNTIME_DIR: elsewhere.path },
  });
  expect(over.stdout).toContain('"event":"instance.ready"');
  expect((await fetch(`${headrace.adminUrl}/v1/status`)).status).toBe(401);
  await headrace.stop();
  expect(existsSync(socket)).toBe(false);
});

test("without a token nothing is started", async () => {
  const { status, stderr } = await command(["run", app, "--port", "0", "--admin-listen", "0.0.0.0:0"], {
    env: { XDG_RUNTIME_DIR: scratch.path },
  });
  expect([status, stderr]).toEqual([
    2,
    "headrace: Other machines could reach the admin API on 0.0.0.0, and there is no token. Give one with $HEADRACE_ADMIN_TOKEN or --admin-token-file, or listen on 127.0.0.1.\n",
  ]);
  const bad = await command(["run", app, "--admin-listen", "9000"], {
    env: { XDG_RUNTIME_DIR: scratch.path },
  });
  expect([bad.status, bad.stderr]).toEqual([
    2,
    expect.stringContaining(
      '"9000" cannot be used. Write an address and a port, such as 0.0.0.0:9000 or [::]:9000.',
    ),
  ]);
});

/** Changes of what runs while another one takes long: nobody waits for what is no concern of theirs. Through the command and HTTP only. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RevisionReport } from "../../src/model/revision.ts";
import { ask } from "./client.ts";
import { command, eventually, freePort, Headrace, PATIENCE_MS, PYTHON, scratchFolder } from "./harness.ts";

setDefaultTimeout(PATIENCE_MS * 4);

const scratch = scratchFolder();
afterAll(() => scratch[Symbol.dispose]());

/** @param gate it starts once this file is there; empty: at once */
const APP = (version: string, gate: string) => `
import os, sys, time
gate = ${JSON.stringify(gate)}
if gate:
    open(gate + ".begun", "w").close()
while gate and not os.path.exists(gate):
    time.sleep(0.01)
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = b"${version}"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
`;

let count = 0;

async function world() {
  const folder = join(scratch.path, String(count++));
  const env = { XDG_RUNTIME_DIR: join(folder, "run"), XDG_STATE_HOME: join(folder, "state") };
  mkdirSync(env.XDG_RUNTIME_DIR, { recursive: true });
  const gate = join(folder, "gate");
  const write = (name: string, version: string, waits = false) => {
    mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, name, "main.py"), APP(`${name} ${version}`, waits ? gate : ""));
  };
  for (const name of ["shop", "jobs"]) write(name, "v1");
  const ports = { port: await freePort(), adminPort: await freePort() };
  const file = join(folder, "headrace.yaml");
  const configure = (more = "") =>
    writeFileSync(
      file,
      `
listen: { port: ${ports.port} }
admin: { port: ${ports.adminPort} }
logs: { access: off, format: json }
services:
  shop: { app: main.py, dir: shop, python: ${PYTHON}, route: { path: / }${more} }
  jobs: { app: main.py, dir: jobs, python: ${PYTHON}, startupTimeout: 10m, route: { path: /jobs } }
`,
    );
  configure();
  const headrace = await Headrace.up(file, ports, env);
  const run = (...args: string[]) => command(args, { env });
  const body = async (path: string) => (await ask(headrace.port, "GET", path)).body.toString();
  /** A deploy of jobs that does not come to its end. */
  const hang = async () => {
    write("jobs", "v2", true);
    const deploy = run("deploy", "jobs");
    await eventually("its start", async () =>
      (await Bun.file(`${gate}.begun`).exists()) ? true : undefined,
    );
    return { deploy };
  };
  const revisions = async (service: string) => {
    const answer = await fetch(`${headrace.adminUrl}/v1/services/${service}/revisions`);
    return ((await answer.json()) as RevisionReport[]).map(({ revision }) => revision);
  };
  return { headrace, run, body, hang, write, configure, gate, revisions };
}

describe("while the deploy of a service hangs", () => {
  test("others are deployed, shifted, rolled back, stopped, and changed by the file", async () => {
    const { headrace, run, body, hang, write, gate, revisions, configure } = await world();
    await using _ = headrace;
    const { deploy } = await hang();
    write("shop", "v2");
    expect((await run("deploy", "shop", "--over", "200ms")).status).toBe(0);
    expect(await body("/")).toBe("shop v2");
    expect((await run("traffic", "shop", "--to", "rev-1=100")).status).toBe(0);
    expect((await run("rollback", "shop")).status).toBe(0);
    expect(await body("/")).toBe("shop v2");
    for (const verb of ["stop", "start"]) expect((await run(verb, "shop")).status).toBe(0);
    // The file is for all, so it waits, and holds nobody up.
    configure(", concurrency: 7");
    process.kill(headrace.pid, "SIGHUP");
    write("shop", "v3");
    expect((await run("deploy", "shop")).status).toBe(0);
    writeFileSync(gate, "");
    expect((await deploy).status).toBe(0);
    expect(await body("/jobs")).toBe("jobs v2");
    await eventually("the new file", async () =>
      (await revisions("shop"))[0] === "rev-4" ? true : undefined,
    );
    expect(await body("/")).toBe("shop v3");
    expect(await revisions("jobs")).toEqual(["rev-2", "rev-1"]);
  });

  for (const verb of ["rollback", "stop"]) {
    test(`it is given up for a ${verb} of the same service`, async () => {
      const { headrace, run, body, hang, write } = await world();
      await using _ = headrace;
      write("jobs", "second");
      expect((await run("deploy", "jobs")).status).toBe(0);
      const { deploy } = await hang();
      const done = await run(verb, "jobs");
      expect([done.stderr, done.status]).toEqual(["", 0]);
      const { status, stderr } = await deploy;
      const sentence = `The deploy of jobs was given up before it held, for the ${verb} of jobs.`;
      expect([stderr, status]).toEqual([`headrace: ${sentence}\n`, 1]);
      expect(await body("/jobs")).toMatch(verb === "stop" ? /HR_SERVICE_STOPPED/ : /^jobs v1$/);
      // Nothing is in the way of what comes then.
      write("jobs", "v3");
      expect((await run("deploy", "jobs")).status).toBe(0);
      expect(await body("/jobs")).toBe("jobs v3");
    });
  }

  test("what waits behind it is left when its client goes", async () => {
    const { headrace, body, hang, gate, revisions, run } = await world();
    await using _ = headrace;
    const { deploy } = await hang();
    const client = new AbortController();
    const url = `${headrace.adminUrl}/v1/services/jobs`;
    const second = fetch(`${url}/deploy`, { method: "POST", signal: client.signal });
    // Both are with the admin API: it answers in the order in which it is asked.
    await fetch(`${url}/traffic`);
    client.abort();
    expect(second).rejects.toThrow();
    await fetch(`${url}/traffic`);
    writeFileSync(gate, "");
    expect((await deploy).status).toBe(0);
    expect((await run("deploy", "jobs")).status).toBe(0);
    expect(await body("/jobs")).toBe("jobs v2");
    expect(await revisions("jobs")).toEqual(["rev-3", "rev-2", "rev-1"]);
  });
});

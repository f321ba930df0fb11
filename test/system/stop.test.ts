/** One service is taken down and brought back while the others go on. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StatusReport } from "../../src/model/instance.ts";
import { ask, RawClient, values } from "./client.ts";
import { command, eventually, freePort, Headrace, PATIENCE_MS, PYTHON, scratchFolder } from "./harness.ts";
import { Load } from "./load.ts";

setDefaultTimeout(PATIENCE_MS * 4);

const scratch = scratchFolder();
afterAll(() => scratch[Symbol.dispose]());

/** `/hold` answers once the file that it is given is there. */
const APP = (version: string) => `
import asyncio, os
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    if scope["path"].endswith("/hold"):
        open(scope["query_string"].decode() + ".begun", "w").close()
        while not os.path.exists(scope["query_string"].decode()):
            await asyncio.sleep(0.01)
    body = b"${version}"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
`;

let count = 0;

async function world() {
  const folder = join(scratch.path, String(count++));
  const env = { XDG_RUNTIME_DIR: join(folder, "run"), XDG_STATE_HOME: join(folder, "state") };
  mkdirSync(env.XDG_RUNTIME_DIR, { recursive: true });
  const write = (name: string, version: string) => writeFileSync(join(folder, `${name}.py`), APP(version));
  for (const name of ["shop", "jobs"]) write(name, `${name} v1`);
  const file = join(folder, "headrace.yaml");
  const ports = { port: await freePort(), adminPort: await freePort() };
  writeFileSync(
    file,
    `
listen: { port: ${ports.port} }
admin: { port: ${ports.adminPort} }
gateways: 2
logs: { access: off, format: json }
services:
  shop: { app: shop.py, python: ${PYTHON}, route: { path: / } }
  jobs: { app: jobs.py, python: ${PYTHON}, instances: 2, route: { path: /jobs } }
`,
  );
  const headrace = await Headrace.up(file, ports, env);
  const run = (...args: string[]) => command(args, { env });
  const body = async (path: string) => (await ask(headrace.port, "GET", path)).body.toString();
  const jobs = async () => {
    const all = (await (await fetch(`${headrace.adminUrl}/v1/services`)).json()) as StatusReport[];
    return all.find(({ service }) => service === "jobs")!;
  };
  return { folder, headrace, run, body, jobs, write };
}

describe("headrace stop and start", () => {
  test("requests in flight finish, new ones are refused with the reason, the others notice nothing", async () => {
    const { folder, headrace, run, body, jobs } = await world();
    await using _ = headrace;
    const load = new Load(headrace.port, 4, () => "/");
    const gate = join(folder, "gate");
    using held = await RawClient.open(headrace.port);
    const answer = held.request("GET", `/jobs/hold?${gate}`).answer();
    await eventually("the request to begin", async () =>
      (await jobs()).instances.some(({ inFlight }) => inFlight > 0) ? true : undefined,
    );
    const stopping = run("stop", "jobs");
    const refused = await eventually("a refusal", async () => {
      const tried = await ask(headrace.port, "GET", "/jobs/x");
      return tried.status === 503 ? tried : undefined;
    });
    expect(values(refused, "headrace-reason")).toEqual(["HR_SERVICE_STOPPED"]);
    expect(refused.body.toString()).toContain("was stopped with headrace stop");
    // The one in flight holds it up.
    writeFileSync(gate, "");
    expect((await answer).body.toString()).toBe("jobs v1");
    const stopped = await stopping;
    expect([stopped.stderr, stopped.stdout, stopped.status]).toEqual([
      "",
      "jobs is stopped: its requests are answered with 503.\n",
      0,
    ]);
    expect(await jobs()).toMatchObject({ stopped: true, ready: false, instances: [], revision: "rev-1" });
    expect((await fetch(`${headrace.adminUrl}/readyz`)).status).toBe(200);
    expect((await run("ps")).stdout).toContain("jobs  rev-1  jobs.py  STOPPED: headrace start jobs\n");
    expect((await run("stop", "jobs")).status).toBe(0);
    const restart = await run("restart", "jobs");
    expect([restart.status, restart.stderr]).toEqual([
      1,
      "headrace: jobs is stopped. Start it: headrace start jobs.\n",
    ]);

    const started = await run("start", "jobs");
    expect([started.stderr, started.stdout, started.status]).toEqual(["", "jobs serves.\n", 0]);
    expect(await body("/jobs/x")).toBe("jobs v1");
    expect(await jobs()).toMatchObject({ stopped: false, ready: true, revision: "rev-1" });
    expect((await jobs()).instances.length).toBe(2);
    await load.stop();
    expect(load.wrong).toEqual([]);
    expect(load.answered).toBeGreaterThan(20);
  });

  test("again and again under load: every answer is the app's or says why not", async () => {
    const { headrace, run } = await world();
    await using _ = headrace;
    const load = new Load(headrace.port, 4, () => "/jobs");
    for (let round = 0; round < 4; round++)
      for (const verb of ["stop", "start"]) expect((await run(verb, "jobs")).status).toBe(0);
    await load.stop();
    expect(load.wrong.filter((text) => !text.includes("HR_SERVICE_STOPPED"))).toEqual([]);
    expect([...load.bodies]).toEqual(["jobs v1"]);
  });

  test("a changed file leaves it down, and so does a deploy without traffic; a deploy brings it back", async () => {
    const { headrace, run, body, jobs, write } = await world();
    await using _ = headrace;
    await run("stop", "jobs");
    process.kill(headrace.pid, "SIGHUP");
    await headrace.output.waitFor("platform.applied");
    expect(await body("/jobs")).toContain("HR_SERVICE_STOPPED");
    // One that is to get no requests shows that it starts, and asks for nothing else.
    write("jobs", "jobs v2");
    expect((await run("deploy", "jobs", "--no-traffic")).status).toBe(0);
    expect(await jobs()).toMatchObject({ stopped: true, instances: [], revision: "rev-1" });
    expect(await body("/jobs")).toContain("HR_SERVICE_STOPPED");
    write("jobs", "jobs v3");
    expect((await run("deploy", "jobs")).status).toBe(0);
    expect(await body("/jobs")).toBe("jobs v3");
  });

  test("one that does not start stays down, and can be started later", async () => {
    const { headrace, run, body, write, folder } = await world();
    await using _ = headrace;
    await run("stop", "jobs");
    writeFileSync(join(folder, "jobs.py"), "raise RuntimeError('broken')\n");
    const broken = await run("deploy", "jobs");
    expect([broken.status, broken.stderr]).toEqual([1, expect.stringContaining("RuntimeError: broken")]);
    expect(await body("/jobs")).toContain("HR_SERVICE_STOPPED");
    // The code of the revision that it had is kept.
    expect((await run("start", "jobs")).status).toBe(0);
    expect(await body("/jobs")).toBe("jobs v1");
    write("jobs", "jobs v2");
    expect(await body("/jobs")).toBe("jobs v1");
  });

  test("says what it cannot do", async () => {
    const { headrace, run } = await world();
    await using _ = headrace;
    for (const verb of ["stop", "start"]) {
      const unknown = await run(verb, "nobody");
      expect([unknown.status, unknown.stderr]).toEqual([
        2,
        "headrace: There is no service of this name. headrace ps lists them.\n",
      ]);
    }
  });
});

test("headrace run has nothing to stop but itself", async () => {
  const folder = join(scratch.path, "sole");
  mkdirSync(folder);
  writeFileSync(join(folder, "main.py"), APP("x"));
  const env = { XDG_RUNTIME_DIR: folder };
  await using _ = await Headrace.start(join(folder, "main.py"), { args: ["--service", "sole"], env });
  const refused = await command(["stop", "sole"], { env });
  expect([refused.status, refused.stderr]).toEqual([
    1,
    "headrace: headrace run serves one service. headrace down stops it.\n",
  ]);
});

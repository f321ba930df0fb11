/** Requests that belong together go to the same instance, whatever gateway process takes them. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Answer, ask, values } from "./client.ts";
import { APPS, eventually, freePort, Headrace, PATIENCE_MS, PYTHON, scratchFolder } from "./harness.ts";
import { Stage } from "./stage.ts";

setDefaultTimeout(PATIENCE_MS * 2);

const INSTANCES = 4;

async function start(stage: Stage, service: string): Promise<Headrace & { folder: Disposable }> {
  const folder = scratchFolder();
  const ports = { port: await freePort(), adminPort: await freePort() };
  const file = join(folder.path, "headrace.yaml");
  writeFileSync(
    file,
    `
listen: { port: ${ports.port} }
admin: { port: ${ports.adminPort} }
gateways: 2
logs: { access: off, format: json }
services:
  api: { app: ${join(APPS, "raw_asgi.py")}, python: ${PYTHON}, instances: ${INSTANCES}, ${service} }
`,
  );
  const headrace = await Headrace.up(file, ports, stage.env);
  await eventually("all instances", async () =>
    (await ready(headrace)).length === INSTANCES ? true : undefined,
  );
  return Object.assign(headrace, { folder });
}

async function ready(headrace: Headrace): Promise<number[]> {
  const { instances } = await headrace.status();
  return instances.filter(({ state }) => state === "ready").map(({ pid }) => pid);
}

/** Each on a connection of its own, so that the system spreads them over the gateways. */
const pidFor = async (headrace: Headrace, ...head: string[]) =>
  Number((await ask(headrace.port, "GET", "/pid", head)).body);

/** What instances still hold a moment after the answer would be load that was not there. */
const idle = (headrace: Headrace) =>
  eventually("nothing in flight", async () =>
    (await headrace.status()).instances.every(({ inFlight }) => inFlight === 0) ? true : undefined,
  );

test("a key stays on its instance, in every gateway, and moves only when that goes", async () => {
  using stage = await Stage.open();
  await using headrace = await start(stage, "affinity: { header: X-User-Id, balanceFactor: 0 }");
  using _ = headrace.folder;
  const users = Array.from({ length: 20 }, (_, n) => `user-${n}`);
  const homes = new Map<string, number>();
  for (const user of users) homes.set(user, await pidFor(headrace, `x-user-id: ${user}`));
  expect(new Set(homes.values()).size).toBeGreaterThan(1);
  for (let round = 0; round < 5; round++) {
    for (const user of users) expect(await pidFor(headrace, `x-user-id: ${user}`)).toBe(homes.get(user)!);
  }
  // Many connections reached both gateways.
  const { gateways } = await headrace.status();
  expect(gateways.length).toBe(2);
  const gone = homes.get("user-0")!;
  process.kill(gone, "SIGKILL");
  await eventually("another instance", async () => {
    const pids = await ready(headrace);
    return pids.length === INSTANCES && !pids.includes(gone) ? true : undefined;
  });
  for (const user of users) {
    const now = await pidFor(headrace, `x-user-id: ${user}`);
    // Those of the instance that is gone went somewhere; of the others, some may belong to the new one.
    if (homes.get(user) !== now) homes.set(user, now);
    expect(now).not.toBe(gone);
    expect(await pidFor(headrace, `x-user-id: ${user}`)).toBe(now);
  }
});

test("a key whose instance is full goes to the next one, and the load stays balanced", async () => {
  using stage = await Stage.open();
  await using headrace = await start(stage, "concurrency: 3, affinity: { query: key }");
  using _ = headrace.folder;
  // All have the same key, and each instance may have 1.25 times the average: 3, once there are nine of them.
  const asked = Array.from({ length: 12 }, () => ask(headrace.port, "GET", "/stage?key=hot"));
  await stage.waitFor("all at work", () => (stage.running().length === 12 ? true : undefined));
  expect([...stage.peakByPid.values()]).toEqual([3, 3, 3, 3]);
  const waits = ask(headrace.port, "GET", "/stage?key=hot");
  await eventually("one that waits", async () =>
    (await headrace.status()).line.waiting === 1 ? true : undefined,
  );
  stage.release();
  for (const answer of await Promise.all([...asked, waits])) expect(answer.status).toBe(200);
});

const tokenOf = (answer: Answer): string | undefined => {
  const [cookie] = values(answer, "set-cookie");
  return cookie === undefined
    ? undefined
    : /^home=([0-9a-f]{32}); Path=\/; HttpOnly; SameSite=Lax$/.exec(cookie)![1]!;
};

test("a sticky client gets a cookie of the gateway, and a new one when its instance is gone", async () => {
  using stage = await Stage.open();
  await using headrace = await start(stage, "concurrency: 1, affinity: { cookie: home, sticky: true }");
  using _ = headrace.folder;
  const first = await ask(headrace.port, "GET", "/pid");
  const token = tokenOf(first)!;
  expect(token).toBeDefined();
  const home = Number(first.body);
  for (let n = 0; n < 12; n++) {
    await idle(headrace);
    const again = await ask(headrace.port, "GET", "/pid", [`cookie: a=b; home=${token}`]);
    expect([Number(again.body), tokenOf(again)]).toEqual([home, undefined]);
  }

  // Full: for this once another one does, and the cookie stays.
  await idle(headrace);
  const busy = ask(headrace.port, "GET", "/stage?key=busy", [`cookie: home=${token}`]);
  const call = await stage.begun("busy");
  expect(call.pid).toBe(home);
  const spilt = await ask(headrace.port, "GET", "/pid", [`cookie: home=${token}`]);
  expect(Number(spilt.body)).not.toBe(home);
  expect(tokenOf(spilt)).toBeUndefined();
  call.tell("go");
  expect((await busy).status).toBe(200);

  // An invented token leads nowhere.
  const invented = await ask(headrace.port, "GET", "/pid", [`cookie: home=${"0".repeat(32)}`]);
  expect(tokenOf(invented)).toBeDefined();

  process.kill(home, "SIGKILL");
  await eventually("another instance", async () => {
    const pids = await ready(headrace);
    return pids.length === INSTANCES && !pids.includes(home) ? true : undefined;
  });
  const moved = await ask(headrace.port, "GET", "/pid", [`cookie: home=${token}`]);
  const next = tokenOf(moved)!;
  expect(next).not.toBe(token);
  await idle(headrace);
  const settled = await ask(headrace.port, "GET", "/pid", [`cookie: home=${next}`]);
  expect([Number(settled.body), tokenOf(settled)]).toEqual([Number(moved.body), undefined]);
});

test("what belongs to an instance belongs to its revision, whatever the shares", async () => {
  using stage = await Stage.open();
  for (const affinity of ["{ cookie: home, sticky: true }", "{ header: x-user, balanceFactor: 0 }"]) {
    await using headrace = await start(stage, `affinity: ${affinity}`);
    using _ = headrace.folder;
    const admin = `${headrace.adminUrl}/v1/services/api`;
    const post = async (path: string, method: string, body: unknown) => {
      const headers = { "content-type": "application/json" };
      const answer = await fetch(`${admin}/${path}`, { method, headers, body: JSON.stringify(body) });
      expect([answer.status, await answer.text()]).toEqual([200, expect.anything()]);
    };
    await post("deploy", "POST", {});
    await post("traffic", "PUT", {
      targets: [
        { revision: "rev-1", weight: 50 },
        { revision: "rev-2", weight: 50 },
      ],
    });
    const homes = new Set<number>();
    for (let user = 0; user < 12; user++) {
      const first = await ask(headrace.port, "GET", "/pid", [`x-user: ${user}`]);
      const head = [`x-user: ${user}`, `cookie: home=${tokenOf(first)}`];
      const home = Number(first.body);
      homes.add(home);
      for (let n = 0; n < 6; n++) {
        const again = await ask(headrace.port, "GET", "/pid", head);
        expect([affinity, Number(again.body), tokenOf(again)]).toEqual([affinity, home, undefined]);
      }
    }
    expect(homes.size).toBeGreaterThan(2);
  }
});

/** Bulkheads: of one kind of requests only so many at a time, whatever gateway and instance they go to. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Answer, ask, values } from "./client.ts";
import { APPS, eventually, freePort, Headrace, PATIENCE_MS, PYTHON, scratchFolder } from "./harness.ts";
import { Stage } from "./stage.ts";

setDefaultTimeout(PATIENCE_MS * 2);

/** Two gateways, two instances, three permits for POST /stage; other methods and paths have none. */
async function start(stage: Stage, service = ""): Promise<Headrace & { folder: Disposable }> {
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
  api:
    app: ${join(APPS, "raw_asgi.py")}
    python: ${PYTHON}
    instances: 2
    concurrency: 10
    limits: { path: /stage, method: POST, slots: 3 }
    ${service}
`,
  );
  return Object.assign(await Headrace.up(file, ports, stage.env), { folder });
}

const post = (headrace: Headrace, key: string): Promise<Answer> =>
  ask(headrace.port, "POST", `/stage?key=${key}`, ["content-length: 0"]);

async function waiting(headrace: Headrace, count: number): Promise<void> {
  await eventually(`${count} that wait`, async () =>
    (await headrace.status()).line.waiting === count ? true : undefined,
  );
}

test("a limit holds over gateways and instances, and holds nobody else up", async () => {
  using stage = await Stage.open();
  await using headrace = await start(stage);
  using _ = headrace.folder;
  const posts = Array.from({ length: 20 }, (_, n) => post(headrace, `p${n}`));
  await stage.waitFor("three at work", () => (stage.running().length === 3 ? true : undefined));
  await waiting(headrace, 17);
  // Another method, and another path: no limit is theirs.
  const other = ask(headrace.port, "GET", "/stage?key=get");
  await stage.begun("get");
  for (let n = 0; n < 10; n++) expect((await ask(headrace.port, "GET", "/hello")).status).toBe(200);
  expect(stage.running().length).toBe(4);
  stage.release();
  const statuses = (await Promise.all([...posts, other])).map(({ status }) => status);
  expect(statuses).toEqual(statuses.map(() => 200));
  expect(stage.peak).toBe(4);
  expect(new Set(stage.calls.map(({ pid }) => pid)).size).toBe(2);
});

test("what may not go on is refused as in the line, with its reason", async () => {
  using stage = await Stage.open();
  await using headrace = await start(stage, "line: { depth: 1, wait: 300ms }");
  using _ = headrace.folder;
  const working = [post(headrace, "a"), post(headrace, "b"), post(headrace, "c")];
  await stage.waitFor("three at work", () => (stage.running().length === 3 ? true : undefined));
  const late = post(headrace, "late");
  await waiting(headrace, 1);
  const full = await post(headrace, "full");
  expect([full.status, values(full, "headrace-reason")]).toEqual([429, ["HR_LIMIT_FULL"]]);
  expect(Number(values(full, "retry-after")[0])).toBeGreaterThanOrEqual(1);
  const waited = await late;
  expect([waited.status, values(waited, "headrace-reason")]).toEqual([503, ["HR_LIMIT_WAIT"]]);
  stage.release();
  expect((await Promise.all(working)).map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(stage.calls.length).toBe(3);
});

test("permits of a gateway that is killed come back when its requests have ended, not before", async () => {
  using stage = await Stage.open();
  await using headrace = await start(stage);
  using _ = headrace.folder;
  const posts = Array.from({ length: 12 }, (_, n) => post(headrace, `p${n}`).catch(() => null));
  await stage.waitFor("three at work", () => (stage.running().length === 3 ? true : undefined));
  await waiting(headrace, 9);
  const { gateways } = await headrace.status();
  for (const { pid } of gateways) process.kill(pid, "SIGKILL");
  expect(await Promise.all(posts)).toEqual(posts.map(() => null));
  await eventually("two new gateways", async () => {
    const now = (await headrace.status()).gateways.filter(({ state }) => state === "ready");
    return now.length === 2 && now.every(({ pid }) => gateways.every((old) => old.pid !== pid))
      ? true
      : undefined;
  });
  await waiting(headrace, 0);
  // The three may still be at work, for all the gateways know: those that come now wait, or go on as those end.
  const after = Array.from({ length: 6 }, (_, n) => post(headrace, `q${n}`));
  stage.release();
  expect((await Promise.all(after)).map(({ status }) => status)).toEqual(after.map(() => 200));
  expect(stage.peak).toBe(3);
});

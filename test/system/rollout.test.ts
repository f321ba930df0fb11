/** Rollouts in steps, under load, and the way back when the new revision is worse. Through the command and HTTP only. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TrafficReport } from "../../src/model/revision.ts";
import { RawClient } from "./client.ts";
import { PATIENCE_MS, scratchFolder } from "./harness.ts";
import { Load } from "./load.ts";
import { RevisionWorld } from "./revision-world.ts";

setDefaultTimeout(PATIENCE_MS * 6);

const scratch = scratchFolder();
afterAll(() => scratch[Symbol.dispose]());

describe("a rollout", () => {
  test("shifts in steps, says each, and is done", async () => {
    const world = await RevisionWorld.make(scratch.path);
    await using headrace = await world.up();
    const load = new Load(headrace.port, 4, () => "/");
    const said = await world.deploy("v2", "--over", "2s", "--guard");
    await load.stop();
    expect(said).toStartWith("rev-2 of api has 1% of the requests.\n");
    expect(said).toEndWith("rev-2 of api is rolled out.\n");
    expect(load.wrong).toEqual([]);
    expect([...load.bodies].sort()).toEqual(["v1 v1", "v2 v2"]);
    const steps = headrace.output
      .lines()
      .filter((line) => line.includes('"platform.rollout"'))
      .map((line) => JSON.parse(line) as { state: string; weight: number });
    expect(steps[0]).toMatchObject({ state: "shifting", weight: 1 });
    expect(steps.at(-1)).toMatchObject({ state: "done", weight: 100 });
    const weights = steps.map(({ weight }) => weight);
    expect(weights).toEqual([...weights].sort((a, b) => a - b));
    expect(new Set(weights).size).toBeGreaterThan(3);
    const report = await world.api<TrafficReport>(headrace, "traffic");
    expect(report).toMatchObject({
      targets: [{ revision: "rev-2", weight: 100 }],
      // The way back is to what was there before the rollout, not before its last step.
      before: [{ revision: "rev-1", weight: 100 }],
      rollout: { state: "done", overMs: 2_000, guarded: true },
    });
  });

  test("goes back by itself when the new revision fails more often, and says why everywhere", async () => {
    const world = await RevisionWorld.make(scratch.path);
    await using headrace = await world.up();
    const load = new Load(headrace.port, 4, () => "/");
    world.code("v2", "await answer(500 if n % 3 == 0 else 200)");
    const { status, stdout, stderr } = await world.attempt("deploy", "api", "--over", "60s", "--guard");
    expect(stderr).toMatch(
      /^headrace: rev-2 of api is worse, back to rev-1 100%: \d+% of its requests failed, 0% before/,
    );
    expect([status, stdout.split("\n")[0]]).toEqual([1, "rev-2 of api has 1% of the requests."]);
    await load.stop();
    const ps = await world.run("ps");
    expect(ps).toContain("rollout: rev-2 of api is worse, back to rev-1 100%");
    expect(headrace.output.text).toContain('"platform.rollout_failed"');
    const report = await world.api<TrafficReport>(headrace, "traffic");
    expect(report).toMatchObject({ targets: [{ revision: "rev-1", weight: 100 }], before: null });
    // What was tried is still there.
    expect(await world.run("traffic", "api", "--to", "rev-2=100")).toContain("rev-2      100%");
  });

  test("at once goes back, too, by what the old revision did before, when the new one is slower", async () => {
    const world = await RevisionWorld.make(scratch.path);
    await using headrace = await world.up();
    const load = new Load(headrace.port, 8, () => "/");
    while (load.answered < 200) await Bun.sleep(5);
    world.code("v2", "await asyncio.sleep(0.3 if n % 2 else 0); await answer(200)");
    const { status, stderr } = await world.attempt("deploy", "api", "--guard");
    expect(stderr).toMatch(
      /is worse, back to rev-1 100%: \d+% of its requests took longer than \S+, \S+% before/,
    );
    expect(status).toBe(1);
    await load.stop();
    expect(load.wrong).toEqual([]);
  });

  test("goes back when the new revision hangs, though it has answered nothing that could be compared", async () => {
    const world = await RevisionWorld.make(scratch.path, "    drainTimeout: 1s");
    await using headrace = await world.up();
    const load = new Load(headrace.port, 4, () => "/");
    while (load.answered < 100) await Bun.sleep(5);
    await load.stop();
    world.code("v2", "await asyncio.sleep(600)");
    const deploy = world.attempt("deploy", "api", "--guard");
    await headrace.output.waitFor('"state":"watching"');
    const clients = await Promise.all(Array.from({ length: 60 }, () => RawClient.open(headrace.port)));
    for (const client of clients) client.request("GET", "/");
    const { status, stderr } = await deploy;
    expect([status, stderr]).toEqual([1, expect.stringContaining("100% of its requests took longer than")]);
    expect(await world.run("traffic", "api")).toContain("rev-1      100%");
    for (const client of clients) client[Symbol.dispose]();
  });

  test("goes back when the new revision crashes later, without a request", async () => {
    const world = await RevisionWorld.make(scratch.path);
    await using headrace = await world.up();
    world.crashing("v2", join(world.folder, "crash"));
    const deploy = world.attempt("deploy", "api", "--over", "1h", "--guard", "--settle", "0");
    await headrace.output.waitFor('"platform.rollout"');
    writeFileSync(join(world.folder, "crash"), "");
    const { status, stderr } = await deploy;
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/^headrace: rev-2 of api is worse, back to rev-1 100%: it crashed \S+/),
    ]);
  });

  test("ends when somebody else decides", async () => {
    const world = await RevisionWorld.make(scratch.path);
    await using headrace = await world.up();
    world.code("v2");
    const deploy = world.attempt("deploy", "api", "--over", "1h");
    await headrace.output.waitFor('"platform.rollout"');
    await world.run("traffic", "api", "--to", "rev-2=30", "--to", "rev-1=70");
    const { status, stderr } = await deploy;
    expect([status, stderr]).toEqual([
      1,
      "headrace: The rollout of rev-2 of api ended at 1%: the traffic was changed meanwhile.\n",
    ]);
    const { targets, rollout } = await world.api<TrafficReport>(headrace, "traffic");
    expect(rollout).toMatchObject({ state: "superseded", why: "the traffic was changed meanwhile" });
    expect(targets.map(({ weight }) => weight)).toEqual([30, 70]);
    const both = await world.attempt("deploy", "api", "--no-traffic", "--guard");
    expect(both.stderr).toStartWith("headrace: A revision without traffic has no rollout");
  });
});

test("a revision that crashes just after it is ready gets no request, and the command says so", async () => {
  const world = await RevisionWorld.make(scratch.path);
  await using headrace = await world.up();
  const load = new Load(headrace.port, 2, () => "/");
  const gate = join(world.folder, "crash");
  world.crashing("v2", gate);
  writeFileSync(gate, "");
  // Longer than anything takes: it ends with the crash, not with the time.
  const { status, stderr } = await world.attempt("deploy", "api", "--settle", "5m");
  expect(stderr).toMatch(
    /^headrace: rev-2 of api crashed \d+ ms after it was ready, so it gets no requests\.\n/,
  );
  expect(status).toBe(1);
  await load.stop();
  expect([load.wrong, [...load.bodies]]).toEqual([[], ["v1 v1"]]);
  const { targets } = await world.api<TrafficReport>(headrace, "traffic");
  expect(targets).toEqual([{ revision: "rev-1", weight: 100 }]);
});

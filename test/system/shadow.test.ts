/** A share of the requests is mirrored to a revision, the answers are compared, and clients notice nothing. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { TrafficReport } from "../../src/model/revision.ts";
import { ask, RawClient } from "./client.ts";
import { eventually, type Headrace, PATIENCE_MS, scratchFolder } from "./harness.ts";
import { RevisionWorld } from "./revision-world.ts";

setDefaultTimeout(PATIENCE_MS * 4);

const scratch = scratchFolder();
afterAll(() => scratch[Symbol.dispose]());

/** Counters of the mirrored requests, those that are not 0. */
async function counters(headrace: Headrace): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  const pattern = /^headrace_shadow_(\w+)_total\{service="api",revision="(rev-\d+)"\} (\d+)$/gm;
  for (const [, name, revision, value] of (await headrace.metrics()).matchAll(pattern))
    if (value !== "0") found[`${revision} ${name}`] = Number(value);
  return found;
}

async function asked(headrace: Headrace, count: number, method = "GET"): Promise<string[]> {
  using client = await RawClient.open(headrace.port);
  const answers: string[] = [];
  for (let n = 0; n < count; n++) {
    const { status, body } = await client.request(method, `/?n=${n}`).answer(method);
    answers.push(`${status} ${body}`);
  }
  return answers;
}

/** A world with v1, and a second revision without a share. */
async function mirrored(body: string, percent: number, version = "v1") {
  const world = await RevisionWorld.make(scratch.path);
  const headrace = await world.up();
  world.code(version, body);
  await world.run("deploy", "api", "--no-traffic");
  const shown = await world.run("traffic", "api", "--shadow", `rev-2=${percent}%`);
  return { world, headrace, shown };
}

const counted = (headrace: Headrace, wanted: Record<string, number>) =>
  eventually("the counts", async () =>
    Bun.deepEquals(await counters(headrace), wanted) ? true : undefined,
  ).catch(async () => expect(await counters(headrace)).toEqual(wanted));

describe("a shadow", () => {
  test("answers a share of the safe requests, and what is alike is counted so", async () => {
    const { world, headrace: started, shown } = await mirrored("await answer(200)", 25);
    await using headrace = started;
    expect(shown).toBe(
      "REVISION  SHARE  TAGS\nrev-1      100%\nrev-2        0%\n25% of the requests are mirrored to rev-2\n",
    );
    expect(new Set(await asked(headrace, 200))).toEqual(new Set(["200 v1 v1"]));
    // Requests of one connection come to one gateway.
    await counted(headrace, { "rev-2 same": 50 });
    expect(new Set(await asked(headrace, 40, "POST"))).toEqual(new Set(["200 v1 v1"]));
    expect((await ask(headrace.port, "PUT", "/", [], "a body")).status).toBe(200);
    await counted(headrace, { "rev-2 same": 50 });
    expect(await world.run("ps")).toContain("25% of the requests are mirrored to rev-2\n");
    const metrics = await headrace.metrics();
    expect(metrics).toContain('headrace_requests_total{service="api",revision="rev-1",code="200"} 241');
    expect(metrics).toContain('headrace_requests_total{service="api",revision="rev-2",code="200"} 50');
    await world.run("traffic", "api", "--shadow", "0");
    await asked(headrace, 50);
    expect((await world.api<TrafficReport>(headrace, "traffic")).shadow).toBeNull();
  });

  test("is told apart by status and by body, in the metrics and in the log", async () => {
    const statuses = await mirrored("await answer(500 if n % 4 == 0 else 200)", 100);
    {
      await using headrace = statuses.headrace;
      // One after the other is not so many at a time that some are left out.
      for (let part = 1; part <= 2; part++) {
        expect(new Set(await asked(headrace, 48))).toEqual(new Set(["200 v1 v1"]));
        await counted(headrace, { "rev-2 same": 36 * part, "rev-2 status_differences": 12 * part });
      }
      await headrace.output.waitFor(
        /Shadow rev-2: GET \/\?n=\d+ was answered with 200, by the shadow with 500/,
      );
    }
    const bodies = await mirrored("await answer(200)", 100, "v2");
    await using headrace = bodies.headrace;
    expect(new Set(await asked(headrace, 20))).toEqual(new Set(["200 v1 v1"]));
    await counted(headrace, { "rev-2 body_differences": 20 });
    await headrace.output.waitFor("by the shadow as well, with another body");
  });

  test("that hangs, dies or sends without end is nobody's business", async () => {
    const bodies = {
      "an app that never answers": "await asyncio.sleep(3600)",
      "an app that dies": "import os; os._exit(1)",
      "an app without end": [
        'await send({"type": "http.response.start", "status": 200, "headers": []})',
        'while True: await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})',
      ].join("\n    "),
    };
    for (const [what, code] of Object.entries(bodies)) {
      const { headrace: started } = await mirrored(code, 100);
      await using headrace = started;
      const answers = await asked(headrace, 120);
      expect([what, new Set(answers)]).toEqual([what, new Set(["200 v1 v1"])]);
      // Of the first, more are under way than there may be: the others are left out.
      await eventually(what, async () =>
        Object.keys(await counters(headrace)).length > 0 ? true : undefined,
      );
      const metrics = await headrace.metrics();
      expect(metrics).toMatch(/headrace_requests_total\{service="api",revision="rev-1",code="200"\} 120/);
    }
  });
});

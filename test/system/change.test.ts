/** Change without loss: deploys, shifts, rollbacks and new files in a row, under load, and no request fails. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import type { RevisionReport, TrafficReport, TrafficWish } from "../../src/model/revision.ts";
import { ask } from "./client.ts";
import { eventually, type Headrace, PATIENCE_MS, scratchFolder } from "./harness.ts";
import { Load } from "./load.ts";
import { RevisionWorld } from "./revision-world.ts";

setDefaultTimeout(PATIENCE_MS * 8);

const scratch = scratchFolder();
afterAll(() => scratch[Symbol.dispose]());

const DEPLOYS = 20;

/** Clients that open a connection for each request. */
class Strangers {
  answered = 0;
  readonly wrong: string[] = [];
  #going = true;
  readonly #clients: Promise<void>[];

  constructor(port: number, clients: number) {
    this.#clients = Array.from({ length: clients }, () => this.#client(port));
  }

  async #client(port: number): Promise<void> {
    while (this.#going) {
      try {
        const { status, body } = await ask(port, "POST", "/", ["connection: close"], "x".repeat(2_000));
        if (status !== 200) this.wrong.push(`${status} ${body}`);
        this.answered++;
      } catch (error) {
        this.wrong.push(String(error));
      }
    }
  }

  async stop(): Promise<void> {
    this.#going = false;
    await Promise.all(this.#clients);
  }
}

/** Applies the file, which has a new number of slots, and waits until it holds. */
async function reload(world: RevisionWorld, headrace: Headrace, slots: number): Promise<void> {
  const newest = async () => (await world.api<RevisionReport[]>(headrace, "revisions"))[0]!.revision;
  const before = await newest();
  world.write(`    concurrency: ${slots}\n    scale: { min: 1, max: 3 }`);
  process.kill(headrace.pid, "SIGHUP");
  await eventually("the new file", async () => ((await newest()) === before ? undefined : true));
}

test(`${DEPLOYS} deploys, shifts, rollbacks and new files under load lose no request`, async () => {
  const world = await RevisionWorld.make(scratch.path, "    scale: { min: 1, max: 3 }");
  await using headrace = await world.up();
  const load = new Load(headrace.port, 12, () => "/");
  const strangers = new Strangers(headrace.port, 2);
  const newest = async () => (await world.api<RevisionReport[]>(headrace, "revisions"))[0]!.revision;
  const service = `${headrace.adminUrl}/v1/services/api`;
  const ok = async (answer: Promise<Response>) =>
    expect(await (await answer).json()).not.toHaveProperty("error");
  const direct = (wish: TrafficWish) => {
    const headers = { "content-type": "application/json" };
    return ok(fetch(`${service}/traffic`, { method: "PUT", headers, body: JSON.stringify(wish) }));
  };
  for (let n = 1; n <= DEPLOYS; n++) {
    const old = await newest();
    await world.deploy(`v${n + 1}`, ...(n % 7 === 0 ? ["--over", "500ms", "--guard"] : []));
    const fresh = await newest();
    const shares = [
      { revision: fresh, weight: 30 },
      { revision: old, weight: 70 },
    ];
    if (n % 2 === 0) await direct({ targets: shares });
    if (n % 3 === 0) await ok(fetch(`${service}/rollback`, { method: "POST" }));
    if (n % 4 === 0) await reload(world, headrace, 40 + n);
    if (n % 5 === 0) {
      const targets = [{ revision: await newest(), weight: 100 }];
      await direct({ targets, tags: [{ tag: "blue", revision: old }] });
    }
  }
  await load.stop();
  await strangers.stop();
  expect([...load.wrong, ...strangers.wrong]).toEqual([]);
  expect(load.answered).toBeGreaterThan(DEPLOYS * 10);
  expect(strangers.answered).toBeGreaterThan(DEPLOYS);
  // Something of nearly every version was seen.
  expect(load.bodies.size).toBeGreaterThan(DEPLOYS / 2);
  const metrics = await headrace.metrics();
  expect(metrics).not.toMatch(
    /headrace_requests_total\{service="api",revision="[^"]*",code="(5\d\d|none)"\}/,
  );
  const { targets, tags } = await world.api<TrafficReport>(headrace, "traffic");
  expect(targets.map(({ weight }) => weight)).toEqual([100]);
  expect(tags.map(({ tag }) => tag)).toEqual(["blue"]);
  const kept = await world.api<RevisionReport[]>(headrace, "revisions");
  expect(kept.length).toBeLessThanOrEqual(22);
});

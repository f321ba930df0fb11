/** Iterations on a schedule. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { CLASS, PATIENCE_MS, raw, run, serve } from "./python-testkit.ts";

setDefaultTimeout(PATIENCE_MS);

describe("on a schedule", () => {
  test("a stalling server is seen from the intended start, though few users can wait for it", async () => {
    let count = 0;
    let held: Promise<void> | undefined;
    using server = serve(async () => {
      if (++count === 60) held = Bun.sleep(600);
      await held;
      return new Response("ok");
    });
    const { sum } = await run({
      source: `async def scenario(user):\n    await user.client.get("/")\n`,
      wish: { host: server.host, model: "open", users: 2, stages: [{ atS: 0, rate: 200 }], durationS: 1.5 },
    });
    expect(sum.planned).toBe(300);
    expect(sum.done).toBe(300);
    expect(sum.failures).toEqual({});
    // 120 arrivals are due in the stall, half of them with 300 ms of it still before them.
    expect(sum.response.countAbove(300_000)).toBeGreaterThanOrEqual(55);
    expect(sum.response.percentile(99) / 600_000).toBeGreaterThan(0.9);
    expect(sum.blocked).toBeGreaterThanOrEqual(100);
    // To the two users that waited, it looked like two slow answers.
    expect(sum.service.countAbove(300_000)).toBeLessThan(20);
  });

  test("with users enough nobody stands in line, and stages make the rate", async () => {
    using server = serve(() => new Response("ok"));
    const stages = [
      { atS: 0, rate: 0 },
      { atS: 1, rate: 200 },
      { atS: 1.5, rate: 0 },
    ];
    const { sum } = await run({
      source: `${CLASS}
class Buyer(User):
    weight = 2
    @task
    async def buy(self):
        await self.client.get("/1", name="first")
        await self.client.get("/2", name="second")

class Looker(User):
    @task
    async def look(self):
        await self.client.get("/look", name="look")
`,
      wish: { host: server.host, model: "open", users: 10_000, stages, durationS: 1.8 },
      shards: 2,
    });
    // The area below the rate, and one for each that stands at its begin.
    expect(sum.planned).toBe(150);
    expect([sum.blocked, sum.failed]).toEqual([0, 0]);
    expect(sum.requests.get("first")?.done).toBe(100);
    expect(sum.requests.get("second")?.done).toBe(100);
    expect(sum.requests.get("look")?.done).toBe(50);
    expect(sum.lateness.count).toBe(150);
  });

  test("arrivals that never got a user are not forgotten", async () => {
    using server = raw(() => {});
    const wish = {
      model: "open",
      users: 1,
      stages: [{ atS: 0, rate: 50 }],
      durationS: 1,
      graceMs: 50,
    } as const;
    const source = `async def scenario(user):\n    await user.client.get("/")\n`;
    const { sum } = await run({ source, wish: { host: server.host, ...wish } });
    expect([sum.planned, sum.done]).toEqual([50, 50]);
    expect(sum.blocked).toBe(49);
    expect(sum.failures).toEqual({ unfinished: 50 });
    expect(sum.response.percentile(50)).toBeGreaterThan(400_000);
  });
});

/** What the figures of `headrace load` count, and what they leave out. */

import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "./generator.ts";
import { PATIENCE_MS, scratchFolder } from "./harness.ts";
import { Target } from "./target.ts";

setDefaultTimeout(PATIENCE_MS * 2);

const folder = scratchFolder();
afterAll(() => folder[Symbol.dispose]());

const scenario = join(folder.path, "late.py");
writeFileSync(scenario, 'async def scenario(user):\n    await user.client.get("/late")\n');

/** One answer after the other, each so much later than the one before. */
function oneByOne(target: Target, ms: number): void {
  let freeAt = 0;
  target.hold = () => {
    const now = performance.now();
    freeAt = Math.max(now, freeAt) + ms;
    return freeAt - now;
  };
}

const engines: Readonly<Record<string, (target: Target) => readonly string[]>> = {
  "a URL": (target) => [`${target.url}/late`],
  "a scenario": (target) => [scenario, "--host", target.url],
};

for (const [name, what] of Object.entries(engines)) {
  describe(name, () => {
    test("what was due in the warm-up is in no total, though it ends after it", async () => {
      using target = new Target();
      // All that comes in the first 0.9 s is answered after 1.4 s.
      let began = 0;
      target.hold = () => {
        began ||= performance.now();
        const into = performance.now() - began;
        return into < 900 ? 1_400 - into : 0;
      };
      const { result } = await load(...what(target), "--rate", "50", "--duration", "2s", "--warmup", "1s");
      expect(target.seen).toHaveLength(150);
      expect(result.totals).toMatchObject({ planned: 100, started: 100, done: 100, failed: 0 });
      expect(result.latency.response.count).toBe(100);
      expect(result.latency.response.p50Ms).toBeLessThan(400);
      // The rate is that of a span of time: what the warm-up had left belongs to it.
      expect(result.totals.passedPerS).toBeGreaterThan(60);
    });

    test("what is worked off after the end is not its rate, however short that takes", async () => {
      using target = new Target();
      oneByOne(target, 10);
      const { result } = await load(...what(target), "--rate", "130", "--duration", "1s");
      expect(result.totals.done).toBe(130);
      // 100 in the second; the last 30 ended in the 300 ms after it.
      expect(result.totals.passedPerS).toBeLessThanOrEqual(102);
      const [first] = result.series;
      expect(first!.done / first!.spanS).toBeLessThanOrEqual(115);
    });
  });
}

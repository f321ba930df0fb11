/** `headrace load --find-max`: what it ends with. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { load, loadUntil } from "./generator.ts";
import { PATIENCE_MS } from "./harness.ts";
import { Target } from "./target.ts";

setDefaultTimeout(PATIENCE_MS * 2);

/** A search that is over soon: more than one at a time is broken. */
function search(target: Target): readonly string[] {
  const slow = 40;
  let freeAt = 0;
  target.hold = () => {
    const now = performance.now();
    freeAt = Math.max(now, freeAt) + slow;
    return freeAt - now;
  };
  return [
    `${target.url}/late`,
    "--find-max",
    "--slo",
    "p50<100ms",
    "--rate",
    "10",
    "--step-duration",
    "1s",
    "--timeout",
    "3s",
  ];
}

test("a condition of --fail-if is looked at as well", async () => {
  using target = new Target();
  const { status, result } = await load(...search(target), "--fail-if", "p50>1ms");
  expect(result.thresholds).toMatchObject([{ text: "p50>1ms", ok: false }]);
  // On a busy machine the generator may meet its limit first, and says so.
  expect(status).toBe(result.verdict === "invalid" ? 98 : 99);
});

test("a warm-up comes before each step and takes nothing from it", async () => {
  using target = new Target();
  const { result } = await load(...search(target), "--warmup", "1s");
  expect([result.warmupS, result.durationS]).toEqual([1, 1]);
  for (const { rate, ok, passedPerS } of result.steps) if (ok) expect(passedPerS).toBeGreaterThan(rate / 2);
});

async function seen(target: Target, count: number): Promise<void> {
  while (target.seen.length < count) await Bun.sleep(10);
}

test("an interrupt in the first step ends with 105 and what there is", async () => {
  using target = new Target();
  const args = [...search(target), "--step-duration", "60s"];
  const { status, result } = await loadUntil(() => seen(target, 5), "SIGINT", args);
  expect([status, result.verdict]).toEqual([105, "interrupted"]);
  expect(result.steps).toEqual([]);
  expect(result.notes[0]).toContain("interrupted before a rate had kept the promise");
});

test("an interrupt in a later step ends with 105 and the rate until then", async () => {
  using target = new Target();
  const { status, result } = await loadUntil(
    async (stderr) => {
      while (!stderr().includes("✓ 10/s")) await Bun.sleep(10);
      await seen(target, target.seen.length + 3);
    },
    "SIGINT",
    search(target),
  );
  expect([status, result.verdict]).toEqual([105, "interrupted"]);
  expect(result.notes[0]).toContain("The promise was kept at 10/s");
});

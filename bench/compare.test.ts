import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { comparisonText, differences } from "./compare.ts";
import type { PartResult, Results } from "./frame/model.ts";
import { compare } from "./frame/verdict.ts";
import { part, results } from "./test/results.ts";

const RULES = { alpha: 0.05, least: 0.02, absolute: false };

/** A run whose machine is `speed` times as fast in every round, and Headrace beside that `rate` times; other figures do not change. */
function run({
  speed = 1,
  rate = 1,
  rounds = 5,
  shift = 0,
}: {
  speed?: number;
  rate?: number;
  rounds?: number;
  shift?: number;
}): Results {
  // Noise of a few percent, another one in each round, stack and case.
  const noise = (n: number) => 1 + 0.03 * Math.sin(12.9898 * (n + 1 + shift));
  const cases = Array.from({ length: 20 }, (_, at) => `case ${at}`);
  const samples: PartResult["samples"] = cases.flatMap((name, at) =>
    Array.from({ length: rounds }, (_, i) => i + 1).flatMap((round) =>
      ["headrace", "uvicorn"].map((stack, n) => {
        const own = stack === "headrace" && at === 3 ? rate : 1;
        const seed = at * 97 + round * 13 + n * 7;
        const weather = speed * (1 + 0.2 * Math.sin(round + shift));
        const values = { rate: 100 * own * weather * noise(seed), p99: 10 / (weather * noise(seed + 5)) };
        return { case: name, stack, round, others: 0, faults: [], values };
      }),
    ),
  );
  const pairs = cases.map((name) => ({ case: name, stack: "headrace", peer: "uvicorn", main: true }));
  return results([{ ...part(), samples, pairs, bars: [] }]);
}

describe("comparing two runs", () => {
  test("a change of one figure among forty is found, and it alone", () => {
    const worse = compare(run({}), run({ rate: 0.7, shift: 40 }), RULES).changes.filter(
      ({ verdict }) => verdict !== "same",
    );
    expect(worse.map(({ case: name, metric, verdict }) => [name, metric, verdict])).toEqual([
      ["case 3", "rate", "worse"],
    ]);
    expect(worse[0]?.factor).toBeCloseTo(0.7, 1);
    const better = compare(run({}), run({ rate: 1.4, shift: 40 }), RULES).changes.filter(
      ({ verdict }) => verdict !== "same",
    );
    expect(better.map(({ verdict }) => verdict)).toEqual(["better"]);
  });

  test("a faster machine is no change of a ratio, but one of the values as they are", () => {
    const [one, two] = [run({}), run({ speed: 3, shift: 40 })];
    expect(compare(one, two, RULES).changes.filter(({ verdict }) => verdict !== "same")).toEqual([]);
    const absolute = compare(one, two, { ...RULES, absolute: true }).changes;
    expect(absolute.filter(({ verdict }) => verdict === "better").length).toBe(absolute.length);
  });

  test("less is better for latency", () => {
    const [one, two] = [run({}), run({ speed: 0.3, shift: 40 })];
    const p99 = compare(one, two, { ...RULES, absolute: true }).changes.filter(
      ({ metric }) => metric === "p99",
    );
    expect(new Set(p99.map(({ verdict }) => verdict))).toEqual(new Set(["worse"]));
  });

  test("a sure change that is small is none", () => {
    const strict = compare(run({}), run({ rate: 0.7, shift: 40 }), { ...RULES, least: 0.5 });
    expect(strict.changes.filter(({ verdict }) => verdict !== "same")).toEqual([]);
  });

  test("too few rounds are told, not taken for no change", () => {
    const three = compare(run({ rounds: 3 }), run({ rounds: 3, rate: 0.5 }), RULES);
    expect(three.blind).toEqual(["3 rounds against 3: no p below 0.100 is possible"]);
    const two = compare(run({ rounds: 2 }), run({ rounds: 5 }), RULES);
    expect(two.changes).toEqual([]);
    expect(two.uncompared[0]).toContain("2 and 5 rounds that count");
  });

  test("figures of one run alone are named", () => {
    const both = compare(results([part("old")]), results([part("new")]), RULES);
    expect(both.changes).toEqual([]);
    expect(both.uncompared).toContain("new: app: headrace: rate, by uvicorn: not in the first run");
    expect(both.uncompared).toContain("old: app: headrace: rate, by uvicorn: not in the second run");
  });

  test("the text has what changed, by how much, and how much else there was", () => {
    const text = comparisonText(compare(run({}), run({ rate: 0.7, shift: 40 }), RULES), false);
    expect(text).toMatch(/^worse +-\d+\.\d % {2}p 0\.0\d\d {2}made-up: case 3: headrace: rate, by uvicorn: /);
    expect(text).toContain("40 figures: 0 better, 1 worse, the others within the noise.");
  });

  test("versions and machines that differ are told", () => {
    const one = results([]);
    const two = { ...one, versions: { Bun: "1.2.4" }, machine: { ...one.machine, kernel: "6.2" } };
    expect(differences(one, two)).toEqual([
      "Bun: 1.2.3 to 1.2.4",
      "uvicorn: 0.1 to absent",
      "kernel: 6.1 to 6.2",
    ]);
  });
});

test("the command's exit codes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "headrace-bench-test-"));
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const command = join(import.meta.dir, "compare");
  const run_ = async (...args: string[]) => {
    const child = Bun.spawn([command, ...args], { stdout: "pipe", stderr: "pipe" });
    const [out, err] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    return { code: await child.exited, said: out + err };
  };
  try {
    const a = file("a.json", JSON.stringify(run({})));
    const same = file("same.json", JSON.stringify(run({ shift: 40 })));
    const worse = file("worse.json", JSON.stringify(run({ rate: 0.6, shift: 40 })));
    const few = file("few.json", JSON.stringify(run({ rounds: 3 })));
    const other = file("other.json", '{"rows":[]}');
    expect((await run_(a, same)).code).toBe(0);
    expect((await run_(a, worse)).code).toBe(1);
    expect((await run_(worse, a)).code).toBe(0);
    expect((await run_(few, few)).code).toBe(2);
    expect(await run_(a, other)).toEqual({
      code: 2,
      said: expect.stringContaining("other.json is not a file of results"),
    });
    expect(await run_(a)).toEqual({ code: 2, said: expect.stringContaining("write the two files") });
    expect((await run_(a, join(folder, "none.json"))).said).toContain("there is no ");
    const json = JSON.parse((await run_(a, worse, "--json")).said);
    expect(json.changes[0].verdict).toBe("worse");
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);

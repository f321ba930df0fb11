import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { figuresOf } from "./frame/figures.ts";
import type { Results } from "./frame/model.ts";

const RUN = join(import.meta.dir, "run.ts");

async function run(...args: string[]): Promise<{ code: number; said: string }> {
  const env = { ...process.env, ONLY: "", ROUNDS: "", SECONDS: "", BUDGET: "", PIN: "", STACKS: "" };
  const child = Bun.spawn([process.execPath, RUN, ...args], { env, stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, said: out + err };
}

test("one part, small, with a real Headrace beside a real uvicorn", async () => {
  const folder = mkdtempSync(join(tmpdir(), "headrace-bench-test-"));
  try {
    const { code, said } = await run(
      "--only",
      "cpu",
      "--quick",
      "--stacks",
      "headrace,uvicorn",
      "--out",
      folder,
    );
    expect(said).toContain("cpu:");
    expect(code).toBe(0);
    const names = readdirSync(folder);
    const json = names.find((name) => name.endsWith(".json")) ?? "";
    const results = JSON.parse(readFileSync(join(folder, json), "utf8")) as Results;
    expect(results.machine.cores).toBeGreaterThan(0);
    expect(results.versions).toHaveProperty("uvicorn");
    const [part] = results.parts;
    if (part === undefined) throw new Error(said);
    // A busy machine may keep requests from being in time; then the round says so and its figures are left out.
    const counted = part.samples.filter(({ faults }) => faults.length === 0);
    const figures = figuresOf(part);
    for (const stack of ["headrace", "uvicorn"]) {
      expect(part.samples.filter((sample) => sample.stack === stack)).toHaveLength(1);
      expect(part.commands[`raw ASGI: ${stack}`]).toContain("raw:app");
    }
    if (counted.length < part.samples.length) return;
    const cpu = figures.find(({ stack, metric }) => stack === "uvicorn" && metric === "cpu");
    expect(cpu?.value.median).toBeGreaterThan(0);
    expect(cpu?.against?.stack).toBe("headrace");
    expect(cpu?.against?.ratio?.median).toBeGreaterThan(0);
    const written = (ending: string) => readFileSync(join(folder, json.replace(".json", ending)), "utf8");
    expect(written(".md")).toContain("| uvicorn |");
    expect(written(".html")).toContain("raw ASGI, 2000/s");
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 240_000);

test("what does not fit into the budget is left out, and named", async () => {
  const folder = mkdtempSync(join(tmpdir(), "headrace-bench-test-"));
  try {
    const { said } = await run("--only", "cpu", "--budget", "0.01", "--out", folder);
    expect(said).toContain("cpu: left out: it needs");
    const json = readdirSync(folder).find((name) => name.endsWith(".json")) ?? "";
    const results = JSON.parse(readFileSync(join(folder, json), "utf8")) as Results;
    expect(results.leftOut.map(({ name }) => name)).toEqual(["cpu"]);
    expect(results.parts).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);

test("wrong flags are told, and nothing is started", async () => {
  const strange = await run("--only", "cpu,nothing");
  expect([strange.code, strange.said]).toEqual([
    2,
    expect.stringContaining("there is no part nothing; there are: throughput"),
  ]);
  const rounds = await run("--rounds", "many");
  expect([rounds.code, rounds.said]).toEqual([2, expect.stringContaining("--rounds is many")]);
});

/** What a service was asked can be replayed through the autoscaler: its access log, a table of the load generator, Prometheus' series. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SimulationReport } from "../../src/autoscaler/simulate.ts";
import { APPS, command, eventually, Headrace, PATIENCE_MS, PYTHON, ROOT, scratchFolder } from "./harness.ts";

setDefaultTimeout(PATIENCE_MS * 4);

const folder = scratchFolder();
afterAll(() => folder[Symbol.dispose]());

async function replay(path: string, stdin?: string): Promise<SimulationReport> {
  const { status, stdout, stderr } = await command(
    ["simulate", path, "--json"],
    stdin === undefined ? {} : { stdin },
  );
  expect([status, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout);
}

test("the access log of a service, and the table of the load that it was under", async () => {
  await using headrace = await Headrace.start(join(APPS, "raw_asgi.py"), {
    args: ["--access-log", "json", "--log-format", "json"],
  });
  const table = join(folder.path, "load.csv");
  const load = ["load", `${headrace.url}/hello`, "-c", "1", "--duration", "3s", "--csv", table];
  expect(await command(load)).toMatchObject({ status: 0 });
  const report = await replay(table);
  const [titles, ...rows] = readFileSync(table, "utf8")
    .trimEnd()
    .split("\r\n")
    .map((row) => row.split(","));
  const column = (name: string) => rows.map((row) => Number(row[titles!.indexOf(name)]));
  const total = (name: string) => column(name).reduce((sum, value) => sum + value, 0);
  expect(total("started")).toBeGreaterThan(100);
  expect(report.summary.arrived).toBe(total("started"));
  const begin = column("time_s")[0]! - column("span_s")[0]!;
  expect(report.summary.durationMs / 1_000).toBeCloseTo(column("time_s").at(-1)! - begin, 3);

  const requests = () =>
    headrace.output.text.split("\n").filter((line) => line.includes('"http.server.request"')).length;
  await eventually("the log to be written", () => (requests() >= total("done") ? true : undefined));
  // Beside the log stands whatever else the service and its app write.
  const log = headrace.output.text;
  const logged = log.split("\n").filter((line) => line.includes('"http.server.request"')).length;
  expect((await replay("-", log)).summary.arrived).toBe(logged);
});

test("what Prometheus has of it, as docs/autoscaler.md writes the command", async () => {
  const docs = readFileSync(join(ROOT, "docs/autoscaler.md"), "utf8");
  const program = /python3 -c '(import json[^']+)'/.exec(docs)?.[1] ?? "";
  const values = [
    [1_700_000_000, "10"],
    [1_700_000_060, "120.5"],
    [1_700_000_120, "0"],
  ];
  const answer = { status: "success", data: { resultType: "matrix", result: [{ metric: {}, values }] } };
  const made = spawnSync(PYTHON, ["-c", program], { input: JSON.stringify(answer), encoding: "utf8" });
  expect([made.stderr, made.stdout.split("\n").length]).toEqual(["", 5]);
  const path = join(folder.path, "series.csv");
  writeFileSync(path, made.stdout);
  const { summary } = await replay(path);
  expect(summary.durationMs).toBe(180_000);
  expect(summary.arrived).toBeGreaterThan(7_000);
});

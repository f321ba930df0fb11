/**
 * Compares Headrace with named peers on this machine. All servers of a scenario run at once and are loaded in turns, round after
 * round, so that a slow phase of the machine falls on all of them; what counts is the ratio within a round.
 *
 *   scripts/bun bench/run.ts [--rounds 5] [--seconds 5] [--connections 64,512] [--only raw,fastapi,flask]
 *
 * Writes bench/results/DATE.json and DATE.md. Needs wrk, and nginx for one of the peers.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Contender, contenders, type Scenario, scenarios, yardstick } from "./contenders.ts";
import { Group } from "./processes.ts";
import { type Measured, missing, wrk } from "./wrk.ts";

const ROOT = join(import.meta.dir, "..");

interface Row extends Measured {
  readonly scenario: string;
  readonly contender: string;
  readonly connections: number;
  readonly round: number;
  /** CPU seconds of the whole process group for 100,000 requests. */
  readonly cpuPer100k: number;
  /** Of that, the Python processes. */
  readonly pythonCpuPer100k: number;
}

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "5" },
    connections: { type: "string", default: "64,512" },
    only: { type: "string", default: "" },
  },
});

const print = (line: string) => process.stdout.write(`${line}\n`);
const isPython = (command: string) => /\/python[\d.]*$|^python[\d.]*$/.test(command.split(" ")[0] ?? "");

async function measure(
  group: Group,
  scenario: Scenario,
  contender: Contender,
  connections: number,
  round: number,
): Promise<Row> {
  const before = [group.cpuSeconds(), group.cpuSeconds(isPython)] as const;
  const result = await wrk(contender.url + scenario.path, connections, Number(flags.seconds));
  const scale = 100_000 / Math.max(1, result.requests);
  return {
    ...result,
    scenario: scenario.name,
    contender: contender.name,
    connections,
    round,
    cpuPer100k: (group.cpuSeconds() - before[0]) * scale,
    pythonCpuPer100k: (group.cpuSeconds(isPython) - before[1]) * scale,
  };
}

async function runScenario(scenario: Scenario, scratch: string): Promise<Row[]> {
  const rows: Row[] = [];
  const list = contenders(scenario, scratch);
  const groups = new Map<string, Group>();
  try {
    for (const contender of list) {
      const { name, command, url, cwd } = contender;
      groups.set(name, await Group.start(name, command, url + scenario.path, { cwd }));
    }
    for (const contender of list) await wrk(contender.url + scenario.path, 64, 1);
    for (const connections of flags.connections.split(",").map(Number)) {
      for (let round = 1; round <= Number(flags.rounds); round += 1) {
        // Every other round goes backwards: nobody always comes after the same neighbour.
        const order = round % 2 === 0 ? [...list].reverse() : list;
        for (const contender of order) {
          const group = groups.get(contender.name);
          if (group === undefined) continue;
          const row = await measure(group, scenario, contender, connections, round);
          rows.push(row);
          const { requestsPerSecond, p99Ms, cpuPer100k, pythonCpuPer100k, errors } = row;
          const cpu = `CPU ${cpuPer100k.toFixed(2)} s/100k (Python ${pythonCpuPer100k.toFixed(2)})`;
          const head = `${scenario.name} c=${connections} round ${round} ${contender.name.padEnd(28)}`;
          print(
            `${head} ${requestsPerSecond.toFixed(0).padStart(7)}/s p99 ${p99Ms.toFixed(1)} ms, ${cpu}, ${errors} errors`,
          );
        }
      }
    }
  } finally {
    for (const group of groups.values()) await group.stop();
  }
  return rows;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** One bar of the comparison: the median over the rounds of a ratio taken within each round. */
function ratio(
  rows: readonly Row[],
  peer: string,
  value: (row: Row) => number,
): { median: number; spread: string } {
  const own = rows.filter((row) => row.contender === yardstick(peer));
  const ratios = own.flatMap((row) => {
    const other = rows.find((each) => each.contender === peer && each.round === row.round);
    return other === undefined || value(other) === 0 ? [] : [value(row) / value(other)];
  });
  return {
    median: median(ratios),
    spread: `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`,
  };
}

function report(rows: readonly Row[]): string {
  const lines = [`# Comparison of ${new Date().toISOString().slice(0, 10)}`, "", machine(), ""];
  lines.push(
    `${flags.rounds} interleaved rounds of ${flags.seconds} s each, wrk on the same machine; medians over the rounds.`,
    "",
  );
  for (const scenario of new Set(rows.map((row) => row.scenario))) {
    for (const connections of new Set(rows.map((row) => row.connections))) {
      const some = rows.filter((row) => row.scenario === scenario && row.connections === connections);
      if (some.length === 0) continue;
      lines.push(`## ${scenario}, ${connections} connections`, "");
      lines.push(
        "| server | requests/s | p50 ms | p99 ms | CPU s/100k | of it Python | errors | headrace is | spread | Python CPU ratio |",
      );
      lines.push("|---|---|---|---|---|---|---|---|---|---|");
      for (const name of new Set(some.map((row) => row.contender))) {
        const of = some.filter((row) => row.contender === name);
        const mid = (value: (row: Row) => number) => median(of.map(value));
        const speed = ratio(some, name, (row) => row.requestsPerSecond);
        const cpu = ratio(some, name, (row) => row.pythonCpuPer100k);
        const errors = of.reduce((sum, row) => sum + row.errors, 0);
        const figures = [
          mid((row) => row.requestsPerSecond).toFixed(0),
          mid((row) => row.p50Ms).toFixed(2),
          mid((row) => row.p99Ms).toFixed(1),
        ];
        const costs = [
          mid((row) => row.cpuPer100k).toFixed(2),
          mid((row) => row.pythonCpuPer100k).toFixed(2),
          `${errors}`,
        ];
        const against =
          yardstick(name) === null
            ? ["", "", ""]
            : [`${speed.median.toFixed(2)} x`, speed.spread, cpu.median.toFixed(2)];
        lines.push(`| ${[name, ...figures, ...costs, ...against].join(" | ")} |`);
      }
      lines.push("");
    }
  }
  return lines.join("\n");
}

function machine(): string {
  const python = spawnSync(join(ROOT, ".venv/bin/python"), ["-V"], { encoding: "utf8" }).stdout.trim();
  const pins = readFileSync(join(ROOT, "python/requirements-dev.txt"), "utf8");
  const versions = ["uvicorn", "httptools", "uvloop", "gunicorn", "fastapi", "Flask"].map(
    (name) => `${name} ${new RegExp(`^${name}==([\\d.]+)`, "m").exec(pins)?.[1]}`,
  );
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  return `${cpus().length} x ${cpus()[0]?.model.trim()}, ${memory}, Bun ${Bun.version}, ${python}, ${versions.join(", ")}.`;
}

async function main(): Promise<number> {
  const lack = missing();
  if (lack !== null) {
    process.stderr.write(`${lack}\n`);
    return 2;
  }
  const scratch = mkdtempSync(join(tmpdir(), "headrace-bench-"));
  const rows: Row[] = [];
  try {
    const wanted =
      flags.only === "" ? scenarios : scenarios.filter(({ name }) => flags.only.split(",").includes(name));
    for (const scenario of wanted) rows.push(...(await runScenario(scenario, scratch)));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  const folder = join(ROOT, "bench/results");
  mkdirSync(folder, { recursive: true });
  const day = new Date().toISOString().slice(0, 10);
  let name = day;
  for (let n = 2; existsSync(join(folder, `${name}.json`)); n += 1) name = `${day}-${n}`;
  const text = report(rows);
  writeFileSync(
    join(folder, `${name}.json`),
    `${JSON.stringify({ machine: machine(), flags, rows }, null, 1)}\n`,
  );
  writeFileSync(join(folder, `${name}.md`), `${text}\n`);
  print(`\n${text}`);
  return 0;
}

if (import.meta.main) process.exit(await main());

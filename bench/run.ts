/**
 * Compares Headrace with named peers on this machine: same apps, same sizes, in turns, round after round, so that a slow phase of the
 * machine falls on all of them. What counts is the ratio within a round. Writes DATE.json, DATE.md and DATE.html to bench/results.
 *
 *   scripts/bun bench/run.ts [--only throughput,overload] [--rounds 5] [--seconds 1] [--budget 45] [--quick]
 *                            [--stacks granian,nginx] [--pin SERVERS:LOAD] [--before FOLDER] [--label WORDS] [--out FOLDER] [--list]
 *
 * Exit codes: 0 all parts ran; 1 a part failed, or a bar was missed; 2 the flags are wrong.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { Bench } from "./frame/bench.ts";
import { barsOf } from "./frame/figures.ts";
import { commit, machine, versions } from "./frame/machine.ts";
import { markdown } from "./frame/markdown.ts";
import { missingPeers } from "./frame/missing.ts";
import type { Missing, PartResult, Results, Settings } from "./frame/model.ts";
import type { Part } from "./frame/part.ts";
import { PYTHON, ROOT } from "./frame/places.ts";
import { readSettings, UsageError } from "./frame/settings.ts";
import { missing as missingWrk } from "./load/wrk.ts";
import { parts } from "./parts/parts.ts";
import { html } from "./pictures/html.ts";

const print = (line: string) => process.stdout.write(`${line}\n`);

const flags = {
  only: { type: "string" },
  rounds: { type: "string" },
  seconds: { type: "string" },
  budget: { type: "string" },
  stacks: { type: "string" },
  pin: { type: "string" },
  before: { type: "string" },
  label: { type: "string" },
  out: { type: "string" },
  quick: { type: "boolean" },
  list: { type: "boolean" },
} as const;

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: flags });
  const settings = readSettings(values, process.env);
  if (values.list) {
    for (const part of parts)
      print(`${part.name.padEnd(14)} ${minutes(part.estimate(settings))}  ${part.about}`);
    return 0;
  }
  const wanted = choose(values.only ?? process.env["ONLY"] ?? "");
  const folder = values.out ?? join(ROOT, "bench/results");
  mkdirSync(folder, { recursive: true });
  const startedAt = new Date().toISOString();
  const stem = freeStem(folder, startedAt.slice(0, 10));
  const command = commandLine(args, process.env);
  const frame = {
    format: 1 as const,
    startedAt,
    label: values.label ?? "",
    commit: commit(),
    command,
    // Where the other checkout lay says nothing to a reader.
    settings: { ...settings, before: settings.before === null ? null : commit(settings.before) },
    machine: machine(),
  };
  const known = versions({ "": PYTHON, "Ray: ": environment("ray"), "LitServe: ": environment("litserve") });
  const began = performance.now();
  const results = () => ({ ...frame, seconds: (performance.now() - began) / 1000, versions: known });
  const done: PartResult[] = [];
  const leftOut: Missing[] = [];
  for (const part of wanted) {
    const why = unfit(part, settings, (performance.now() - began) / 1000);
    if (why !== null) leftOut.push({ name: part.name, why });
    else await run(part, settings, done, leftOut);
    if (why !== null) print(`${part.name}: left out: ${why}`);
    const all: Results = { ...results(), missing: missingPeers(done), leftOut, parts: done };
    write(stem, all);
  }
  print(`\n${relative(process.cwd(), stem)}.md, .json and .html`);
  const missed = done.flatMap(barsOf).filter(({ reached }) => !reached);
  for (const bar of missed) print(`missed: ${bar.case}, ${bar.stack}: ${bar.text}`);
  return leftOut.some(({ why }) => why.startsWith("broke off")) || missed.length > 0 ? 1 : 0;
}

/** What to type to do it again. */
export function commandLine(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const quoted = (word: string) =>
    /^[\w./:,=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
  const set = ["ONLY", "ROUNDS", "SECONDS", "BUDGET", "PIN", "STACKS", "BEFORE"].flatMap((name) => {
    const value = environment[name] ?? "";
    return value === "" ? [] : [`${name}=${quoted(value)}`];
  });
  return [...set, "scripts/bun bench/run.ts", ...args.map(quoted)].join(" ");
}

function minutes(seconds: number): string {
  return `${(seconds / 60).toFixed(1).padStart(5)} min`;
}

function choose(only: string): readonly Part[] {
  if (only === "") return parts.filter(({ extra }) => extra !== true);
  const names = only.split(",").map((name) => name.trim());
  const strange = names.filter((name) => !parts.some((part) => part.name === name));
  if (strange.length > 0)
    throw new UsageError(
      `there is no part ${strange.join(", ")}; there are: ${parts.map(({ name }) => name).join(", ")}`,
    );
  return parts.filter(({ name }) => names.includes(name));
}

function environment(name: string): string {
  return join(ROOT, `bench/.venv-${name}/bin/python`);
}

/** Where the results go, without the ending; a second run of a day does not write over the first. */
export function freeStem(folder: string, day: string): string {
  for (let n = 1; ; n++) {
    const stem = join(folder, n === 1 ? day : `${day}-${n}`);
    if (!existsSync(`${stem}.json`)) return stem;
  }
}

/** Why a part is not to run; null when it is. */
function unfit(part: Part, settings: Settings, passed: number): string | null {
  if (part.wrk) {
    const why = missingWrk();
    if (why !== null) return why;
  }
  const needs = part.estimate(settings);
  return passed + needs > settings.budget * 60
    ? `it needs ${minutes(needs).trim()}, and ${minutes(passed).trim()} of the budget of ${settings.budget} min were over`
    : null;
}

async function run(part: Part, settings: Settings, done: PartResult[], leftOut: Missing[]): Promise<void> {
  print(`${part.name}: ${part.about}`);
  const bench = new Bench(settings, print);
  const began = performance.now();
  try {
    await part.run(bench);
  } catch (error) {
    leftOut.push({ name: part.name, why: `broke off: ${error instanceof Error ? error.stack : error}` });
    print(`${part.name} broke off: ${error}`);
  } finally {
    bench.close();
  }
  const result = bench.result(part, (performance.now() - began) / 1000);
  print(`${part.name}: ${minutes(result.seconds).trim()}\n`);
  done.push(result);
}

/** After every part, so that what broke off is not all lost. */
function write(stem: string, results: Results): void {
  writeFileSync(`${stem}.json`, `${JSON.stringify(results, null, 1)}\n`);
  writeFileSync(`${stem}.md`, markdown(results));
  writeFileSync(`${stem}.html`, html(results));
}

if (import.meta.main) {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof TypeError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  }
}

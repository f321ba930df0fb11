/**
 * Tells two files of results apart: which figure of Headrace changed by more than noise, from A to B.
 *
 *   bench/compare A.json B.json [--alpha 0.05] [--least 2] [--absolute] [--all] [--json]
 *
 * Exit codes: 0 nothing is worse; 1 something is; 2 the files or flags are wrong, or there are too few rounds for any verdict.
 */
import { existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { shown } from "./frame/figures.ts";
import type { Results } from "./frame/model.ts";
import { UsageError } from "./frame/settings.ts";
import { median } from "./frame/statistics.ts";
import { type Change, type Comparison, compare } from "./frame/verdict.ts";

const flags = {
  alpha: { type: "string", default: "0.05" },
  least: { type: "string", default: "2" },
  absolute: { type: "boolean", default: false },
  all: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
} as const;

/** @throws UsageError */
export function readResults(path: string): Results {
  if (!existsSync(path)) throw new UsageError(`there is no ${path}`);
  const found = parsed(path);
  if (found?.format !== 1) throw new UsageError(`${path} is not a file of results of bench/run.ts`);
  return found;
}

function parsed(path: string): Results | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Results | null;
  } catch {
    return null;
  }
}

/** What differs between the machines and versions of two runs, since that may be the change. */
export function differences(before: Results, after: Results): string[] {
  const flat = ({ machine, versions, settings }: Results): Record<string, string> => ({
    ...versions,
    cpu: `${machine.cores} x ${machine.cpu}`,
    kernel: machine.kernel,
    seconds: String(settings.seconds),
    pin: settings.pin === null ? "none" : `${settings.pin.servers}:${settings.pin.load}`,
  });
  const [one, two] = [flat(before), flat(after)];
  return [...new Set([...Object.keys(one), ...Object.keys(two)])]
    .filter((key) => one[key] !== two[key])
    .map((key) => `${key}: ${one[key] ?? "absent"} to ${two[key] ?? "absent"}`);
}

export function comparisonText({ changes, uncompared, blind }: Comparison, all: boolean): string {
  const outside = changes.filter(({ verdict }) => verdict !== "same");
  const lines = (all ? changes : outside).map(line);
  const better = outside.filter(({ verdict }) => verdict === "better").length;
  lines.push(
    `${changes.length} figures: ${better} better, ${outside.length - better} worse, the others within the noise.`,
  );
  if (uncompared.length > 0) {
    lines.push(`${uncompared.length} not compared${all ? ":" : " (--all names them)."}`);
    if (all) lines.push(...uncompared.map((each) => `  ${each}`));
  }
  return [...lines, ...blind.map((each) => `Too few rounds: ${each}.`)].join("\n");
}

function line({
  part,
  case: name,
  stack,
  metric,
  about,
  peer,
  before,
  after,
  factor,
  p,
  verdict,
}: Change): string {
  const what = `${part}: ${name}: ${stack}: ${metric}${peer === null ? "" : `, by ${peer}`}`;
  const unit = peer === null ? about.unit : "x";
  const percent = `${factor >= 1 ? "+" : ""}${((factor - 1) * 100).toFixed(1)} %`;
  return `${verdict.padEnd(6)} ${percent.padStart(9)}  p ${p.toFixed(3)}  ${what}: ${shown(median(before))} to ${shown(median(after))} ${unit}`;
}

function number(text: string, name: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 100)) throw new UsageError(`--${name} is ${text}; it must be a number above 0`);
  return value;
}

function main(args: string[]): number {
  const { values, positionals } = parseArgs({ args, options: flags, allowPositionals: true });
  const [one, two] = positionals;
  if (one === undefined || two === undefined || positionals.length > 2)
    throw new UsageError("write the two files: bench/compare A.json B.json");
  const [before, after] = [readResults(one), readResults(two)];
  const rules = {
    alpha: number(values.alpha, "alpha"),
    least: number(values.least, "least") / 100,
    absolute: values.absolute,
  };
  const comparison = compare(before, after, rules);
  const differ = differences(before, after);
  if (values.json)
    process.stdout.write(`${JSON.stringify({ ...comparison, differences: differ }, null, 1)}\n`);
  else {
    for (const each of differ) process.stdout.write(`differs: ${each}\n`);
    process.stdout.write(`${comparisonText(comparison, values.all)}\n`);
  }
  const { changes, blind } = comparison;
  if (changes.length === 0 || blind.length > 0) return 2;
  return changes.some(({ verdict }) => verdict === "worse") ? 1 : 0;
}

if (import.meta.main) {
  try {
    process.exitCode = main(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof TypeError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  }
}

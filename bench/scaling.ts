/**
 * Measures how Headrace starts, scales and sheds, and says which bars are reached.
 *
 *   scripts/bun bench/scaling.ts [--only cold-start,scale-out,churn,overload] [--rounds 9]
 *
 * Writes bench/results/scaling-DATE.json and .md; parts that are not run keep their figures of the same day.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "./headrace.ts";
import { type Figure, type Part, reaches } from "./part.ts";
import { churn } from "./parts/churn.ts";
import { coldStart } from "./parts/cold-start.ts";
import { overload } from "./parts/overload.ts";
import { scaleOut } from "./parts/scale-out.ts";

const parts: readonly Part[] = [coldStart, scaleOut, churn, overload];

interface Measured {
  readonly name: string;
  readonly about: string;
  readonly figures: readonly Figure[];
}

/** The figures as a table for each part. Pure. */
export function scalingText(date: string, machine: string, measured: readonly Measured[]): string {
  const lines = [`# Scaling, ${date}`, "", machine, ""];
  for (const { name, about, figures } of measured) {
    lines.push(`## ${name}`, "", about, "", `    scripts/bun bench/scaling.ts --only ${name}`, "");
    lines.push("| figure | measured | bar | reached |", "|---|---|---|---|");
    for (const figure of figures) {
      const reached = reaches(figure);
      const word = reached === null ? (figure.note ?? "") : reached ? "yes" : "**no**";
      lines.push(`| ${figure.name} | ${show(figure.value)} ${figure.unit} | ${barText(figure)} | ${word} |`);
    }
    lines.push("");
  }
  return lines.join("\n");
}

function barText({ bar, unit }: Figure): string {
  if (bar === undefined) return "";
  return bar.least === undefined ? `at most ${bar.most} ${unit}` : `at least ${bar.least} ${unit}`;
}

function show(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 2 : 1);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { only: { type: "string", default: "" }, rounds: { type: "string", default: "9" } },
  });
  const wanted =
    values.only === "" ? parts : parts.filter(({ name }) => values.only.split(",").includes(name));
  if (wanted.length === 0) throw new Error(`there are: ${parts.map(({ name }) => name).join(", ")}`);
  const date = new Date().toISOString().slice(0, 10);
  const path = join(ROOT, `bench/results/scaling-${date}`);
  const before: Measured[] = existsSync(`${path}.json`)
    ? JSON.parse(readFileSync(`${path}.json`, "utf8")).parts
    : [];
  for (const part of wanted) {
    process.stdout.write(`${part.name}: ${part.about}\n`);
    const figures = await part.run(Number(values.rounds));
    for (const figure of figures) {
      const reached = reaches(figure);
      const mark = reached === null ? " " : reached ? "✓" : "✗";
      process.stdout.write(
        `  ${mark} ${figure.name}: ${show(figure.value)} ${figure.unit}  ${barText(figure)}\n`,
      );
    }
    const measured = { name: part.name, about: part.about, figures };
    const at = before.findIndex(({ name }) => name === part.name);
    if (at === -1) before.push(measured);
    else before[at] = measured;
    const machine = `${cpus().length} cores (${cpus()[0]?.model}), ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Bun ${Bun.version}.`;
    writeFileSync(`${path}.json`, `${JSON.stringify({ date, machine, parts: before }, null, 2)}\n`);
    writeFileSync(`${path}.md`, scalingText(date, machine, before));
  }
}

if (import.meta.main) await main();

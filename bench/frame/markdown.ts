/** The results as text. Pure. */
import { barsOf, type Figure, figuresOf, othersByRound, shown } from "./figures.ts";
import type { PartResult, Results } from "./model.ts";
import { standings } from "./standing.ts";

const percent = (share: number) => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;

export function markdown(results: Results): string {
  const { settings } = results;
  const lines = [
    `# Comparison of ${results.startedAt.slice(0, 10)}${results.label === "" ? "" : `: ${results.label}`}`,
    "",
    `${settings.rounds} rounds, interleaved; ${(results.seconds / 60).toFixed(1)} minutes. A ratio is Headrace's figure divided by the peer's in the same round: its median, and`,
    "the least and the most of the rounds. Load and servers share the machine. [docs/benchmarks.md](../../docs/benchmarks.md) says what",
    "each part does.",
    "",
    `    ${results.command}`,
    "",
    ...facts(results),
    "",
    ...list("Missing", results.missing),
    ...list("Left out", results.leftOut),
  ];
  lines.push(...standing(results));
  for (const part of results.parts) lines.push(...section(part));
  return `${lines.join("\n").trimEnd()}\n`;
}

function facts({ machine, settings, commit, versions }: Results): string[] {
  const sysctl = Object.entries(machine.sysctl).map(([name, value]) => `${name} ${value}`);
  const words = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const own = words.filter((word) => !/^(Ray|LitServe): /.test(word));
  const platforms = words.filter((word) => /^(Ray: (ray|Python) |LitServe: (litserve|Python) )/.test(word));
  const placed =
    settings.pin === null
      ? `servers and load on cores 0-${machine.cores - 1}, as the scheduler put them`
      : `servers on cores ${settings.pin.servers}, load on ${settings.pin.load}`;
  return [
    `- Machine: ${machine.cores} x ${machine.cpu}, ${(machine.memoryBytes / 2 ** 30).toFixed(0)} GiB, Linux ${machine.kernel}; ${placed}.`,
    `- Limits: ${machine.openFiles} open files; ${sysctl.join("; ")}.`,
    `- Headrace: ${commit === "" ? "no commit" : commit}.${settings.before === null ? "" : ` Before: ${settings.before}.`}`,
    `- Versions: ${[...own, ...platforms].join(", ")}.`,
  ];
}

function standing(results: Results): string[] {
  const all = standings(results);
  if (all.length === 0) return [];
  const lines = [
    "## Where Headrace stands",
    "",
    "Ahead or behind: better or worse than the peer in every round. Times: how many times worse, in the case where it is worst.",
    "",
    "| part | peer | figure | cases ahead | even | behind | furthest behind |",
    "| --- | --- | --- | --- | --- | --- | --- |",
  ];
  for (const { part, peer, metric, ahead, even, behind, worst } of all) {
    const where = worst === null ? "" : `${shown(worst.times)} times, ${worst.case}`;
    lines.push(`| ${part} | ${peer} | ${metric} | ${ahead} | ${even} | ${behind} | ${where} |`);
  }
  return [...lines, ""];
}

function list(title: string, things: readonly { readonly name: string; readonly why: string }[]): string[] {
  if (things.length === 0) return [];
  const clean = (why: string) => why.trim().split("\n").at(0)?.slice(0, 300);
  return [`## ${title}`, "", ...things.map(({ name, why }) => `- ${name}: ${clean(why)}`), ""];
}

function section(part: PartResult): string[] {
  const figures = figuresOf(part);
  const lines = [`## ${part.name}`, "", part.about, ""];
  for (const name of new Set(figures.map((figure) => figure.case)))
    lines.push(
      ...table(
        part,
        name,
        figures.filter((figure) => figure.case === name),
      ),
      "",
    );
  lines.push(...barTable(part), ...faultLines(part));
  for (const { case: name, stack, why } of part.absent)
    lines.push(`- ${name}: without ${stack}: ${why.trim().split("\n")[0]?.slice(0, 300)}`);
  const others = othersByRound(part).map(
    ({ round, mean, worst }) => `${round}: ${percent(mean)} (worst ${percent(worst)})`,
  );
  lines.push("", `CPU that others took of the machine, by round: ${others.join(", ")}.`, "", "Commands:", "");
  for (const [stack, command] of Object.entries(part.commands))
    lines.push(`    # ${stack}`, `    ${command}`);
  return [...lines, ""];
}

function table(part: PartResult, name: string, figures: readonly Figure[]): string[] {
  const metrics = Object.keys(part.metrics).filter((metric) =>
    figures.some((figure) => figure.metric === metric),
  );
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const heads = metrics.flatMap((metric) => {
    const unit = part.metrics[metric]?.unit ?? "";
    return [unit === "" ? metric : `${metric}, ${unit}`, "ratio"];
  });
  const lines = [`### ${name}`, "", row(["server", ...heads]), row(["---", ...heads.map(() => "---")])];
  for (const stack of new Set(figures.map((figure) => figure.stack))) {
    const cells = metrics.flatMap((metric) => {
      const figure = figures.find((each) => each.stack === stack && each.metric === metric);
      return figure === undefined ? ["", ""] : [shown(figure.value.median), ratioText(figure)];
    });
    lines.push(row([stack, ...cells]));
  }
  return lines;
}

function ratioText({ against }: Figure): string {
  if (against === null) return "";
  const { ratio } = against;
  return ratio === null ? "" : `**${shown(ratio.median)}** (${shown(ratio.low)} to ${shown(ratio.high)})`;
}

function barTable(part: PartResult): string[] {
  const bars = barsOf(part);
  if (bars.length === 0) return [];
  const lines = ["| bar | measured | reached |", "|---|---|---|"];
  for (const { case: name, stack, metric, least, most, value, reached } of bars) {
    const wanted = least === undefined ? `at most ${most}` : `at least ${least}`;
    const unit = part.metrics[metric]?.unit ?? "";
    lines.push(
      `| ${name}, ${stack}: ${metric} ${wanted} ${unit} | ${shown(value)} | ${reached ? "yes" : "**no**"} |`,
    );
  }
  return [...lines, ""];
}

function faultLines(part: PartResult): string[] {
  return part.samples
    .filter(({ faults }) => faults.length > 0)
    .map(
      ({ case: name, stack, round, faults }) =>
        `- does not count: ${name}, ${stack}, round ${round}: ${faults.join("; ").split("\n")[0]?.slice(0, 300)}`,
    );
}

/** The results as one page that needs nothing else. Pure. */
import { barsOf, figuresOf, othersByRound, shown } from "../frame/figures.ts";
import type { PartResult, Results } from "../frame/model.ts";
import { standings } from "../frame/standing.ts";
import { chartsOf } from "./charts.ts";
import { escapeHtml } from "./escape.ts";
import { STYLE } from "./style.ts";

export function html(results: Results): string {
  const title = `Headrace, ${results.startedAt.slice(0, 10)}${results.label === "" ? "" : `: ${results.label}`}`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title><style>${STYLE}</style></head><body>
<h1>${escapeHtml(title)}</h1>
${head(results)}
${standing(results)}
${results.parts.map(section).join("\n")}
${versions(results)}
</body></html>
`;
}

function head({ machine, settings, seconds, commit, command, missing, leftOut }: Results): string {
  const pin =
    settings.pin === null
      ? "servers and load share all cores"
      : `servers on cores ${settings.pin.servers}, load on ${settings.pin.load}`;
  const where = `${machine.cores} x ${machine.cpu}, ${(machine.memoryBytes / 2 ** 30).toFixed(0)} GiB, Linux ${machine.kernel}; ${pin}`;
  const absent = [
    ...missing.map(({ name, why }) => `missing: ${name}: ${why}`),
    ...leftOut.map(({ name, why }) => `left out: ${name}: ${why}`),
  ];
  return `<p class="soft">${escapeHtml(where)}. Commit ${escapeHtml(commit)}. ${settings.rounds} interleaved rounds, ${(seconds / 60).toFixed(1)} minutes.</p>
<p>A ratio compares Headrace with a peer within one round; shown are the median, and the least and the most of the rounds. In the pictures
ratios are turned so that more than 1 is good for Headrace, for latency, CPU and memory as well.</p>
<pre>${escapeHtml(command)}</pre>
${absent.length === 0 ? "" : `<ul>${absent.map((each) => `<li class="bad">${escapeHtml(each.slice(0, 300))}</li>`).join("")}</ul>`}`;
}

function standing(results: Results): string {
  const all = standings(results);
  if (all.length === 0) return "";
  const rows = all.map(({ part, peer, metric, ahead, even, behind, worst }) => {
    const where = worst === null ? "" : `${shown(worst.times)} times, ${worst.case}`;
    const count = behind > 0 ? `<td class="bad">${behind}</td>` : "<td>0</td>";
    const names = [part, peer, metric].map((name) => `<td>${escapeHtml(name)}</td>`).join("");
    return `<tr>${names}<td>${ahead}</td><td>${even}</td>${count}<td>${escapeHtml(where)}</td></tr>`;
  });
  const total = (what: "ahead" | "even" | "behind") => all.reduce((sum, each) => sum + each[what], 0);
  return `<h2>Where Headrace stands</h2>
<p>Better than the peer in every round: ${total("ahead")} figures. Worse in every round: ${total("behind")}. Neither: ${total("even")}.</p>
<details><summary>By part, peer and figure</summary><div class="scroll"><table><tr><th>part</th><th>peer</th><th>figure</th><th>cases ahead</th><th>even</th><th>behind</th><th>furthest behind</th></tr>${rows.join("")}</table></div></details>`;
}

function section(part: PartResult): string {
  return `<h2 id="${escapeHtml(part.name)}">${escapeHtml(part.name)}</h2>
<p class="soft">${escapeHtml(part.about)}</p>
<div class="cards">${chartsOf(part).join("\n")}</div>
${bars(part)}
<details><summary>Figures, commands, and what others took of the machine</summary>${tables(part)}${notes(part)}</details>`;
}

function bars(part: PartResult): string {
  const all = barsOf(part);
  if (all.length === 0) return "";
  const items = all.map(
    ({ case: name, stack, text, reached }) =>
      `<li>${reached ? "reached" : '<span class="bad">missed</span>'}: ${escapeHtml(`${name}, ${stack}: ${text}`)}</li>`,
  );
  return `<ul>${items.join("")}</ul>`;
}

function tables(part: PartResult): string {
  const figures = figuresOf(part);
  return [...Map.groupBy(figures, (figure) => figure.case)]
    .map(([name, some]) => {
      const metrics = Object.keys(part.metrics).filter((metric) =>
        some.some((figure) => figure.metric === metric),
      );
      const heads = metrics.map((metric) => {
        const { unit = "", about = "" } = part.metrics[metric] ?? {};
        return `<th title="${escapeHtml(about)}">${escapeHtml(unit === "" ? metric : `${metric}, ${unit}`)}</th>`;
      });
      const rows = [...Map.groupBy(some, (figure) => figure.stack)].map(([stack, own]) => {
        const cells = metrics.map((metric) => cell(own.find((figure) => figure.metric === metric)));
        return `<tr><td>${escapeHtml(stack)}</td>${cells.join("")}</tr>`;
      });
      return `<h3>${escapeHtml(name)}</h3><div class="scroll"><table><tr><th>server</th>${heads.join("")}</tr>${rows.join("")}</table></div>`;
    })
    .join("\n");
}

function cell(figure: ReturnType<typeof figuresOf>[number] | undefined): string {
  if (figure === undefined) return "<td></td>";
  const ratio = figure.against?.ratio ?? null;
  const against =
    ratio === null
      ? ""
      : ` <small>${shown(ratio.median)} x (${shown(ratio.low)} to ${shown(ratio.high)})</small>`;
  return `<td>${shown(figure.value.median)}${against}</td>`;
}

function notes(part: PartResult): string {
  const faults = part.samples
    .filter((sample) => sample.faults.length > 0)
    .map(
      ({ case: name, stack, round, faults: why }) =>
        `${name}, ${stack}, round ${round} does not count: ${why.join("; ")}`,
    );
  const absent = part.absent.map(({ case: name, stack, why }) => `${name}: without ${stack}: ${why}`);
  const others = othersByRound(part).map(({ round, mean }) => `${round}: ${(mean * 100).toFixed(1)} %`);
  const lines = [...faults, ...absent, `CPU that others took, by round: ${others.join(", ")}`];
  const commands = Object.entries(part.commands).map(([name, command]) => `# ${name}\n${command}`);
  return `<ul>${lines.map((each) => `<li>${escapeHtml(each.slice(0, 400))}</li>`).join("")}</ul><pre>${escapeHtml(commands.join("\n"))}</pre>`;
}

function versions({ versions: all, machine }: Results): string {
  const lines = [
    ...Object.entries(all),
    ...Object.entries(machine.sysctl),
    ["open files", machine.openFiles] as const,
  ];
  return `<details><summary>Versions and limits</summary><pre>${escapeHtml(lines.map(([name, value]) => `${name} ${value}`).join("\n"))}</pre></details>`;
}

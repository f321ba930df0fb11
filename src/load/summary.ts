/** What is printed at the end, in k6's order: what was promised first, then what was found. Pure. */

import { bytesText, grouped, milliseconds, percentText, perSecond } from "./figures.ts";
import { type Failure, failures } from "./messages.ts";
import type { Distribution, LoadResult, ServerView } from "./result.ts";

export interface View {
  /** With ANSI colours. */
  readonly color: boolean;
  /** Of the terminal. */
  readonly columns: number;
}

/** Narrower terminals break lines themselves. */
const NARROWEST = 80;

/** The whole text, each line ended, and none longer than the terminal has columns. */
export function summary(result: LoadResult, { color, columns }: View): string {
  const paint = painter(color);
  const width = Math.max(NARROWEST, columns);
  const sections = [
    thresholds(result, paint),
    ...totals(result, { paint, width }),
    ...theService(result.server, paint),
  ];
  return `${fitted(sections.join(""), width)}${closing(result, { paint, width })}`;
}

interface Look {
  readonly paint: Paint;
  readonly width: number;
}

/** Lines that are too long are broken between words; what is left stands below its column. */
function fitted(text: string, width: number): string {
  return text
    .split("\n")
    .flatMap((line) => brokenLine(line, width))
    .join("\n");
}

function brokenLine(line: string, width: number): string[] {
  const column = /^ {4}[^:]*\.: /.exec(line)?.[0].length ?? (/^ */.exec(line)?.[0].length ?? 0) + 2;
  const lines: string[] = [];
  let rest = line;
  while (Bun.stringWidth(rest) > width) {
    const at = rest.lastIndexOf(" ", width);
    if (rest.slice(0, at).trim() === "") break;
    lines.push(rest.slice(0, at).trimEnd());
    rest = " ".repeat(column) + rest.slice(at).trimStart();
  }
  return [...lines, rest];
}

type Paint = (text: string, color: "good" | "bad" | "dim" | "bold") => string;

const CODES = { good: "32", bad: "31", dim: "2", bold: "1" } as const;

function painter(color: boolean): Paint {
  return (text, kind) => (color ? `\x1b[${CODES[kind]}m${text}\x1b[0m` : text);
}

function title(text: string, paint: Paint): string {
  return `\n  ${paint(`█ ${text}`, "bold")}\n\n`;
}

function thresholds({ thresholds: all }: LoadResult, paint: Paint): string {
  if (all.length === 0) return "";
  const width = Math.max(...all.map(({ text }) => text.length));
  const lines = all.map(({ text, was, ok }) => {
    const mark = ok ? paint("✓", "good") : paint("✗", "bad");
    return `    ${mark} ${text.padEnd(width)}  was ${was}\n`;
  });
  return `${title("THRESHOLDS (fail if)", paint)}${lines.join("")}`;
}

/** Width of the names with their dots, as k6 prints them. */
const NAME = 26;
/** Where what a row says begins. */
const VALUES = 4 + NAME + 2;

function row(name: string, text: string): string {
  return `    ${`${name}`.padEnd(NAME, ".")}: ${text}\n`;
}

function totals(result: LoadResult, { paint, width }: Look): string[] {
  const { totals: counts, latency } = result;
  const share = counts.done === 0 ? 0 : counts.failed / counts.done;
  const blocks = [
    checksBlock(result, paint),
    times(result),
    row("requests", `${grouped(counts.done)}  ${perSecond(counts.startedPerS)}`) +
      row("  passed", `${grouped(counts.done - counts.failed)}  ${perSecond(counts.passedPerS)}`) +
      row(
        "  failed",
        paint(`${grouped(counts.failed)}  ${percentText(share)}`, counts.failed > 0 ? "bad" : "good"),
      ) +
      failureRows(result) +
      statusRow(result) +
      (counts.resent > 0
        ? row("  sent again", `${grouped(counts.resent)}  a kept connection had been closed`)
        : ""),
    scheduleRows(result),
    (counts.opened + counts.maxConnections > 0
      ? row("connections", `${grouped(counts.maxConnections)} at most, ${grouped(counts.opened)} made`)
      : "") +
      timeRow("  connecting", latency.connect) +
      (counts.maxInFlight > 0 ? row("in flight", `${grouped(counts.maxInFlight)} at most`) : "") +
      row(
        "data received",
        `${bytesText(counts.bytesIn)}  ${bytesText(counts.bytesIn / result.durationS)}/s`,
      ) +
      row("data sent", `${bytesText(counts.bytesOut)}  ${bytesText(counts.bytesOut / result.durationS)}/s`),
    generatorRow(result),
    requestRows(result, width),
  ];
  return [
    title("TOTAL RESULTS", paint) + blocks.filter((block) => block !== "").join("\n"),
    stepRows(result, paint),
  ];
}

function checksBlock({ checks }: LoadResult, paint: Paint): string {
  return checks
    .map(({ name, passed, failed }) => {
      const mark = failed === 0 ? paint("✓", "good") : paint("✗", "bad");
      const detail =
        failed === 0
          ? ""
          : `  ${percentText(passed / (passed + failed))}: ✓ ${grouped(passed)} ✗ ${grouped(failed)}`;
      return `    ${mark} ${name}${detail}\n`;
    })
    .join("");
}

function times({ latency, plan }: LoadResult): string {
  const { response, passed, service, firstByte } = latency;
  const differ = passed.count !== response.count;
  if (response.count === 0) return row("response time", "no answer came");
  return (
    row("response time", shape(response)) +
    (differ ? timeRow("  of those that passed", passed) : "") +
    (plan.model === "closed" ? "" : timeRow("service time", service)) +
    timeRow("first byte", firstByte)
  );
}

/** Nothing where nothing was measured: its zeros would be read as figures. */
function timeRow(name: string, times: Distribution): string {
  return times.count === 0 ? "" : row(name, shape(times));
}

/** Width of a figure with its name: four stand side by side in a terminal of 80 columns. */
const CELL = 11;

function shape(d: Distribution): string {
  const values: [string, number][] = [
    ["avg", d.meanMs],
    ["min", d.minMs],
    ["med", d.p50Ms],
    ["p90", d.p90Ms],
    ["p95", d.p95Ms],
    ["p99", d.p99Ms],
    ["p99.9", d.p999Ms],
    ["max", d.maxMs],
  ];
  const cells = values.map(([name, ms]) => `${name}=${milliseconds(ms).replace(" ", "")}`.padEnd(CELL));
  const lines = [cells.slice(0, 4), cells.slice(4)].map((line) => line.join(" ").trimEnd());
  return lines.join(`\n${" ".repeat(VALUES)}`);
}

function failureRows({ failures: all }: LoadResult): string {
  return Object.entries(all)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, count]) => row(`    ${name}`, `${grouped(count)}  ${failures[name as Failure] ?? ""}`))
    .join("");
}

function statusRow({ statuses }: LoadResult): string {
  const entries = Object.entries(statuses).toSorted(([a], [b]) => Number(a) - Number(b));
  if (entries.length === 0) return "";
  return row("  by status", entries.map(([status, count]) => `${status}: ${grouped(count)}`).join("  "));
}

function scheduleRows({ totals: counts, plan, latency }: LoadResult): string {
  if (plan.model !== "open") return "";
  const late = counts.planned === 0 ? 0 : counts.late / counts.planned;
  let rows = row("planned", `${grouped(counts.planned)}, begun ${grouped(counts.started)}`);
  rows += row(
    "  begun late (>10 ms)",
    `${grouped(counts.late)}  ${percentText(late)}  p99=${milliseconds(latency.lateness.p99Ms).replace(" ", "")}`,
  );
  if (counts.blocked > 0) rows += row("  waited for a connection", grouped(counts.blocked));
  if (counts.dropped > 0) rows += row("  never begun", grouped(counts.dropped));
  return rows;
}

function generatorRow({ generator, plan, totals: { maxConnections } }: LoadResult): string {
  const processes = `${plan.processes} ${plan.processes === 1 ? "process" : "processes"}`;
  const each =
    plan.model === "hold" && maxConnections > 0
      ? `, ${bytesText(generator.peakMemoryBytes / maxConnections)} a connection`
      : "";
  return row(
    "generator",
    `${processes}, ${generator.cores.toFixed(2)} cores, at most ${percentText(generator.peakCpu)} of one, ${bytesText(generator.peakMemoryBytes)}${each}`,
  );
}

const MOST_NAMES = 20;

/** Columns of a row beside the name. */
const FIGURES = 54;

function requestRows({ requests }: LoadResult, columns: number): string {
  if (requests.length === 0) return "";
  const shown = requests.slice(0, MOST_NAMES);
  const width = Math.min(columns - FIGURES, Math.max(...shown.map(({ name }) => name.length)));
  const rows = shown.map(({ name, done, failed, response }) => {
    const cut = name.length > width ? `${name.slice(0, width - 1)}…` : name;
    return `    ${cut.padEnd(width)}  ${grouped(done).padStart(9)}  ${grouped(failed).padStart(7)}  ${[response.p50Ms, response.p95Ms, response.p99Ms].map((ms) => milliseconds(ms).padStart(8)).join("  ")}\n`;
  });
  const head = `    ${"request".padEnd(width)}  ${"done".padStart(9)}  ${"failed".padStart(7)}  ${["p50", "p95", "p99"].map((name) => name.padStart(8)).join("  ")}\n`;
  const rest = requests.length - shown.length;
  return head + rows.join("") + (rest > 0 ? `    and ${rest} more; --json has all\n` : "");
}

function stepRows({ steps }: LoadResult, paint: Paint): string {
  if (steps.length === 0) return "";
  const lines = steps.map(({ rate, ok, passedPerS, p50Ms, p99Ms, failedShare, why }) => {
    const mark = ok ? paint("✓", "good") : paint("✗", "bad");
    return `    ${mark} ${perSecond(rate).padStart(9)}  passed ${perSecond(passedPerS).padStart(9)}  p50 ${milliseconds(p50Ms).padStart(8)}  p99 ${milliseconds(p99Ms).padStart(8)}  failed ${percentText(failedShare)}${why === "" ? "" : `  ${why}`}\n`;
  });
  return `${title("STEPS", paint)}${lines.join("")}`;
}

function compact(ms: number): string {
  return milliseconds(ms).replace(" ", "");
}

function theService(server: ServerView | null, paint: Paint): string[] {
  if (server === null) return [];
  const most = (guess: number, atMost: number | null) =>
    atMost === null ? `>${compact(guess)}` : `≤${compact(atMost)}`;
  const time = (of: ServerView["queue"]) =>
    `avg=${compact(of.meanMs)} med${most(of.p50Ms, of.p50AtMostMs)} p99${most(of.p99Ms, of.p99AtMostMs)}`;
  const ready = server.series.map((point) => point.ready);
  const largest = Math.max(0, ...ready);
  const least = ready.length === 0 ? 0 : Math.min(...ready);
  const refused = Object.entries(server.refusals).map(([reason, count]) => `${reason}: ${grouped(count)}`);
  return [
    title(`THE SERVICE'S SIDE${server.service === "" ? "" : `: ${server.service}`}`, paint) +
      row("answered", grouped(server.requests)) +
      row("waited for a slot", time(server.queue)) +
      row("in the app", time(server.run)) +
      row("refused", refused.length === 0 ? "0" : refused.join("  ")) +
      row("cold starts", grouped(server.coldStarts)) +
      row("instances", `${least} to ${largest} ready`) +
      row("in the line", `${grouped(Math.max(0, ...server.series.map((point) => point.waiting)))} at most`) +
      row("memory", `${bytesText(Math.max(0, ...server.series.map((point) => point.memoryBytes)))} at most`),
  ];
}

function closing({ notes, verdict, generator }: LoadResult, { paint, width }: Look): string {
  // What has lines of its own, as a traceback, stays as it is.
  const lines = notes.map((note) => {
    const shown = note.includes("\n") ? [`  ${note}`] : brokenLine(`  ${note}`, width);
    return shown.map((line) => `${paint(line, "dim")}\n`).join("");
  });
  if (verdict === "invalid")
    lines.push(
      fitted(
        `  ${paint("INVALID", "bad")}: ${generator.saturated ?? ""} What was measured is the generator, not the service.\n`,
        width,
      ),
    );
  if (verdict === "threshold") lines.push(`  ${paint("FAILED", "bad")}: a threshold was crossed.\n`);
  return lines.length === 0 ? "" : `\n${lines.join("")}`;
}

/** What `headrace simulate` prints for people. Pure. */

import { decisionText } from "../../autoscaler/reasons.ts";
import type { SimulationOptions, TimelineRow } from "../../autoscaler/simulate/world.ts";
import type { SimulationReport } from "../../autoscaler/simulate.ts";
import { showDuration } from "../../base/units.ts";
import { optionHelp } from "../help.ts";
import { type Column, table } from "../table.ts";
import { simulateGroups, simulateOptions } from "./simulate-options.ts";

/** The help of `headrace simulate`. @param columns width to wrap to */
export function simulateHelp(columns: number): string {
  const sections = simulateGroups.map((group) => {
    const rows = Object.values(simulateOptions).filter((option) => option.group === group);
    return `\n${group}\n${rows.map((option) => optionHelp(option, columns)).join("")}`;
  });
  return `Replays a trace of arrivals through the autoscaler, in seconds, and starts nothing: instances, waits, refusals.

Usage
  headrace simulate TRACE [flags]

  TRACE is the lines of an --access-log json, the table of a headrace load --csv, or a table of your own; - reads it from stdin.
  Such a table has a line of titles and a row for each change of the load:
      time_s,rate         time_s,arrivals,service_ms
      0,10                0,600,80
      60,500              60,30000,80
  time_s      seconds at which the row begins; it lasts until the next, the last as long as the one before it
  rate        requests per second, or
  arrivals    requests in the row
  service_ms  mean time a request holds its slot; may be left out
  service_cv  its standard deviation over its mean; may be left out
${sections.join("")}
CPU and memory are not replayed: no trace says what they would be, so --scale-cpu and --scale-memory have no part here.
Durations: 500ms, 30s, 5m; a bare number is seconds. docs/autoscaler.md explains the rules.
`;
}

/** What one run prints. */
export interface SimulationView {
  /** The trace, as it was named. */
  readonly title: string;
  readonly options: SimulationOptions;
  readonly report: SimulationReport;
  /** Whether the decisions are told as well. */
  readonly why: boolean;
  /** Width of the terminal. */
  readonly columns: number;
}

/** Table, plot, summary, and if wanted the decisions. */
export function simulationText(view: SimulationView): string {
  const { timeline, decisions } = view.report;
  const parts = [heading(view), table(timelineColumns, timeline), plot(timeline, view.columns)];
  if (view.why) {
    const lines = decisions.map((decision) => `${at(decision.at).padStart(8)}  ${decisionText(decision)}\n`);
    parts.push(`Decisions\n${lines.join("")}`);
  }
  parts.push(summaryText(view));
  return parts.join("\n");
}

function heading({ title, options, report }: SimulationView): string {
  const { settings, startTimeMs, seed } = options;
  const share = Math.round(settings.targetUtilization * 100);
  const facts = [
    `${title}: ${showDuration(report.summary.durationMs)}`,
    `${settings.concurrency} slots at ${share} %`,
    `${settings.minInstances} to ${settings.maxInstances} instances`,
    `start ${showDuration(startTimeMs)}`,
    report.model === "events" ? `request by request, seed ${seed}` : "as a fluid",
  ];
  return `${facts.join(", ")}\n`;
}

const timelineColumns: readonly Column<TimelineRow>[] = [
  { title: "TIME", cell: (row) => at(row.fromMs), right: true },
  { title: "REQUESTS/S", cell: (row) => amount(row.arrivalsPerSecond), right: true },
  { title: "RUNNING", cell: (row) => amount(row.running), right: true },
  { title: "WAITING", cell: (row) => amount(row.waiting), right: true },
  { title: "READY", cell: (row) => amount(row.ready), right: true },
  { title: "MOST", cell: (row) => String(row.mostInstances), right: true },
  { title: "WANTED", cell: (row) => String(row.desired), right: true },
  { title: "NEEDED", cell: (row) => amount(row.needed), right: true },
  { title: "WAIT P50", cell: (row) => wait(row.waitP50Ms), right: true },
  { title: "WAIT P99", cell: (row) => wait(row.waitP99Ms), right: true },
  { title: "REFUSED", cell: (row) => amount(row.refused), right: true },
  { title: "INSTANCE-S", cell: (row) => amount(row.instanceSeconds), right: true },
];

/** A time of the trace. */
function at(ms: number): string {
  return ms === 0 ? "0s" : showDuration(ms);
}

function wait(ms: number): string {
  return ms === 0 ? "0" : showDuration(ms);
}

/** Three digits or so. */
function amount(value: number): string {
  if (value === 0) return "0";
  return value < 99.95 ? value.toFixed(1).replace(/\.0$/, "") : String(Math.round(value));
}

/** Lines of the plot. */
const HEIGHT = 10;
/** The plot is at most this wide. */
const WIDEST = 90;

/** Ready instances as columns of #, what Little's law needs as o. */
export function plot(timeline: readonly TimelineRow[], columns: number): string {
  const width = Math.max(10, Math.min(WIDEST, columns - 12));
  const cells = merged(timeline, width);
  const most = Math.max(1, ...cells.map(({ ready, needed }) => Math.max(ready, needed)));
  const each = Math.max(1, Math.min(3, Math.floor(width / cells.length)));
  const height = (value: number) => (value <= 0 ? 0 : Math.max(1, Math.round((value / most) * HEIGHT)));
  const label = (text: string) => text.padStart(8);
  const lines: string[] = [];
  for (let level = HEIGHT; level >= 1; level -= 1) {
    const marks = cells.map(({ ready, needed }) =>
      (height(needed) === level ? "o" : height(ready) >= level ? "#" : " ").repeat(each),
    );
    const said = level === HEIGHT || level === HEIGHT / 2 ? amount((most * level) / HEIGHT) : "";
    lines.push(`${label(said)} |${marks.join("").trimEnd()}`);
  }
  const length = cells.length * each;
  const end = at(timeline.at(-1)?.toMs ?? 0);
  lines.push(`${label("0")} +${"-".repeat(length)}`);
  lines.push(`${label("")}  ${"0s".padEnd(Math.max(3, length - end.length))}${end}`);
  return `Instances: # ready, o needed by Little's law\n${lines.join("\n")}\n`;
}

/** At most `width` means of neighbouring rows. */
function merged(timeline: readonly TimelineRow[], width: number): { ready: number; needed: number }[] {
  const size = Math.max(1, Math.ceil(timeline.length / width));
  const cells: { ready: number; needed: number }[] = [];
  for (let from = 0; from < timeline.length; from += size) {
    const rows = timeline.slice(from, from + size);
    const ms = rows.reduce((sum, row) => sum + row.toMs - row.fromMs, 0);
    const mean = (value: (row: TimelineRow) => number) =>
      rows.reduce((sum, row) => sum + value(row) * (row.toMs - row.fromMs), 0) / ms;
    cells.push({ ready: mean((row) => row.ready), needed: mean((row) => row.needed) });
  }
  return cells;
}

function summaryText({ report }: SimulationView): string {
  const { summary } = report;
  const { waitMs } = summary;
  const refused = summary.refusedLineFull + summary.refusedWaitedTooLong;
  const ratio =
    summary.neededInstanceSeconds === 0
      ? ""
      : `, ${(summary.instanceSeconds / summary.neededInstanceSeconds).toFixed(2)} x what Little's law needs`;
  const still = summary.stillWaiting === 0 ? "" : `, ${summary.stillWaiting} still wait`;
  const rows = [
    [
      "requests",
      `${summary.arrived} came, ${summary.admitted} served, ${refused} refused (${summary.refusedLineFull} line full, ${summary.refusedWaitedTooLong} waited too long)${still}`,
    ],
    [
      "wait",
      `p50 ${wait(waitMs.p50)}, p95 ${wait(waitMs.p95)}, p99 ${wait(waitMs.p99)}, longest ${wait(waitMs.max)}`,
    ],
    [
      "instances",
      `mean ${amount(summary.meanInstances)}, most ${summary.mostInstances}, ${summary.starts} starts, ${summary.stops} stops, ${summary.directionChanges} changes of direction`,
    ],
    ["cost", `${amount(summary.instanceSeconds)} instance-seconds${ratio}`],
    ["utilisation", `${Math.round(summary.utilization * 100)} % of the slots that were ready`],
  ] as const;
  return rows.map(([name, text]) => `${name.padEnd(12)}${text}\n`).join("");
}

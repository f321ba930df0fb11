/** The view while a load runs: on a terminal some lines that are written anew, elsewhere one line a second. Pure but for its memory. */

import { bytesText, grouped, milliseconds, percentText, perSecond } from "./figures.ts";
import type { Point } from "./result.ts";
import type { Progress } from "./session.ts";

const BARS = "▁▂▃▄▅▆▇█";
/** Seconds that the little plots reach back. */
const HISTORY = 40;

/** One line for those who read a log. */
export function liveLine(progress: Progress): string {
  const point = progress.collector.latest(progress.processes);
  const at = `${Math.round(progress.atS)}s`.padStart(5);
  if (point === null) return `${at}  …\n`;
  return `${at}  ${perSecond(rate(point)).padStart(9)}  in flight ${grouped(point.inFlight).padStart(6)}  p50 ${milliseconds(point.p50Ms).padStart(8)}  p99 ${milliseconds(point.p99Ms).padStart(8)}  failed ${grouped(point.failed)}${service(progress)}\n`;
}

function service({ server }: Progress): string {
  if (server === null) return "";
  return `  | ${server.ready} ready${server.starting > 0 ? ` +${server.starting}` : ""}, ${grouped(server.waiting)} waiting, ${grouped(server.refused)} refused`;
}

function rate(point: Point): number {
  return point.spanS === 0 ? 0 : point.done / point.spanS;
}

/** Several lines for a terminal, each ended. @param columns its width */
export function liveScreen(progress: Progress, columns: number): string {
  const { collector, server } = progress;
  const point = collector.latest(progress.processes);
  const recent = collector.series().slice(-HISTORY);
  const lines = [progressBar(progress, columns)];
  if (point !== null) {
    const planned = point.planned / Math.max(point.spanS, 0.001);
    const goal = Math.abs(planned - rate(point)) > 1 ? ` of ${perSecond(planned)}` : "";
    lines.push(
      `  rate      ${(perSecond(rate(point)) + goal).padEnd(24)} ${spark(recent.map(rate))}`,
      `  p50       ${milliseconds(point.p50Ms).padEnd(24)} ${spark(recent.map(({ p50Ms }) => p50Ms))}`,
      `  p99       ${milliseconds(point.p99Ms).padEnd(24)} ${spark(recent.map(({ p99Ms }) => p99Ms))}`,
      `  in flight ${`${grouped(point.inFlight)} over ${grouped(point.connections)} connections`.padEnd(24)}`,
      `  failed    ${`${grouped(collector.counts.failed)}, ${percentText(shareFailed(progress))}`.padEnd(24)} ${codes(collector.statuses)}`,
    );
  }
  if (server !== null) {
    const starting = server.starting > 0 ? `, ${server.starting} starting` : "";
    lines.push(
      `  service   ${server.ready} ready${starting}; ${grouped(server.waiting)} waiting, ${grouped(server.running)} running, ${grouped(server.refused)}/s refused; ${bytesText(server.memoryBytes)}`,
    );
  }
  return lines.map((line) => `${line.slice(0, columns)}\n`).join("");
}

function shareFailed({ collector }: Progress): number {
  return collector.counts.done === 0 ? 0 : collector.counts.failed / collector.counts.done;
}

function codes(statuses: Readonly<Record<string, number>>): string {
  return Object.entries(statuses)
    .map(([status, count]) => `${status}: ${grouped(count)}`)
    .join("  ");
}

/** What stands beside the bar: brackets, and the longest text. */
const BESIDE = 46;

function progressBar(progress: Progress, columns: number): string {
  const width = Math.max(10, Math.min(50, columns - BESIDE));
  const { share, text } = wayTo(progress);
  const full = Math.round(Math.min(1, share) * width);
  return `  [${"█".repeat(full)}${"░".repeat(width - full)}] ${text}`;
}

/** How far it is. */
function wayTo({ goal, atS, collector }: Progress): { readonly share: number; readonly text: string } {
  const at = atS.toFixed(0);
  if (goal.kind === "requests") {
    const { done } = collector.counts;
    return { share: done / goal.count, text: `${grouped(done)} of ${grouped(goal.count)} requests` };
  }
  const share = goal.seconds <= 0 ? 1 : atS / goal.seconds;
  const whole = goal.seconds.toFixed(0);
  if (goal.kind === "about") return { share, text: `${at} of about ${whole} s` };
  const over = atS > goal.seconds + 0.5 ? ", waiting for the last answers" : "";
  return { share, text: `${at} of ${whole} s${over}` };
}

/** A plot of one line, from 0 to the largest value. */
export function spark(values: readonly number[]): string {
  const most = Math.max(...values, 0);
  return values
    .map((value) => BARS[most === 0 ? 0 : Math.min(7, Math.floor((value / most) * 7.999))])
    .join("");
}

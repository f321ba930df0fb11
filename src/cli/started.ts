/** What is said once everything runs. Pure. */

import { showDuration } from "../base/units.ts";
import type { StatusReport } from "../model/instance.ts";
import type { LogRecord } from "../model/log.ts";
import { cliRecord } from "./events.ts";

/** Emphasis, where the terminal has it. */
export interface Emphasis {
  dim(text: string): string;
  bold(text: string): string;
  cyan(text: string): string;
}

/** The block for people. */
export function startedText(status: StatusReport, adminUrl: string, paint: Emphasis): string {
  const rows: [string, string][] = [
    ["app", `${status.app}${status.interface === "" ? "" : ` (${status.interface})`}`],
    [
      "instances",
      `${status.instances.length} × ${slots(status.concurrency)}${range(status)}${startTime(status)}`,
    ],
    ["gateways", String(status.gateways.length)],
    ["preload", [status.preload.level, ...status.preload.reasons].join(": ")],
    ["admin", adminUrl === "" ? "off" : adminUrl],
  ];
  const lines = rows.map(([title, text]) => `  ${paint.dim(title.padEnd(10))} ${text}\n`);
  return `\n  ${paint.bold(status.service)} is served on ${paint.bold(paint.cyan(status.url))}\n\n${lines.join("")}\n`;
}

function slots(concurrency: number): string {
  return concurrency === 1 ? "1 slot" : `${concurrency} slots`;
}

/** How many there may be, where they come and go. */
function range({ scaling }: StatusReport): string {
  return scaling === null ? "" : ` (${scaling.minInstances} to ${scaling.maxInstances})`;
}

/** How long the slowest instance took, by phase, when that is known. */
function startTime(status: StatusReport): string {
  const total = (phases: Readonly<Record<string, number>>) =>
    Object.values(phases).reduce((sum, ms) => sum + ms, 0);
  const slowest = Math.max(0, ...status.instances.map((instance) => total(instance.phases)));
  return slowest === 0 ? "" : `, ready in ${showDuration(slowest)}`;
}

/** The same for programs. */
export function startedRecord(status: StatusReport, adminUrl: string): LogRecord {
  return cliRecord("cli.serving", `${status.service} is served on ${status.url}`, {
    "service.name": status.service,
    "service.version": status.revision,
    "url.full": status.url,
    admin_url: adminUrl,
    app: status.app,
    interface: status.interface,
    instances: status.instances.length,
    concurrency: status.concurrency,
    gateways: status.gateways.length,
    preload: status.preload.level,
    preload_reasons: status.preload.reasons.join("; "),
  });
}

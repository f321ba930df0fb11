/** What is said once everything runs. Pure. */

import { showDuration } from "../base/units.ts";
import type { ApplicationConfig } from "../config/file/config.ts";
import type { StatusReport } from "../model/instance.ts";
import type { LogRecord } from "../model/log.ts";
import { routeText } from "./commands/check-text.ts";
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

export interface StartedApplication {
  readonly application: ApplicationConfig;
  readonly url: string;
  readonly adminUrl: string;
  readonly services: readonly StatusReport[];
}

/** The block for people about many services. */
export function applicationText(about: StartedApplication, paint: Emphasis): string {
  const { application, url, adminUrl, services } = about;
  const width = Math.max(...services.map(({ service }) => service.length));
  const lines = services.map((status, index) => {
    const routes = application.services[index]!.routes.map(routeText).join(", ") || "no route";
    const count = `${status.instances.length} × ${slots(status.concurrency)}${range(status)}`;
    return `  ${paint.bold(status.service.padEnd(width))}  ${routes}  ${paint.dim(`${status.app}, ${count}`)}\n`;
  });
  const admin = `  ${paint.dim(`admin ${adminUrl === "" ? "off" : adminUrl}`)}\n`;
  return `\n  ${paint.bold(application.name)} is served on ${paint.bold(paint.cyan(url))}\n\n${lines.join("")}\n${admin}\n`;
}

/** The same for programs. */
export function applicationRecord({ application, url, adminUrl, services }: StartedApplication): LogRecord {
  return cliRecord("cli.serving", `${application.name} is served on ${url}`, {
    "service.name": application.name,
    "url.full": url,
    admin_url: adminUrl,
    app: application.file,
    services: services.map(({ service }) => service).join(" "),
    instances: services.reduce((sum, { instances }) => sum + instances.length, 0),
  });
}

/**
 * Writes those parts of the docs that are made from the tables of the source: options, errors, metrics, log events. A part stands
 * between `<!-- begin NAME -->` and `<!-- end NAME -->`; all else on a page is written by hand.
 *
 *   scripts/bun scripts/generate-docs.ts
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adminErrors } from "../src/admin/errors.ts";
import { openApi } from "../src/admin/openapi.ts";
import type { Route } from "../src/admin/route.ts";
import { routes } from "../src/admin/routes.ts";
import { adminEvents } from "../src/admin/signals.ts";
import { autoscalerEvents, autoscalerMetrics } from "../src/autoscaler/signals.ts";
import type { ErrorRow, ErrorTable } from "../src/base/errors.ts";
import type { EventTable } from "../src/base/signals.ts";
import { targetOptions } from "../src/cli/admin-client.ts";
import { checkOptions } from "../src/cli/commands/check-options.ts";
import { deployOptions } from "../src/cli/commands/deploy.ts";
import { doctorOptions } from "../src/cli/commands/doctor-options.ts";
import { eventsOptions } from "../src/cli/commands/events.ts";
import { initOptions } from "../src/cli/commands/init.ts";
import { loadGroups, loadOptions } from "../src/cli/commands/load-options.ts";
import { logsOptions } from "../src/cli/commands/logs.ts";
import { revisionsOptions } from "../src/cli/commands/revisions.ts";
import { simulateGroups, simulateOptions } from "../src/cli/commands/simulate-options.ts";
import { trafficOptions } from "../src/cli/commands/traffic.ts";
import { upOptions } from "../src/cli/commands/up-options.ts";
import { cliEvents } from "../src/cli/events.ts";
import { flagForm, variables } from "../src/cli/help.ts";
import { configErrors } from "../src/config/errors.ts";
import { jsonSchema, type KeyRow, keyRows } from "../src/config/file/schema.ts";
import { groups, runOptions } from "../src/config/options.ts";
import type { OptionTable } from "../src/config/parse.ts";
import { GATEWAY_ERRORS } from "../src/gateway/errors.ts";
import { HttpErrors } from "../src/gateway/http1/errors.ts";
import { LISTEN_ERRORS } from "../src/gateway/listen-error.ts";
import { createMeterFile, Meter, MeterReader } from "../src/gateway/meter.ts";
import { EVENTS } from "../src/gateway/signals.ts";
import { errors as instanceErrors } from "../src/instances/errors.ts";
import { events as instanceEvents } from "../src/instances/signals.ts";
import { loadErrors } from "../src/load/errors.ts";
import { platformErrors } from "../src/platform/errors.ts";
import { platformEvents, platformMetrics } from "../src/platform/signals.ts";
import { telemetryEvents } from "../src/telemetry/signals.ts";

const ROOT = join(import.meta.dir, "..");

/** The pages, and what makes their parts. */
const pages: Readonly<Record<string, Readonly<Record<string, () => string>>>> = {
  "docs/config.md": { keys: keyTables },
  "docs/cli.md": {
    options: optionTables,
    init: () => flagTable(initOptions),
    check: () => flagTable(checkOptions),
    up: () => flagTable(upOptions),
    events: () => flagTable(eventsOptions, targetOptions),
    deploy: () => flagTable(deployOptions, targetOptions),
    traffic: () => flagTable(trafficOptions, targetOptions),
    revisions: () => flagTable(revisionsOptions, targetOptions),
    logs: () => flagTable(logsOptions, targetOptions),
    target: () => flagTable(targetOptions),
    doctor: doctorTable,
    load: () => groupTables(loadGroups, loadOptions),
    simulate: () => groupTables(simulateGroups, simulateOptions),
  },
  "docs/admin.md": { routes: routeTable },
  "docs/errors.md": { command: commandErrors, http: httpErrors, admin: adminErrorTable },
  "docs/metrics.md": { metrics: metricTable, events: eventTable },
};

/** All pages as they should be, by path. */
export function generatedPages(): ReadonlyMap<string, string> {
  const result = new Map<string, string>();
  for (const [path, parts] of Object.entries(pages)) {
    let text = readFileSync(join(ROOT, path), "utf8");
    for (const [name, make] of Object.entries(parts)) text = withPart(text, { path, name, content: make() });
    result.set(path, text);
  }
  result.set("docs/headrace.schema.json", `${JSON.stringify(jsonSchema(), null, 2)}\n`);
  result.set("docs/openapi.json", `${JSON.stringify(openApi(), null, 2)}\n`);
  return result;
}

function withPart(page: string, part: { path: string; name: string; content: string }): string {
  const begin = `<!-- begin ${part.name} -->\n`;
  const end = `<!-- end ${part.name} -->`;
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from === -1 || to < from) throw new Error(`${part.path} has no part ${part.name}`);
  return `${page.slice(0, from + begin.length)}\n${part.content}\n${page.slice(to)}`;
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`;
  return line(titles) + line(titles.map(() => "---")) + rows.map(line).join("");
}

const code = (text: string) => `\`${text}\``;

function optionTables(): string {
  return groups
    .map((group) => {
      const options = Object.values(runOptions).filter((option) => option.group === group);
      const rows = options.map((option) => [
        code(flagForm(option)),
        option.fallbackText === "" ? "" : code(option.fallbackText),
        option.doc,
        variables(option).map(code).join(" "),
      ]);
      return `### ${group}\n\n${table(["flag", "default", "what it does", "environment"], rows)}`;
    })
    .join("\n");
}

/** The keys of headrace.yaml: of the whole file, then of a service. */
function keyTables(): string {
  const service = "services.NAME.";
  const rows = keyRows();
  const part = (title: string, own: readonly KeyRow[]) =>
    `### ${title}\n\n${table(
      ["key", "value", "default", "what it says"],
      own.map(({ path, type, fallback, doc }) => [
        code(path.replace(service, "")),
        type,
        fallback === "" ? "" : code(fallback),
        doc,
      ]),
    )}`;
  return [
    part(
      "The file",
      rows.filter(({ path }) => !path.startsWith(service)),
    ),
    part(
      "A service",
      rows.filter(({ path }) => path.startsWith(service)),
    ),
  ].join("\n");
}

/** The flags of a command that has few. @param without those that are described elsewhere */
function flagTable(options: OptionTable, without: OptionTable = {}): string {
  const rows = Object.entries(options)
    .filter(([name]) => !Object.hasOwn(without, name))
    .map(([, option]) => [code(flagForm(option)), option.doc]);
  return table(["flag", "what it does"], rows);
}

/** What doctor takes on top of the flags of run. */
function doctorTable(): string {
  const rows = Object.values(doctorOptions).map((option) => [
    code(flagForm(option)),
    option.fallbackText === "" ? "" : code(option.fallbackText),
    option.doc,
    variables(option).map(code).join(" "),
  ]);
  return table(["flag", "default", "what it does", "environment"], rows);
}

/** Options that are read from flags alone. */
function groupTables(groups: readonly string[], table_: OptionTable): string {
  return groups
    .map((group) => {
      const options = Object.values(table_).filter((option) => option.group === group);
      const rows = options.map((option) => [
        code(flagForm(option)),
        option.fallbackText === "" ? "" : code(option.fallbackText),
        option.doc,
      ]);
      return `### ${group}\n\n${table(["flag", "default", "what it does"], rows)}`;
    })
    .join("\n");
}

/** Every route of the admin API. */
function routeTable(): string {
  const rows = Object.values<Route>(routes).map(({ method, path, summary, query, body }) => {
    const takes = Object.keys(query ?? {}).map(code);
    if (body !== undefined) takes.push("a JSON body");
    return [code(`${method} ${path}`), summary, takes.join(", ")];
  });
  return table(["request", "what it does", "takes"], rows);
}

type NamedRow = readonly [code: string, row: ErrorRow];

const rowsOf = (errors: ErrorTable): NamedRow[] => Object.entries(errors);

/** What both sides of a sentence say: the meaning, and what to do. */
const sentence = ({ text, hint }: ErrorRow) => (hint === undefined ? text : `${text} ${hint}`);

/** Errors that end the command, in the order in which a start meets them. */
export function commandRows(): readonly NamedRow[] {
  const listen = Object.entries(LISTEN_ERRORS).map(
    ([name, text]): NamedRow => [name, { text, exit: 2, whose: "user" }],
  );
  const all = [
    ...rowsOf(configErrors),
    ...rowsOf(adminErrors),
    ...rowsOf(platformErrors),
    ...listen,
    ...rowsOf(instanceErrors),
    ...rowsOf(loadErrors),
  ];
  const ending = all.filter(([, row]) => row.exit !== undefined);
  // A file that is missing is found by the command, a module by Python: it is one code to the user.
  return ending.filter(([name], index) => ending.findIndex(([other]) => other === name) === index);
}

/** Errors that clients get, by status. */
export function httpRows(): readonly NamedRow[] {
  const parser = Object.values(HttpErrors).map(
    ({ code: name, status, text }): NamedRow => [name, { status, text }],
  );
  const all = [...rowsOf(GATEWAY_ERRORS), ...parser];
  const first = all.filter(([name], index) => all.findIndex(([other]) => other === name) === index);
  return first.sort(([a, one], [b, other]) => (one.status ?? 0) - (other.status ?? 0) || (a < b ? -1 : 1));
}

/** Errors of the admin API. */
export function adminRows(): readonly NamedRow[] {
  return rowsOf(adminErrors).filter(([, row]) => row.status !== undefined);
}

function commandErrors(): string {
  const rows = commandRows().map(([name, row]) => [code(name), String(row.exit), sentence(row)]);
  return table(["code", "exit code", "meaning"], rows);
}

function httpErrors(): string {
  return table(
    ["code", "status", "meaning"],
    httpRows().map(([name, row]) => [code(name), String(row.status), sentence(row)]),
  );
}

function adminErrorTable(): string {
  return table(
    ["code", "status", "meaning"],
    adminRows().map(([name, row]) => [code(name), String(row.status), sentence(row)]),
  );
}

/** The gateways' families as they are exported, with the labels that their samples have. */
function gatewayMetrics(): readonly (readonly string[])[] {
  const folder = mkdtempSync(join(tmpdir(), "headrace-docs-"));
  try {
    const path = join(folder, "meter");
    createMeterFile(path, 1);
    const meter = new Meter(path, 0);
    meter.status(200);
    for (const reason of Object.keys(GATEWAY_ERRORS)) meter.reason(reason);
    return new MeterReader(path, 1).families().map(({ name, kind, help, samples }) => {
      const labels = Object.keys(samples[0]?.labels ?? {});
      return [code(name), kind, labels.map(code).join(" "), help];
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function metricTable(): string {
  const own = Object.entries({ ...platformMetrics, ...autoscalerMetrics }).map(([name, row]) => {
    const labels: readonly string[] = "labels" in row ? row.labels : [];
    return [code(name), row.kind, labels.map(code).join(" "), row.help];
  });
  return table(["metric", "kind", "labels", "meaning"], [...gatewayMetrics(), ...own]);
}

/** All log events: name, level, when. */
export function eventRows(): readonly (readonly [name: string, level: string, text: string])[] {
  const tables: readonly EventTable[] = [
    cliEvents,
    adminEvents,
    platformEvents,
    instanceEvents,
    autoscalerEvents,
    telemetryEvents,
  ];
  const rows = tables.flatMap((events) =>
    Object.entries(events).map(([name, { level, text }]) => [name, level, text] as const),
  );
  const gateway = Object.entries(EVENTS).map(([name, row]) => eventOf(name, row));
  return [...rows, ...gateway].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The gateway's table has sentences alone, or rows like all others. */
function eventOf(name: string, row: string | EventTable[string]): readonly [string, string, string] {
  return typeof row === "string" ? [name, "", row] : [name, row.level, row.text];
}

function eventTable(): string {
  return table(
    ["event", "level", "when"],
    eventRows().map(([name, level, text]) => [code(name), level, text]),
  );
}

if (import.meta.main) {
  for (const [path, text] of generatedPages()) writeFileSync(join(ROOT, path), text);
}

/** Finds and reads a headrace.yaml, around the pure parts: document, check, build. */

import { existsSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { loadParsed } from "../load.ts";
import { type RunOptionName, runOptions } from "../options.ts";
import { type Environment, readEnvironment } from "../parse.ts";
import type { Problem } from "../problem.ts";
import { absolute, type Facts, type ParsedRun } from "../resolve.ts";
import { appPlace, dnsLabel, isFileApp } from "../service.ts";
import { draft, type ServiceDraft } from "./build.ts";
import { check } from "./check.ts";
import { EVERYTHING, routeClashes } from "./clashes.ts";
import type { ApplicationConfig, ServiceConfig } from "./config.ts";
import { readDocument } from "./document.ts";
import { application } from "./keys.ts";
import { inOrder, Places, type ProblemAt } from "./places.ts";
import { type FileProblem, fileProblem } from "./problem.ts";
import type { Shape } from "./shape.ts";
import { readSource } from "./source.ts";

/** Names that are looked for, in this order. */
export const FILE_NAMES = ["headrace.yaml", "headrace.yml"] as const;

export type LoadedFile = FileParts &
  (
    | { readonly ok: true; readonly application: ApplicationConfig }
    | { readonly ok: false; readonly problems: readonly FileProblem[] }
  );

/** What there is of a file, right or wrong. */
interface FileParts {
  /** Absolute. */
  readonly file: string;
  /** Those that could be read. */
  readonly services: readonly ServiceConfig[];
  /** What is not wrong, but most likely not meant. */
  readonly notices: readonly FileProblem[];
  readonly problemAt: ProblemAt;
}

/**
 * Reads the file that is named, or the one in the working directory.
 * @param named path as the user gave it; empty to look for one
 */
export function loadFile(named: string, env: Environment, facts: Facts): LoadedFile {
  const file = absolute(
    named === "" ? (FILE_NAMES.find((name) => existsSync(join(facts.cwd, name))) ?? FILE_NAMES[0]) : named,
    facts.cwd,
  );
  const source = readSource(file);
  return source.ok ? readFile(source.text, file, env, facts) : failed(file, [source.problem]);
}

/** From the text of a file to the application. `file` is absolute: paths in the text begin at its folder. */
export function readFile(source: string, file: string, env: Environment, facts: Facts): LoadedFile {
  const document = readDocument(source);
  if (!document.ok) return failed(file, document.problems);
  const checked = check(document.root, application, env);
  const problems = [...checked.problems];
  if (checked.read?.kind !== "map") return failed(file, problems);
  const drafted = draft(checked.read);
  problems.push(...drafted.problems, ...routeClashes(drafted));
  const services: ServiceConfig[] = [];
  const notices: FileProblem[] = [];
  const where = new Places(checked.read, checked.references);
  const around = environmentOf(drafted.services, env);
  problems.push(...around.problems.map((problem) => where.ofVariable(problem)));
  for (const service of drafted.services) {
    const parsed = withEnvironment(service.parsed, around.found);
    const loaded = loadService({ ...service, parsed }, dirname(file), facts);
    problems.push(...where.all(loaded.problems, service));
    notices.push(...where.all(loaded.notices, service));
    if (loaded.config !== null) services.push(loaded.config);
  }
  const parts = { file, services, problemAt: where.at };
  if (problems.length > 0) {
    const told = inOrder(unique(problems).map(where.written));
    return { ok: false, problems: told, notices: unique(notices).map(where.written), ...parts };
  }
  // Alone, a service is what requests are for.
  const [only] = services;
  if (only !== undefined && services.length === 1 && only.routes.length === 0) {
    services[0] = { ...only, routes: [EVERYTHING] };
  }
  for (const { name: service, read, routes } of drafted.services) {
    if (drafted.services.length === 1 || routes.length > 0) continue;
    const message = `No client reaches ${service}: it has no route.`;
    const instead = `Add one, such as route: { path: /${service} }, unless only other services call it.`;
    notices.push(fileProblem(read, "no_route", message, instead));
  }
  const redirects = drafted.redirects.map(({ redirect }) => redirect);
  const name = drafted.name || dnsLabel(basename(dirname(file))) || "app";
  return {
    ok: true,
    application: Object.freeze({ name, file, services, redirects }),
    notices: unique(notices).map(where.written),
    ...parts,
  };
}

/** Options of which all services have the same: what the file says outside of them. */
function* sharedOptions(shape: Shape): Generator<RunOptionName> {
  if (shape.kind === "value" && shape.run !== null) yield shape.run;
  if (shape.kind === "map") for (const key of Object.values(shape.keys)) yield* sharedOptions(key.shape);
}

/** The variables of those options of which the file says nothing. */
function environmentOf(services: readonly ServiceDraft[], env: Environment) {
  const [any] = services;
  const names = [...sharedOptions(application)].filter((name) => any?.parsed.origins[name] === "");
  return readEnvironment(runOptions, names, env);
}

function withEnvironment(parsed: ParsedRun, found: ReturnType<typeof environmentOf>["found"]): ParsedRun {
  const values: Record<string, unknown> = { ...parsed.values };
  const origins: Record<string, string> = { ...parsed.origins };
  for (const [name, { value, origin }] of found) {
    values[name] = value;
    origins[name] = origin;
  }
  return { ...parsed, values: values as ParsedRun["values"], origins: origins as ParsedRun["origins"] };
}

function loadService(
  service: ServiceDraft,
  folder: string,
  facts: Facts,
): {
  readonly config: ServiceConfig | null;
  readonly problems: readonly Problem[];
  readonly notices: readonly Problem[];
} {
  const parsed = withPython(service.parsed, folder);
  // Said already, when the keys were checked.
  if (parsed.positionals.length === 0) return { config: null, problems: [], notices: [] };
  const loaded = loadParsed(parsed, {}, { ...facts, cwd: folder }, "up");
  if (loaded.kind === "help") return { config: null, problems: [], notices: [] };
  if (loaded.kind === "problems") return { config: null, problems: loaded.problems, notices: loaded.notices };
  const { name, routes, secrets, limits, affinity, splitBy } = service;
  const run = Object.freeze({ ...loaded.config, limits, affinity });
  return {
    config: { name, run, routes: routes.map(({ route }) => route), secrets, splitBy },
    problems: [],
    notices: loaded.notices,
  };
}

/** A folder of a virtual environment stands for its interpreter; without a word, the service's own one comes before the active one. */
function withPython(parsed: ParsedRun, folder: string): ParsedRun {
  const given = parsed.values.python;
  const dir = absolute(parsed.values.appDir, folder);
  const app = parsed.positionals[0] ?? "";
  const beside = isFileApp(app) ? dirname(absolute(appPlace(app), folder)) : dir;
  const own = [beside, dir].flatMap((place) => [join(place, ".venv"), join(place, "venv")]);
  const python =
    given === ""
      ? (own.map((venv) => join(venv, "bin", "python")).find((path) => existsSync(path)) ?? "")
      : interpreterIn(given, folder);
  return { ...parsed, values: { ...parsed.values, python } };
}

function interpreterIn(given: string, folder: string): string {
  if (!given.includes("/")) return given;
  const path = absolute(given, folder);
  const inside = join(path, "bin", "python");
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true && existsSync(inside)
    ? inside
    : path;
}

function failed(file: string, problems: readonly FileProblem[]): LoadedFile {
  const { at } = new Places(null, []);
  return { ok: false, file, problems: inOrder(problems), services: [], notices: [], problemAt: at };
}

/** What all services share is wrong once, not once a service. */
function unique(problems: readonly FileProblem[]): FileProblem[] {
  const seen = new Set<string>();
  return problems.filter(({ path, message }) => {
    const key = `${path} ${message}`;
    return !seen.has(key) && seen.add(key);
  });
}

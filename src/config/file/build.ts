/** From the checked keys of a file to what `headrace run` would have been told for each service. Pure. */

import { type RunOptionName, runOptions } from "../options.ts";
import type { ParsedRun } from "../resolve.ts";
import type { AffinityConfig, LimitConfig } from "../run-config.ts";
import type { Read, ReadMap } from "./check.ts";
import type { RedirectConfig, RouteConfig, ServiceConfig } from "./config.ts";
import { type FileProblem, fileProblem } from "./problem.ts";
import { readReference, type SecretReference } from "./variables.ts";

/** One service, ready to be resolved as a run. */
export interface ServiceDraft {
  readonly name: string;
  readonly read: ReadMap;
  readonly parsed: ParsedRun;
  readonly routes: readonly RouteDraft[];
  readonly secrets: Readonly<Record<string, SecretReference>>;
  readonly limits: readonly LimitConfig[];
  readonly affinity: AffinityConfig | null;
  readonly splitBy: ServiceConfig["splitBy"];
}

export interface RouteDraft {
  readonly read: ReadMap;
  readonly route: RouteConfig;
}

export interface RedirectDraft {
  readonly read: ReadMap;
  readonly redirect: RedirectConfig;
}

export interface ApplicationDraft {
  /** Empty: not said. */
  readonly name: string;
  readonly services: readonly ServiceDraft[];
  readonly redirects: readonly RedirectDraft[];
  readonly problems: readonly FileProblem[];
}

/** Builds the drafts of all services. */
export function draft(root: ReadMap): ApplicationDraft {
  const problems: FileProblem[] = [];
  const services = root.keys.get("services");
  const drafts: ServiceDraft[] = [];
  if (services?.kind === "map") {
    if (services.written.size === 0) {
      problems.push(
        fileProblem(
          services,
          "file_invalid",
          "There is no service.",
          "Add one: a name, and its app under it.",
        ),
      );
    }
    for (const [name, read] of services.keys) {
      if (read.kind === "map") drafts.push(serviceDraft(root, name, read, problems));
    }
  }
  return {
    name: textOf(root, "name"),
    services: drafts,
    redirects: listOf(root, "redirects").map((read) => ({ read, redirect: redirect(read) })),
    problems,
  };
}

function serviceDraft(root: ReadMap, name: string, read: ReadMap, problems: FileProblem[]): ServiceDraft {
  const { plain, secrets } = variables(read, problems);
  return {
    name,
    read,
    parsed: parsedRun(root, name, read, { plain, problems }),
    routes: routesOf(read, problems),
    secrets,
    limits: limitsOf(read, problems),
    affinity: affinityOf(read, problems),
    splitBy: splitBy(read, problems),
  };
}

const KEY_SOURCES = ["header", "cookie", "query"] as const;
const BALANCE_FACTOR = 125;

function affinityOf(service: ReadMap, problems: FileProblem[]): AffinityConfig | null {
  const read = service.keys.get("affinity");
  if (read?.kind !== "map") return null;
  const given = KEY_SOURCES.filter((by) => read.keys.has(by));
  const [by] = given;
  const complain = (message: string, instead: string) =>
    problems.push(fileProblem(read, "conflict", message, instead));
  if (!read.whole) return null;
  if (by === undefined || given.length > 1) {
    complain("A key stands in one place.", "Write one of header, cookie and query.");
    return null;
  }
  const sticky = pick<boolean>(read, "sticky") ?? false;
  const factor = pick<number>(read, "balanceFactor");
  if (sticky && by !== "cookie")
    complain("What is sticky has a cookie.", "Write cookie, or leave sticky out.");
  if (sticky && factor !== undefined) {
    complain(
      "The gateway chooses the instance of what is sticky itself.",
      "Leave balanceFactor or sticky out.",
    );
  }
  const name = textOf(read, by);
  return {
    by,
    name: by === "header" ? name.toLowerCase() : name,
    sticky,
    balanceFactor: (factor ?? BALANCE_FACTOR) / 100,
  };
}

/** Without a word about it, what belongs to an instance belongs to its revision. */
function splitBy(service: ReadMap, problems: FileProblem[]): ServiceConfig["splitBy"] {
  const read = service.keys.get("split");
  if (read?.kind !== "map") {
    const affinity = affinityOf(service, []);
    return affinity === null || affinity.sticky ? null : { by: affinity.by, name: affinity.name };
  }
  const given = KEY_SOURCES.filter((by) => read.keys.has(by));
  const [by] = given;
  if (!read.whole) return null;
  if (by === undefined || given.length > 1) {
    const instead = "Write one of header, cookie and query.";
    problems.push(fileProblem(read, "conflict", "A key stands in one place.", instead));
    return null;
  }
  const name = textOf(read, by);
  return { by, name: by === "header" ? name.toLowerCase() : name };
}

function limitsOf(service: ReadMap, problems: FileProblem[]): LimitConfig[] {
  const known = new Set<string>();
  return listOf(service, "limits").map((read) => {
    const limit = {
      path: withoutSlash(textOf(read, "path") || "/"),
      methods: (pick<readonly string[]>(read, "method") ?? []).map((method) => method.toUpperCase()),
      slots: pick<number>(read, "slots") ?? 1,
    };
    if (!read.whole) return limit;
    for (const method of limit.methods.length === 0 ? ["any method"] : limit.methods) {
      const kind = `${method} ${limit.path}`;
      if (known.has(kind)) {
        const message = `There are two limits for ${kind}.`;
        problems.push(
          fileProblem(read, "conflict", message, "Leave one out: a request belongs to one limit."),
        );
      }
      known.add(kind);
    }
    return limit;
  });
}

/** As if the keys had been flags: their paths stand where a flag would. */
function parsedRun(
  root: ReadMap,
  name: string,
  read: ReadMap,
  found: { readonly plain: readonly string[]; readonly problems: FileProblem[] },
): ParsedRun {
  const values: Record<string, unknown> = {};
  const origins: Record<string, string> = {};
  for (const [option, { fallback }] of Object.entries(runOptions)) {
    values[option] = fallback;
    origins[option] = "";
  }
  const put = (option: RunOptionName, value: unknown, origin: string) => {
    values[option] = value;
    origins[option] = origin;
  };
  for (const leaf of [...leaves(root, "services"), ...leaves(read)]) put(leaf.run, leaf.value, leaf.path);
  put("service", name, read.path);
  put("env", found.plain, "");
  const app = read.keys.get("app");
  const fn = read.keys.get("function");
  if (app !== undefined && fn !== undefined) {
    const message = "A service is an app or a function.";
    found.problems.push(fileProblem(fn, "conflict", message, "Leave app or function out."));
  }
  if (!read.written.has("app") && !read.written.has("function")) {
    const instead = "Add app: main.py, or function: jobs.py:thumbnail.";
    found.problems.push(fileProblem(read, "app_missing", "No app is named.", instead));
  }
  const prefix = strippedPrefix(read, found.problems);
  if (prefix !== "" && origins["rootPath"] === "") put("rootPath", prefix, "");
  if (fn !== undefined) put("interface", "function", fn.path);
  const named = app ?? fn;
  return {
    values: values as ParsedRun["values"],
    origins: origins as ParsedRun["origins"],
    positionals: named?.kind === "value" ? [String(named.value)] : [],
    help: false,
    problems: [],
    notices: [],
  };
}

/** The prefix that all routes of a service strip; empty when none does. The app has one root path, so it is all of them or none. */
function strippedPrefix(service: ReadMap, problems: FileProblem[]): string {
  const routes = listOf(service, "route");
  const stripped = routes.filter((route) => pick<boolean>(route, "strip") === true);
  const prefixes = new Set(stripped.map((route) => withoutSlash(textOf(route, "path") || "/")));
  const [prefix = ""] = prefixes;
  if (routes.some((route) => !route.whole)) return "";
  if (stripped.length > 0 && (prefixes.size > 1 || stripped.length < routes.length)) {
    const message = "An app has one root path, so all of its routes strip the same prefix, or none does.";
    problems.push(
      fileProblem(stripped[0]!, "conflict", message, "Make two services of it, or leave strip out."),
    );
  }
  return prefix === "/" ? "" : prefix;
}

interface Leaf {
  readonly run: RunOptionName;
  readonly value: unknown;
  readonly path: string;
}

/** All values of the map that set an option of a run. */
function* leaves(map: ReadMap, except = ""): Generator<Leaf> {
  for (const [key, read] of map.keys) {
    if (key === except) continue;
    if (read.kind === "map") yield* leaves(read);
    else if (read.kind === "value" && read.shape.run !== null) {
      yield { run: read.shape.run, value: read.value, path: read.path };
    }
  }
}

function variables(
  service: ReadMap,
  problems: FileProblem[],
): { readonly plain: readonly string[]; readonly secrets: Readonly<Record<string, SecretReference>> } {
  const plain: string[] = [];
  const secrets: Record<string, SecretReference> = {};
  const env = service.keys.get("env");
  if (env?.kind !== "map") return { plain, secrets };
  for (const [name, read] of env.keys) {
    const text = read.kind === "value" ? String(read.value) : "";
    const reference = readReference(text);
    if (reference.kind === "plain") plain.push(`${name}=${text}`);
    else if (reference.kind === "secret") secrets[name] = reference.reference;
    else problems.push(fileProblem(read, "invalid_value", reference.message, reference.instead));
  }
  return { plain, secrets };
}

function routesOf(service: ReadMap, problems: FileProblem[]): RouteDraft[] {
  return listOf(service, "route").map((read) => {
    const strip = pick<boolean>(read, "strip") ?? false;
    const rewrite = textOf(read, "rewrite");
    if (strip && rewrite !== "") {
      const message = "A prefix is taken away or replaced, not both.";
      problems.push(fileProblem(read, "conflict", message, "Leave strip or rewrite out."));
    }
    const route: RouteConfig = {
      host: textOf(read, "host").toLowerCase(),
      path: withoutSlash(textOf(read, "path") || "/"),
      methods: (pick<readonly string[]>(read, "methods") ?? []).map((method) => method.toUpperCase()),
      headers: (pick<readonly string[]>(read, "headers") ?? []).map(condition),
      strip,
      rewrite: rewrite === "" ? "" : withoutSlash(rewrite),
    };
    return { read, route };
  });
}

function condition(entry: string): RouteConfig["headers"][number] {
  const colon = entry.indexOf(":");
  if (colon === -1) return { name: entry.toLowerCase(), value: null };
  return { name: entry.slice(0, colon).toLowerCase(), value: entry.slice(colon + 1).trim() };
}

function redirect(read: ReadMap): RedirectConfig {
  return {
    host: textOf(read, "host").toLowerCase(),
    path: withoutSlash(textOf(read, "path") || "/"),
    to: textOf(read, "to"),
    status: Number(pick<string>(read, "status") ?? "308") as RedirectConfig["status"],
  };
}

function withoutSlash(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, "") || "/" : path;
}

function listOf(map: ReadMap, key: string): ReadMap[] {
  const read = map.keys.get(key);
  if (read?.kind !== "list") return [];
  return read.items.filter((item): item is ReadMap => item.kind === "map");
}

function pick<T>(map: ReadMap, key: string): T | undefined {
  const read: Read | undefined = map.keys.get(key);
  return read?.kind === "value" ? (read.value as T) : undefined;
}

function textOf(map: ReadMap, key: string): string {
  return pick<string>(map, key) ?? "";
}

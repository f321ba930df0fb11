/** Which app a name means, and which apps there are where nothing names one. Pure. */

import type { FoundApp, FoundModule, Scan } from "../../platform/project-scan.ts";
import { folderOf, joined, nameOf, type Project } from "./project.ts";
import { fromEnvironment } from "./servers.ts";
import { Draft, type Sketch, type Target } from "./sketch.ts";

/** An app that is there. */
export interface Resolved {
  /** Relative to the root. */
  readonly file: string;
  /** Working directory, relative to the root; empty for the root. */
  readonly dir: string;
  /** As headrace.yaml names it, relative to the directory. */
  readonly app: string;
  readonly factory: boolean;
  readonly function: boolean;
  /** `shop/main.py:12, FastAPI`; empty where the module was not read. */
  readonly seen: string;
}

/** Folders that imports usually begin in, besides the one that was named. */
const USUAL = ["src", "app", "backend", "server"];

/** Finds what a source names. Null when there is no such file. */
export function resolve(target: Target, folder: string, project: Project, scan: Scan): Resolved | null {
  const bases = [folder, joined(folder, "src"), "", ...USUAL.map((name) => joined(folder, name))];
  const parts = /\.py$|\//.test(target.place)
    ? target.place.replace(/\.py$/, "")
    : target.place.replaceAll(".", "/");
  for (const dir of new Set(bases)) {
    for (const file of [`${joined(dir, parts)}.py`, joined(dir, parts, "__init__.py")]) {
      if (parts === "" || !project.has(file)) continue;
      const found = choose(scan.modules[file], target);
      const module = joined(parts).replaceAll("/", ".");
      const attribute = target.attribute || found?.attribute || "";
      const name = target.function ? `${joined(parts)}.py` : module;
      return {
        ...{ file, dir, function: target.function },
        app: attribute === "" ? name : `${name}:${attribute}`,
        factory: target.factory || (found?.factory ?? false),
        seen: found === null ? "" : seenAt(file, found),
      };
    }
  }
  return null;
}

/** The app of a module that is meant; null when it is not seen. */
function choose(
  module: FoundModule | undefined,
  { attribute, function: isFunction }: Target,
): FoundApp | null {
  if (module === undefined || isFunction) return null;
  if (attribute !== "") return module.apps.find((app) => app.attribute === attribute) ?? null;
  return best(module.apps);
}

function best(apps: readonly FoundApp[]): FoundApp | null {
  const score = ({ attribute, factory, framework }: FoundApp) =>
    (attribute === "app" || attribute === "application" ? 4 : 0) +
    (factory ? 0 : 2) +
    (framework === "" ? 0 : 1);
  return [...apps].sort((a, b) => score(b) - score(a))[0] ?? null;
}

function seenAt(file: string, { line, framework, factory }: FoundApp): string {
  const what = framework === "" ? "an app, by the name of what makes it" : framework;
  return `${file}:${line}, ${what}${factory ? ", made by a function" : ""}`;
}

/** A part of the project that stands for itself: a package, or the modules of a folder. */
interface Unit {
  readonly dir: string;
  /** Empty for the modules of the folder itself. */
  readonly top: string;
  readonly file: string;
  readonly app: FoundApp;
}

/** The apps that nothing names, one for each package or folder. @param taken files whose apps have a service already */
export function appsInCode(project: Project, scan: Scan, taken: ReadonlySet<string>): readonly Sketch[] {
  const units = new Map<string, Unit[]>();
  for (const [file, { apps }] of Object.entries(scan.modules)) {
    const app = best(apps);
    if (app === null || taken.has(file)) continue;
    const { dir, top } = placeOf(file, project);
    const key = `${dir}|${top}`;
    units.set(key, [...(units.get(key) ?? []), { dir, top, file, app }]);
  }
  const chosen = [...units.values()].map((all) => all.sort((a, b) => scoreOf(b) - scoreOf(a))[0]!);
  // A module of the folder that imports the package serves that package's app.
  const serving = chosen.filter(({ dir, top }) => {
    const importer = chosen.find((other) => top !== "" && other.top === "" && other.dir === dir);
    return importer === undefined || !imports(project.text(importer.file), top);
  });
  return [...serving.map((unit) => sketchOf(unit, project, scan)), ...functionsInCode(scan, taken)];
}

function scoreOf({ file, app }: Unit): number {
  const name = nameOf(file).replace(/\.py$/, "");
  // Where Django has both, wsgi.py is what most projects are served by.
  const names = ["wsgi", "asgi", "main", "app", "server", "application", "__init__"];
  const rank = names.indexOf(name);
  const attribute = /^(app|application)$/.test(app.attribute) ? 4 : 0;
  return attribute + (app.factory ? 0 : 8) + (rank === -1 ? 0 : names.length - rank) - file.split("/").length;
}

/** The folder that imports begin in, and the package below it. */
function placeOf(file: string, project: Project): { readonly dir: string; readonly top: string } {
  let dir = folderOf(file);
  while (dir !== "" && project.has(`${dir}/__init__.py`)) dir = folderOf(dir);
  const rest = dir === "" ? file : file.slice(dir.length + 1);
  const top = rest.includes("/") ? rest.slice(0, rest.indexOf("/")) : "";
  if (top !== "" || dir === "") return { dir, top };
  // A folder without __init__.py is a package all the same when it is imported as one.
  const name = nameOf(dir);
  const parent = folderOf(dir);
  const used = project.files.some(
    (other) => other.endsWith(".py") && other.startsWith(parent) && imports(project.text(other), name),
  );
  return used ? { dir: parent, top: name } : { dir, top };
}

export function imports(text: string, module: string): boolean {
  return new RegExp(`^\\s*(from|import)\\s+${module.replace(/\W/g, "\\$&")}(\\.|\\s|,|$)`, "m").test(text);
}

function sketchOf({ dir, file, app, top }: Unit, project: Project, scan: Scan): Sketch {
  const draft = new Draft();
  const place = (dir === "" ? file : file.slice(dir.length + 1))
    .replace(/(\/__init__)?\.py$/, "")
    .replaceAll("/", ".");
  draft.target = { place, attribute: app.attribute, factory: app.factory, function: false };
  if (app.framework === "Django") {
    const other = nameOf(file) === "wsgi.py" ? "asgi.py" : "wsgi.py";
    if (project.has(joined(folderOf(file), other)) && nameOf(file) === "wsgi.py")
      draft.leave(
        `${joined(folderOf(file), other)} is there, too: name it instead where views are async, or for WebSockets.`,
      );
  }
  for (const launch of scan.modules[file]?.launches ?? []) launched(draft, file, launch);
  return draft.sketch({ name: top === "" ? nameOf(dir) : "", folder: dir, from: seenAt(file, app) });
}

/** Keys of headrace.yaml by arguments of uvicorn.run and waitress.serve. */
const ARGUMENTS: Readonly<Record<string, string>> = {
  host: "/listen.host",
  port: "/listen.port",
  workers: "instances",
  root_path: "rootPath",
  timeout_keep_alive: "/limits.idleTimeout",
  limit_max_requests: "recycle.requests",
  limit_concurrency: "concurrency",
  threads: "concurrency",
};

/** What a call of uvicorn.run says. */
export function launched(draft: Draft, file: string, launch: FoundModule["launches"][number]): void {
  const from = `${file}:${launch.line}, ${launch.call}`;
  for (const [name, value] of Object.entries(launch.options)) {
    const key = ARGUMENTS[name];
    if (key !== undefined) draft.set(key, String(value), `${from}(${name}=${value})`);
    else if (name === "factory" && value === true && draft.target !== null)
      draft.target = { ...draft.target, factory: true };
  }
  for (const argument of launch.unknown) {
    const [name = "", source = ""] = argument.split(/=(.*)/s);
    const key = ARGUMENTS[name];
    const value = fromEnvironment(source);
    if (key !== undefined && value !== null) draft.set(key, value, `${from}(${argument})`);
    else draft.leave(`${argument} (${from}) is worked out when it runs.`);
  }
}

/** Each function of functions-framework is a service. */
function functionsInCode(scan: Scan, taken: ReadonlySet<string>): readonly Sketch[] {
  return Object.entries(scan.modules)
    .filter(([file]) => !taken.has(file))
    .flatMap(([file, { functions }]) =>
      functions.map(({ attribute, line }) => {
        const draft = new Draft();
        const dir = folderOf(file);
        draft.target = { place: nameOf(file), attribute, factory: false, function: true };
        const from = `${file}:${line}, functions-framework`;
        return draft.sketch({ name: functions.length > 1 ? attribute : nameOf(dir), folder: dir, from });
      }),
    );
}

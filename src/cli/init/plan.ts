/** From what the sources say to the services of a headrace.yaml. Pure. */

import { dnsLabel, serviceName } from "../../config/service.ts";
import type { Scan } from "../../platform/project-scan.ts";
import { appsInCode, imports, launched, type Resolved, resolve } from "./code.ts";
import type { Source } from "./procfile.ts";
import { folderOf, nameOf, type Project } from "./project.ts";
import { Draft, type Finding, type Sketch, type Variable } from "./sketch.ts";

export interface ServicePlan {
  readonly name: string;
  readonly app: Resolved;
  /** Where the app is named, strongest first. */
  readonly from: readonly string[];
  readonly findings: readonly Finding[];
  readonly variables: readonly Variable[];
  /** Path of an interpreter's folder, where it has to be said; empty: it is found. */
  readonly python: string;
  readonly left: readonly string[];
}

export interface Plan {
  readonly services: readonly ServicePlan[];
  /** For the whole file; keys without the slash. */
  readonly shared: readonly Finding[];
  /** What belongs to no service. */
  readonly left: readonly string[];
}

interface Group {
  readonly app: Resolved;
  readonly sketches: Sketch[];
}

/** @param sources strongest first: of two that say different things about a key, the first counts */
export function makePlan(
  project: Project,
  scan: Scan,
  sources: readonly Source[],
  left: readonly string[],
): Plan {
  const groups: Group[] = [];
  const waiting: Sketch[] = [];
  const unresolved: string[] = [];
  for (const { sketch, command } of sources) {
    const aimed = command === null ? sketch : withScript(sketch, command.script, project, scan);
    if (aimed.target === null) {
      waiting.push(aimed);
      continue;
    }
    const app = resolve(aimed.target, aimed.folder, project, scan);
    if (app !== null) join(groups, app, aimed);
    else {
      unresolved.push(`${aimed.target.place} (${aimed.from}) is not among the files here.`);
      // What else it says may be about what the code shows.
      waiting.push({ ...aimed, target: null });
    }
  }
  // Where a source of the whole project names what is served, the rest may be anything.
  const named = groups.some(({ sketches }) =>
    sketches.some(({ from }) => folderOf(from.replace(/[:,].*$/, "")) === ""),
  );
  const taken = new Set(groups.map(({ app }) => app.file));
  const namedDirs = new Set(groups.map(({ app }) => app.dir));
  const others: string[] = [];
  for (const sketch of appsInCode(project, scan, taken)) {
    const app = resolve(sketch.target!, sketch.folder, project, scan);
    if (app === null) continue;
    if (named || namedDirs.has(app.dir)) {
      if (!isPartOf(app, groups, project))
        others.push(`There is another app, ${app.app} (${sketch.from}): add it, if it is served.`);
    } else join(groups, app, sketch);
  }
  const homeless = attach(groups, waiting);
  const services = withNames(
    groups.map((group) => planOf(group, project)),
    project,
  );
  return {
    services,
    shared: sharedOf(groups),
    left: [...left, ...unresolved, ...others, ...homeless, ...unserved(scan, groups)],
  };
}

function join(groups: Group[], app: Resolved, sketch: Sketch): void {
  const known = groups.find((group) => group.app.dir === app.dir && group.app.app === app.app);
  if (known === undefined) groups.push({ app, sketches: [sketch] });
  else known.sketches.push(sketch);
}

/** `python main.py`: what that module starts; `manage.py runserver`: the project's WSGI app. */
function withScript(sketch: Sketch, script: string, project: Project, scan: Scan): Sketch {
  if (script === "" || sketch.target !== null) return sketch;
  const file = sketch.folder === "" ? script : `${sketch.folder}/${script}`;
  const draft = new Draft();
  draft.findings.push(...sketch.findings);
  draft.variables.push(...sketch.variables);
  draft.left.push(...sketch.left);
  if (nameOf(script) === "manage.py") {
    const wsgi = project.files.find((path) => nameOf(path) === "wsgi.py" && path.startsWith(sketch.folder));
    if (wsgi !== undefined)
      draft.target = {
        place: wsgi.slice(sketch.folder === "" ? 0 : sketch.folder.length + 1),
        attribute: "application",
        factory: false,
        function: false,
      };
    return draft.sketch(sketch);
  }
  const launch = scan.modules[file]?.launches[0];
  const place =
    launch === undefined || launch.app.startsWith(":") || launch.app === ""
      ? script
      : launch.app.split(":")[0]!;
  const attribute = launch?.app.split(":")[1] ?? "";
  draft.target = { place, attribute, factory: false, function: false };
  if (launch !== undefined) launched(draft, file, launch);
  return draft.sketch(sketch);
}

/** The same app may be found by two names: `wsgi.py` that imports the package that makes it. */
function isPartOf(app: Resolved, groups: readonly Group[], project: Project): boolean {
  const top = (one: Resolved) => one.app.split(/[.:]/)[0]!;
  return groups.some(
    (group) =>
      group.app.dir === app.dir &&
      (top(group.app) === top(app) || imports(project.text(group.app.file), top(app))),
  );
}

/** Those that name no app belong to the one in their folder, or to the only one. */
function attach(groups: readonly Group[], sketches: readonly Sketch[]): readonly string[] {
  const left: string[] = [];
  for (const sketch of sketches) {
    const inFolder = groups.filter(
      ({ app, sketches: own }) =>
        app.dir === sketch.folder || own.some(({ folder }) => folder === sketch.folder),
    );
    const [home] = inFolder.length > 0 ? inFolder : groups;
    const clear = inFolder.length === 1 || groups.length === 1;
    if (home !== undefined && clear) home.sketches.unshift(sketch);
    else left.push(`${sketch.from} names no app that is here, so it is not clear which service it is about.`);
  }
  return left;
}

function planOf({ app, sketches }: Group, project: Project): ServicePlan {
  const left = sketches.flatMap((sketch) => sketch.left);
  const findings = firstOf(
    sketches.flatMap((sketch) => sketch.findings).filter(({ key }) => !key.startsWith("/")),
    left,
  );
  const variables: Variable[] = [];
  for (const variable of sketches.flatMap((sketch) => sketch.variables))
    if (!variables.some(({ name }) => name === variable.name)) variables.push(variable);
  const dotenv = app.dir === "" ? ".env" : `${app.dir}/.env`;
  if (project.has(dotenv) && !findings.some(({ key }) => key === "envFile"))
    left.push(
      `${dotenv} is there: envFile: ${dotenv} gives its variables to the app, if it does not read them itself.`,
    );
  const scaled = findings.some(({ key }) => key.startsWith("scale."));
  const fixed = findings.find(({ key }) => key === "instances");
  if (scaled && fixed !== undefined)
    left.push(`${fixed.from}: the number of instances changes with the load (scale).`);
  return {
    ...{ app, variables, name: sketches.map(({ name }) => name).find((name) => name !== "") ?? "" },
    from: [
      ...new Set([
        ...sketches.filter(({ target }) => target !== null).map(({ from }) => from),
        ...(app.seen === "" ? [] : [app.seen]),
      ]),
    ],
    findings: scaled ? findings.filter(({ key }) => key !== "instances") : findings,
    python: environmentOf(app, project),
    left: [...new Set(left)],
  };
}

/** The first finding of each key; those that say something else are told of. */
function firstOf(all: readonly Finding[], left: string[]): readonly Finding[] {
  const result: Finding[] = [];
  for (const finding of all) {
    const known = result.find(({ key }) => key === finding.key);
    if (known === undefined) result.push(finding);
    else if (known.value !== finding.value && finding.key !== "healthPath")
      left.push(
        `${finding.from} says ${finding.key.replace("/", "")}: ${finding.value}; ${known.from} counts.`,
      );
  }
  return result;
}

function sharedOf(groups: readonly Group[]): readonly Finding[] {
  const all = groups.flatMap(({ sketches }) => sketches.flatMap(({ findings }) => findings));
  const shared = all
    .filter(({ key }) => key.startsWith("/"))
    .map((one) => ({ ...one, key: one.key.slice(1) }));
  return shared.filter((one, index) => shared.findIndex(({ key }) => key === one.key) === index);
}

/** Environments of usual names beside the app are found without a word. */
function environmentOf({ dir }: Resolved, { environments }: Project): string {
  const usual = [".venv", "venv"].flatMap((name) => [name, dir === "" ? name : `${dir}/${name}`]);
  if (environments.some((path) => usual.includes(path))) return "";
  const inDir = environments.find((path) => dir !== "" && path.startsWith(`${dir}/`));
  return inDir ?? environments.find((path) => !path.includes("/")) ?? "";
}

function unserved(scan: Scan, groups: readonly Group[]): readonly string[] {
  const files = new Set(groups.map(({ app }) => app.file));
  const others = Object.entries(scan.modules).flatMap(([file, { others: found }]) =>
    files.has(file)
      ? []
      : found.map(
          ([framework, line]) =>
            `${framework} (${file}:${line}) speaks neither ASGI nor WSGI, so it cannot be served.`,
        ),
  );
  const unread = Object.entries(scan.unread).map(([file, why]) => `${file} could not be read: ${why}`);
  return [...others, ...unread];
}

/** Packages of such names are in many projects: the folder's name says more. */
const SILENT = new Set(["config", "conf", "core", "project", "settings", "backend", "src"]);

/** Gives each service a name of its own. */
function withNames(plans: readonly ServicePlan[], project: Project): readonly ServicePlan[] {
  const used = new Set<string>();
  return plans.map((plan) => {
    const { app, dir } = plan.app;
    const folder = dir === "" ? project.root : `${project.root}/${dir}`;
    const module = app.split(/[.:/]/)[0]!;
    const own = plans.length > 1 && dir === "" ? module : "";
    const telling = serviceName(app, folder);
    const folderName = dnsLabel(nameOf(folder)) || "app";
    const base = dnsLabel(plan.name) || dnsLabel(own) || (SILENT.has(telling) ? folderName : telling);
    let name = base;
    for (let count = 2; used.has(name); count++) name = `${base}-${count}`;
    used.add(name);
    return { ...plan, name };
  });
}

/** What can be known of an application before anything of it starts: that its apps are there, and its secrets. */

import { dirname, join } from "node:path";
import type { LoadedFile } from "../config/file/load.ts";
import { inOrder } from "../config/file/places.ts";
import type { FileProblem } from "../config/file/problem.ts";
import { nearestWord } from "../config/nearest.ts";
import type { RunConfig } from "../config/run-config.ts";
import { appPlace, isFileApp } from "../config/service.ts";
import { findInterpreter } from "../instances/index.ts";
import { appFolder, PACKAGE_DIR } from "./pool-spec.ts";
import { missingSecrets } from "./secrets.ts";

type Variables = Readonly<Record<string, string | undefined>>;

/** What whereabouts.py says of an app. */
interface Missing {
  readonly kind: "module" | "attribute";
  readonly name: string;
  /** The module's own names. */
  readonly names: readonly string[];
}

interface Asked {
  readonly service: string;
  readonly run: RunConfig;
}

/** Whether Headrace is about to start: secrets are often only there where it does. */
export type Purpose = "check" | "start";

/**
 * The file with what is missing among its problems, so that all of them are told at once; of secrets among its notices, where nothing is to
 * start. Nothing of the apps is imported: what only the import can tell is left to the start.
 */
export async function preflight(loaded: LoadedFile, env: Variables, purpose: Purpose): Promise<LoadedFile> {
  const secrets = [...secretProblems(loaded, env)];
  const missing = [...(purpose === "start" ? secrets : []), ...(await appProblems(loaded, env))];
  const notices = [...loaded.notices, ...(purpose === "start" ? [] : secrets)];
  if (loaded.ok && missing.length === 0) return { ...loaded, notices };
  const { file, services, problemAt } = loaded;
  const problems = inOrder([...(loaded.ok ? [] : loaded.problems), ...missing]);
  return { ok: false, file, problems, notices, services, problemAt };
}

function* secretProblems({ file, services, problemAt }: LoadedFile, env: Variables): Generator<FileProblem> {
  for (const { name, secrets } of services) {
    for (const { variable, message, instead } of missingSecrets(secrets, dirname(file), env)) {
      yield problemAt([`services.${name}.env.${variable}`], "secret_missing", message, instead);
    }
  }
}

async function appProblems(loaded: LoadedFile, env: Variables): Promise<FileProblem[]> {
  const asked = loaded.services
    .filter(({ run }) => !isFileApp(run.app) || attributeOf(run.app) !== "")
    .map(({ name, run }) => ({ service: name, run }));
  const groups = await byInterpreter(asked, env);
  const found = await Promise.all([...groups].map(([python, group]) => ask(python, group, env)));
  return found.flat().map(({ service, run, missing }) => {
    const { message, instead } = sentences(run, missing);
    return loaded.problemAt(
      [`services.${service}.app`, `services.${service}.function`],
      "app_not_found",
      message,
      instead,
    );
  });
}

/** Services by the program that would run them. Those without one are left out: the start says why. */
async function byInterpreter(
  asked: readonly Asked[],
  env: Variables,
): Promise<ReadonlyMap<string, readonly Asked[]>> {
  const searches = new Map<string, Promise<string | null>>();
  const groups = new Map<string, Asked[]>();
  for (const one of asked) {
    const { python, cwd } = one.run;
    const search = { python: python === "" ? null : python, appDir: appFolder(one.run), cwd, env };
    const key = python === "" ? JSON.stringify([search.appDir, cwd]) : python;
    const path =
      searches.get(key) ??
      findInterpreter(search)
        .then(({ path }) => path)
        .catch(() => null);
    searches.set(key, path);
    const found = await path;
    if (found === null) continue;
    // What the environment says to Python itself may be another place for modules.
    const group = JSON.stringify([found, pythonVariables(one.run.env)]);
    groups.set(group, [...(groups.get(group) ?? []), one]);
  }
  return groups;
}

function pythonVariables(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith("PYTHON")));
}

async function ask(
  key: string,
  group: readonly Asked[],
  env: Variables,
): Promise<(Asked & { readonly missing: Missing })[]> {
  const [python, variables] = JSON.parse(key) as [string, Record<string, string>];
  const apps = group.map(({ run }) => ({
    app: appPlace(run.app),
    attribute: attributeOf(run.app),
    start: run.cwd,
    dir: run.appDir,
  }));
  const child = Bun.spawn([python, join(PACKAGE_DIR, "headrace", "project", "whereabouts.py")], {
    cwd: group[0]!.run.appDir,
    env: { ...env, ...variables },
    stdin: new Blob([JSON.stringify(apps)]),
    stdout: "pipe",
    stderr: "ignore",
  });
  const text = await new Response(child.stdout).text();
  // A Python that cannot answer this will not start the app either, and says more then.
  if ((await child.exited) !== 0) return [];
  const answers = JSON.parse(text) as (Missing | null)[];
  return group.flatMap((one, index) => {
    const missing = answers[index] ?? null;
    return missing === null ? [] : [{ ...one, missing }];
  });
}

function attributeOf(app: string): string {
  const place = appPlace(app);
  return place === app ? "" : app.slice(place.length + 1);
}

function sentences({ app, appDir }: RunConfig, { kind, name, names }: Missing) {
  const place = appPlace(app);
  if (kind === "module") {
    const dot = name.lastIndexOf(".");
    const instead =
      dot === -1
        ? `Check its name; modules are looked for in ${appDir}, then where the interpreter has its packages.`
        : `Check its name: ${name.slice(0, dot)} is there, and has no ${name.slice(dot + 1)}.`;
    return { message: `There is no module ${name}.`, instead };
  }
  const near = nearestWord(name, names);
  const instead = near === null ? "Check the name after the colon." : `Write ${place}:${near}.`;
  return { message: `${place} has no ${name}.`, instead };
}

/** Reads what the options of `headrace run` name on disk, around the pure parts: parse, then files, then resolve. */

import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { messageOf, systemCode } from "../base/errors.ts";
import { parseEnvFile } from "./envfile.ts";
import { isReference } from "./file/variables.ts";
import { runOptions } from "./options.ts";
import { type Environment, parse } from "./parse.ts";
import type { Problem } from "./problem.ts";
import { absolute, type Facts, type Files, namedApp, type ParsedRun, resolve } from "./resolve.ts";
import type { RunConfig } from "./run-config.ts";
import { appPlace, isFileApp } from "./service.ts";
import { checkTls } from "./tls.ts";

export type LoadedRun =
  | { readonly kind: "help" }
  | { readonly kind: "problems"; readonly problems: readonly Problem[]; readonly notices: readonly Problem[] }
  | { readonly kind: "config"; readonly config: RunConfig; readonly notices: readonly Problem[] };

/** From the arguments after `headrace run` to the config. Reads files, changes nothing. */
export function loadRun(argv: readonly string[], env: Environment, facts: Facts): LoadedRun {
  return loadParsed(parse(runOptions, argv, env), env, facts, "run");
}

/**
 * From flags that have been parsed to the config, for a command that takes those of `headrace run` and more.
 * @param command the command's name, for what to write instead
 */
export function loadParsed(parsed: ParsedRun, env: Environment, facts: Facts, command: string): LoadedRun {
  if (parsed.help) return { kind: "help" };
  const problems = [...parsed.problems];
  const notices = [...parsed.notices];
  const app = namedApp(parsed, env.FUNCTION_SOURCE);
  problems.push(...appProblems(parsed, app, facts.cwd, command));
  const files = readFiles(parsed, facts.cwd, problems, notices);
  const appInDir = isInDir(app ?? "", facts.cwd, absolute(parsed.values.appDir, facts.cwd));
  const resolved = resolve(parsed, app ?? "", { ...files, appInDir }, facts);
  if (!resolved.ok) problems.push(...resolved.problems);
  if (problems.length > 0 || !resolved.ok) return { kind: "problems", problems, notices };
  return { kind: "config", config: resolved.config, notices };
}

function* appProblems(
  parsed: ParsedRun,
  app: string | null,
  cwd: string,
  command: string,
): Generator<Problem> {
  const { positionals, values, origins } = parsed;
  if (positionals.length > 1) {
    const message = `There is one app to a command: ${JSON.stringify(positionals[1])} is too much.`;
    const instead = `Write headrace ${command} ${positionals[0]} and its flags.`;
    yield { code: "unexpected_argument", subject: "", message, instead };
  }
  const appDir = absolute(values.appDir, cwd);
  if (!isFolder(appDir))
    yield missing(origins.appDir, `There is no folder ${appDir}.`, "Name one that exists.");
  for (const path of values.reloadDir) {
    const folder = absolute(path, cwd);
    if (!isFolder(folder))
      yield missing(origins.reloadDir, `There is no folder ${folder}.`, "Name one that exists.");
  }
  if (values.python.includes("/") && !isExecutable(absolute(values.python, cwd))) {
    const message = `There is no program ${values.python}.`;
    yield missing(
      origins.python,
      message,
      "Name a Python interpreter, such as .venv/bin/python, or leave it out.",
    );
  }
  if (app === null) yield noApp(command);
  else yield* missingApp(app, [cwd, appDir]);
}

function noApp(command: string): Problem {
  return {
    code: "app_missing",
    subject: "",
    message: "No app is named.",
    instead: `Write its file or module, as in: headrace ${command} main.py, headrace ${command} shop.wsgi:application.`,
  };
}

/** Modules may be installed anywhere: only Python can find them. Files are looked for here, where the answer is quick and clear. */
function* missingApp(app: string, folders: readonly string[]): Generator<Problem> {
  const place = appPlace(app);
  const places = [...new Set(folders.map((folder) => absolute(place, folder)))];
  if (!isFileApp(app)) {
    const tried = folders.map((folder) => absolute(place, folder)).find((path) => isFile(path));
    if (tried === undefined) return;
    yield missing("", `${place} is a file and no module name.`, "Name a Python file that ends with .py.");
  } else if (!places.some(isApp)) {
    const instead = `Check the path; relative ones begin at ${folders[0]}.`;
    yield { code: "app_not_found", subject: "", message: `There is no app ${place}.`, instead };
  }
}

/** Files are looked for where the command was started, then in the folder of modules, as the worker does. */
function isInDir(app: string, cwd: string, appDir: string): boolean {
  if (!isFileApp(app)) return false;
  const place = appPlace(app);
  return !isApp(absolute(place, cwd)) && isApp(absolute(place, appDir));
}

function isApp(path: string): boolean {
  return isFile(path) || isFile(`${path}/__init__.py`);
}

function readFiles(
  parsed: ParsedRun,
  cwd: string,
  problems: Problem[],
  notices: Problem[],
): Omit<Files, "appInDir"> {
  const { values, origins } = parsed;
  const read = (origin: string, path: string): string => {
    if (path === "") return "";
    try {
      return readFileSync(absolute(path, cwd), "utf8");
    } catch (error) {
      const why = systemCode(error) === "ENOENT" ? "does not exist" : `cannot be read (${messageOf(error)})`;
      problems.push(missing(origin, `The file ${path} ${why}.`, "Name a file that can be read."));
      return "";
    }
  };
  const env: Record<string, string> = {};
  for (const path of values.envFile) {
    const file = parseEnvFile(read(origins.envFile, path));
    Object.assign(env, file.variables);
    for (const [name, value] of Object.entries(file.variables)) {
      if (!isReference(value)) continue;
      const message = `${name} in ${path} reads like a reference to a secret, and is plain text there.`;
      const instead = "Write it under env in headrace.yaml.";
      notices.push({ code: "env_file_invalid", subject: origins.envFile, message, instead });
    }
    for (const { line, why } of file.wrong) {
      const message = `Line ${line} of ${path} cannot be read: ${why}.`;
      problems.push({
        code: "env_file_invalid",
        subject: origins.envFile,
        message,
        instead: "Write KEY=VALUE.",
      });
    }
  }
  const tlsCert = read(origins.tlsCert, values.tlsCert);
  const tlsKey = read(origins.tlsKey, values.tlsKey);
  if (tlsCert !== "" && tlsKey !== "") {
    const files = { certPath: values.tlsCert, keyPath: values.tlsKey, cert: tlsCert, key: tlsKey };
    const check = checkTls(files, Date.now());
    problems.push(...check.problems);
    notices.push(...check.notices);
  }
  return { env, tlsCert, tlsKey };
}

function missing(subject: string, message: string, instead: string): Problem {
  return { code: "file_unreadable", subject, message, instead };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return isFile(path);
  } catch {
    return false;
  }
}

import { existsSync, statSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { Exit, HeadraceError } from "../../base/errors.ts";
import { readFile } from "../../config/file/load.ts";
import type { FileProblem } from "../../config/file/problem.ts";
import { toggle } from "../../config/option.ts";
import { absolute } from "../../config/resolve.ts";
import { dnsLabel } from "../../config/service.ts";
import { readArguments } from "../arguments.ts";
import { factsOf } from "../facts.ts";
import { findServices } from "../init/find.ts";
import type { Plan } from "../init/plan.ts";
import { writeFile } from "../init/write.ts";
import type { Io } from "../io.ts";

export const initOptions = {
  stdout: toggle({
    flag: "stdout",
    group: "Flags",
    fallback: false,
    doc: "Prints the file instead of writing it.",
  }),
  force: toggle({
    flag: "force",
    group: "Flags",
    fallback: false,
    doc: "Writes over a headrace.yaml that is there.",
  }),
} as const;

const HELP = `Looks at a project and writes a headrace.yaml for it, with comments that say where each value comes from.

Usage
  headrace init [FOLDER] [flags]

  It reads Cloud Run's service.yaml, Procfile, Dockerfile, App Engine's app.yaml, gunicorn.conf.py and the Python files: FastAPI, Starlette,
  Quart, Flask, Django, functions-framework and others. Nothing of the project is run or imported.
`;

const FILE = "headrace.yaml";

/** `headrace init`: exit code 0 when a file was written, 2 when nothing was found or a file is there already. */
export async function init(argv: readonly string[], io: Io): Promise<number> {
  const shape = { options: initOptions, help: HELP, words: [0, 1], instead: "headrace init" } as const;
  const read = readArguments(shape, argv, io);
  if (typeof read === "number") return read;
  const root = absolute(read.positionals[0] ?? ".", io.cwd);
  if (!existsSync(root) || !statSync(root).isDirectory())
    throw refused("file_unreadable", `There is no folder ${root}.`);
  const { stdout, force } = read.values;
  const path = join(root, FILE);
  if (existsSync(path) && !force && !stdout)
    throw refused(
      "file_exists",
      `${FILE} is there already.`,
      "Add --force to write over it, or --stdout to only look.",
    );
  const { plan } = await findServices(root, io.env);
  if (plan.services.length === 0) {
    for (const sentence of plan.left) io.err(`headrace: ${sentence}\n`);
    const message = `No app was found in ${root}.`;
    const hint = `Write ${FILE} yourself: services: { web: { app: main.py } }, or serve one app with headrace run main.py.`;
    throw refused("init_nothing_found", message, hint);
  }
  const text = checkedText(plan, root, io);
  if (stdout) {
    io.out(text);
    return Exit.OK;
  }
  writeFileSync(path, text);
  io.out(summary(plan, relative(io.cwd, path) || FILE));
  return Exit.OK;
}

/** The text of the file, without what headrace check would not take. */
function checkedText(plan: Plan, root: string, io: Io): string {
  const name = dnsLabel(basename(root)) || "app";
  const file = join(root, FILE);
  let current = plan;
  for (;;) {
    const text = writeFile(current, name);
    const loaded = readFile(text, file, io.env, factsOf(io));
    if (loaded.ok) return text;
    const less = without(current, loaded.problems);
    if (less === null) {
      const detail = loaded.problems.map(({ path, message }) => `${path}: ${message}`).join("\n");
      throw new HeadraceError("init_failed", "What was found does not make a file that could be served.", {
        detail,
      });
    }
    current = less;
  }
}

/** The plan without the values that have problems, which are told instead; null when it is about something else. */
function without(plan: Plan, problems: readonly FileProblem[]): Plan | null {
  const [problem] = problems;
  if (problem === undefined) return null;
  const { path } = problem;
  const say = (value: string, from: string) =>
    `${from}: ${value} cannot be carried over. ${problem.message} ${problem.instead}`;
  const shared = plan.shared.find(({ key }) => key === path);
  if (shared !== undefined)
    return {
      ...plan,
      shared: plan.shared.filter((one) => one !== shared),
      left: [...plan.left, say(`${shared.key}: ${shared.value}`, shared.from)],
    };
  let found = false;
  const services = plan.services.map((service) => {
    const own = `services.${service.name}.`;
    const finding = service.findings.find(({ key }) => path === own + key);
    const variable = service.variables.find((one) => path === `${own}env.${one.name}`);
    if (finding === undefined && variable === undefined) return service;
    found = true;
    const told =
      finding === undefined
        ? say(variable!.name, variable!.from)
        : say(`${finding.key}: ${finding.value}`, finding.from);
    return {
      ...service,
      findings: service.findings.filter((one) => one !== finding),
      variables: service.variables.filter((one) => one !== variable),
      left: [...service.left, told],
    };
  });
  return found ? { ...plan, services } : null;
}

function summary(plan: Plan, path: string): string {
  const width = Math.max(...plan.services.map(({ name }) => name.length));
  const lines = plan.services.map(
    ({ name, app, from }) => `  ${name.padEnd(width)}  ${app.app}  (${from.join("; ")})\n`,
  );
  const count = plan.services.reduce((sum, { left }) => sum + left.length, plan.left.length);
  const left =
    count === 0
      ? ""
      : `${count === 1 ? "One thing" : `${count} things`} could not be carried over: the comments in the file say what.\n`;
  return `Wrote ${path}:\n${lines.join("")}${left}Look at it, then: headrace check && headrace up\n`;
}

function refused(
  code: "file_unreadable" | "file_exists" | "init_nothing_found",
  message: string,
  hint = "",
): HeadraceError {
  return new HeadraceError(code, message, { exit: Exit.USAGE, hint });
}

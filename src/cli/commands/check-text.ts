/** What `headrace check` says about a file. Pure. */

import { basename } from "node:path";
import type { ApplicationConfig, RouteConfig, ServiceConfig } from "../../config/file/config.ts";
import type { FileProblem } from "../../config/file/problem.ts";
import type { Problem } from "../../config/problem.ts";
import { type Column, table } from "../table.ts";

interface Branch {
  readonly branches: Map<string, Branch>;
  readonly problems: FileProblem[];
}

/** Problems as a tree of the keys they belong to, each with its line and what to write instead. */
export function problemTree(file: string, problems: readonly FileProblem[]): string {
  const root: Branch = { branches: new Map(), problems: [] };
  for (const problem of problems) {
    let branch = root;
    for (const name of problem.path === "" ? [] : problem.path.split(".")) {
      const next = branch.branches.get(name) ?? { branches: new Map(), problems: [] };
      branch.branches.set(name, next);
      branch = next;
    }
    branch.problems.push(problem);
  }
  const count = problems.length === 1 ? "one problem" : `${problems.length} problems`;
  return [`${basename(file)}: ${count}, nothing was started`, ...leaves(root, ""), ""].join("\n");
}

function* leaves(branch: Branch, indent: string): Generator<string> {
  const children = [...branch.branches];
  const parts = [
    ...branch.problems.map((problem) => ({ head: sentence(problem), below: null })),
    ...children.map(([name, child]) => ({ head: name, below: child })),
  ];
  for (const [index, { head, below }] of parts.entries()) {
    const last = index === parts.length - 1;
    yield `${indent}${last ? "└─" : "├─"} ${head}`;
    if (below !== null) yield* leaves(below, `${indent}${last ? "   " : "│  "}`);
  }
}

function sentence({ place, message, instead }: FileProblem): string {
  return `line ${place.line}, column ${place.column}: ${message} ${instead}`;
}

/** One that stands alone, with its place before its key. */
export function placed(problem: FileProblem): Problem {
  const { line, column } = problem.place;
  const where = `line ${line}, column ${column}`;
  return { ...problem, subject: problem.subject === "" ? where : `${where}, ${problem.subject}` };
}

/** What a file without problems describes. */
export function summary(application: ApplicationConfig): string {
  const { name, file, services } = application;
  const count = services.length === 1 ? "one service" : `${services.length} services`;
  const columns: Column<ServiceConfig>[] = [
    { title: "SERVICE", cell: (service) => service.name },
    { title: "ROUTE", cell: ({ routes }) => routes.map(routeText).join(", ") || "none" },
    { title: "APP", cell: ({ run }) => run.app },
    { title: "INSTANCES", cell: scaleText },
  ];
  return `${basename(file)} is right: ${name}, ${count}\n\n${table(columns, services)}`;
}

/** A route as one word: `GET shop.test/api`. */
export function routeText({ host, path, methods, headers }: RouteConfig): string {
  const conditions = headers.map(({ name, value }) => ` if ${name}${value === null ? "" : `: ${value}`}`);
  return `${methods.length === 0 ? "" : `${methods.join("|")} `}${host}${path}${conditions.join("")}`;
}

function scaleText({ run }: ServiceConfig): string {
  const { scaling, instances } = run;
  const slots = `x ${run.concurrency}`;
  return scaling === null
    ? `${instances} ${slots}`
    : `${scaling.minInstances} to ${scaling.maxInstances} ${slots}`;
}

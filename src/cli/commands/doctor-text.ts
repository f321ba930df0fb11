/** What `headrace doctor` prints for people. Pure. */

import { showDuration, showSize } from "../../base/units.ts";
import type {
  DoctorFinding,
  DoctorReport,
  ImportNode,
  PackageCost,
  PreloadLevel,
} from "../../model/doctor.ts";
import { optionHelp, wrap } from "../help.ts";
import { type Column, table } from "../table.ts";
import type { Hint } from "./doctor-hints.ts";
import { doctorOptions, importOptions } from "./doctor-options.ts";

/** The help of `headrace doctor`. @param columns width to wrap to */
export function doctorHelp(columns: number): string {
  const own = Object.values(doctorOptions).map((option) => optionHelp(option, columns));
  const shared = Object.values(importOptions).map((option) => optionHelp(option, columns));
  return `Imports an app in a process of its own and says what makes it slow to start or unsafe to fork. Serves nothing.

Usage
  headrace doctor APP [flags]

  It takes all flags of headrace run, so that one word changes.

Flags
${own.join("")}
Flags of headrace run that have a say
${shared.join("")}
Exit codes: 0 the app could be imported, 2 wrong flags or surroundings, 3 it could not, and the traceback says why.
`;
}

/** What one run prints. */
export interface DoctorView {
  readonly report: DoctorReport;
  readonly hints: readonly Hint[];
  /** 0: a fiftieth of the whole. */
  readonly thresholdMs: number;
  /** Width of the terminal. */
  readonly columns: number;
}

const WIDEST = 110;
/** Column in which what is said of a title begins. */
const INDENT = 10;
/** Packages that get a row of their own. */
const MOST_PACKAGES = 12;
/** Least threshold that is chosen. */
const FEWEST_MS = 1;

/** Verdict, findings, advice, the tree of imports, and packages. */
export function doctorText(view: DoctorView): string {
  const width = Math.max(60, Math.min(view.columns, WIDEST));
  const { report } = view;
  const thresholdMs = view.thresholdMs || Math.max(FEWEST_MS, report.imports.ms / 50);
  const parts = [
    hanging("", heading(report), width),
    summary(report, width),
    findings(report, width),
    advice(view.hints, width),
    treeText(report.imports, thresholdMs, width),
    packagesText(report.packages, width),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

function heading({ app, name, interface: kind, python }: DoctorReport): string {
  const named = app === name ? app : `${app} (${name})`;
  return `${named}, ${kind}, ${python.version} by ${python.source}`;
}

function summary(report: DoctorReport, width: number): string {
  const { imports, worker, forkMs, modules } = report;
  const rows = [
    titled("Preload", preloadText(report), width),
    titled(
      "Import",
      `${showDuration(imports.ms)} for ${count(modules, "module")}, and ${showDuration(worker.ms)} for what the worker needs to run it.`,
      width,
    ),
  ];
  if (forkMs !== null) rows.push(titled("Fork", `${showDuration(forkMs)}.`, width));
  rows.push(titled("Memory", memoryText(report), width));
  return rows.join("");
}

const levels: Readonly<Record<PreloadLevel, string>> = {
  app: "instances are forked from a process that has imported the app.",
  imports: "instances are forked from a process that has imported what the app imports; each imports",
  off: "each instance is a new process that imports everything",
};

function preloadText(report: DoctorReport): string {
  const { preload, findings: found, imports } = report;
  const { asked, level, reasons } = preload;
  const parts = [`${level}: ${levels[level]}`];
  if (level === "imports") parts[0] += ` ${eachImports(report)} of ${showDuration(imports.ms)}.`;
  if (level === "off") parts[0] += `, ${showDuration(imports.ms)}.`;
  // What follows from a finding is said below, under its title.
  const others = reasons.filter((reason) => !reason.startsWith("level "));
  parts.push(...others.map(sentence));
  if (asked === level && reasons.length > others.length)
    parts.push(`That is what --preload ${asked} asks for, and it is not safe.`);
  else if (found.length === 0 && level === "app")
    parts.push("The import leaves nothing behind that speaks against it.");
  return parts.join(" ");
}

/** What each instance imports itself at level imports: the app's own modules, and packages that are unsafe. */
function eachImports({ packages, findings: found }: DoctorReport): string {
  const unsafe = new Set(found.map(({ module }) => module.split(".")[0] ?? ""));
  const libraries = packages.filter(({ name, kind }) => kind === "installed" && unsafe.has(name));
  const all = [...packages.filter(({ kind }) => kind === "app"), ...libraries];
  const names = ["the app itself", ...libraries.map(({ name }) => name)];
  return `${names.join(" and ")}, ${showDuration(all.reduce((sum, { ownMs }) => sum + ownMs, 0))}`;
}

function memoryText({ memory: { before, after } }: DoctorReport): string {
  if (after.rss === null) return "not known on this system.";
  const came =
    before.rss === null ? "" : `, of which ${showSize(after.rss - before.rss)} came with the import`;
  const more = [
    ...(after.pss === null ? [] : [`PSS ${showSize(after.pss)}`]),
    ...(after.private === null ? [] : [`private ${showSize(after.private)}`]),
  ];
  return `RSS ${showSize(after.rss)}${came}${more.map((part) => `; ${part}`).join("")}.`;
}

function findings({ findings: found }: DoctorReport, width: number): string {
  if (found.length === 0) return "";
  const below = found.filter(({ level }) => level === "imports");
  const same = (a: DoctorFinding, b: DoctorFinding) =>
    a.kind === b.kind && a.module === b.module && a.detail === b.detail;
  const above = found.filter((one) => one.level === "app" && !below.some((other) => same(one, other)));
  const rows = [...above, ...below].map(({ level, kind, module, detail }) => ({
    where: level === "app" ? "" : ", at level imports as well",
    kind,
    module: module === "" ? "?" : module,
    detail,
  }));
  const kindWidth = Math.max(...rows.map(({ kind }) => kind.length));
  const longest = Math.max(...rows.map(({ module }) => module.length));
  const moduleWidth = Math.min(Math.floor(width / 3), longest);
  const lines = rows.map(({ where, kind, module, detail }) => {
    const name = module.length > moduleWidth ? `…${module.slice(1 - moduleWidth)}` : module;
    const head = `  ${kind.padEnd(kindWidth)}  ${name.padEnd(moduleWidth)}  `;
    return hanging(head, detail + where, width);
  });
  return `Unsafe to fork\n${lines.join("")}`;
}

function advice(hints: readonly Hint[], width: number): string {
  if (hints.length === 0) return "";
  const lines = hints.map(({ kind, modules, text }) => {
    const whose = modules.length === 0 ? "" : ` of ${modules.join(", ")}`;
    return hanging("  - ", `${kind}${whose}: ${text}`, width);
  });
  return `What to do\n${lines.join("")}`;
}

/** An import that does little but import the next, which takes this share of it, shares a line with it. */
const PASSED_ON = 0.85;

/**
 * The imports that take `thresholdMs` or more, the longest first, as a tree. `a → … → d` stands for a chain in which each only
 * imports the next.
 */
export function treeText(root: ImportNode, thresholdMs: number, width: number): string {
  let shown = 0;
  const lines = [`${"TOTAL".padStart(9)}${"OWN".padStart(9)}${"MEMORY".padStart(10)}  IMPORT`];
  const visit = (node: ImportNode, lead: string, childLead: string): void => {
    const chain = node === root ? [root] : chainOf(node, thresholdMs);
    shown += chain.length;
    lines.push(cut(`${numbers(chain)}  ${lead}${chainText(chain)}`, width));
    const children = heavy(chain.at(-1)!, thresholdMs);
    children.forEach((child, index) => {
      const last = index === children.length - 1;
      visit(child, `${childLead}${last ? "└ " : "├ "}`, `${childLead}${last ? "  " : "│ "}`);
    });
  };
  visit(root, "", "");
  const left = size(root) - shown;
  const note =
    left === 0 ? "" : `; ${count(left, "import")} of less than ${showDuration(thresholdMs)} left out`;
  const title = hanging("", `Imports, with all inside them, and by themselves${note}`, width);
  return title + lines.map((line) => `${line}\n`).join("");
}

function heavy(node: ImportNode, thresholdMs: number): readonly ImportNode[] {
  return node.children.filter(({ ms }) => ms >= thresholdMs);
}

function chainOf(first: ImportNode, thresholdMs: number): readonly ImportNode[] {
  const chain = [first];
  for (let node = first; node.ownMs < thresholdMs; ) {
    const [next, ...others] = heavy(node, thresholdMs);
    if (next === undefined || others.length > 0 || next.ms < node.ms * PASSED_ON) break;
    chain.push(next);
    node = next;
  }
  return chain;
}

function chainText(chain: readonly ImportNode[]): string {
  const named = ({ name, failed }: ImportNode) => (failed ? `${name} (failed)` : name);
  const ends = [...new Set([chain[0]!, chain.at(-1)!])];
  return ends.map(named).join(chain.length > 2 ? " → … → " : " → ");
}

function numbers(chain: readonly ImportNode[]): string {
  const { ms, memoryBytes } = chain[0]!;
  const ownMs = chain.reduce((sum, node) => sum + node.ownMs, 0);
  const memory = memoryBytes > 0 ? showSize(memoryBytes) : "-";
  return showDuration(ms).padStart(9) + showDuration(ownMs).padStart(9) + memory.padStart(10);
}

function size(node: ImportNode): number {
  return node.children.reduce((sum, child) => sum + size(child), 1);
}

const packageColumns: readonly Column<PackageCost>[] = [
  { title: "     OWN", cell: (row) => showDuration(row.ownMs).padStart(8), right: true },
  { title: "MODULES", cell: (row) => String(row.modules), right: true },
  { title: "  MEMORY", cell: (row) => (row.memoryBytes > 0 ? showSize(row.memoryBytes) : "-"), right: true },
  { title: "PACKAGE", cell: (row) => (row.kind === "app" ? `${row.name} (the app's own)` : row.name) },
];

function packagesText(packages: readonly PackageCost[], width: number): string {
  const few = packages.slice(0, MOST_PACKAGES);
  const rest = packages.slice(MOST_PACKAGES);
  const sum = (value: (row: PackageCost) => number) => rest.reduce((total, row) => total + value(row), 0);
  const last: PackageCost = {
    name: count(rest.length, "more package"),
    kind: "installed",
    ownMs: sum((row) => row.ownMs),
    modules: sum((row) => row.modules),
    memoryBytes: sum((row) => row.memoryBytes),
  };
  const rows = rest.length === 0 ? few : [...few, last];
  const lines = table(packageColumns, rows).split("\n");
  return `Packages, without what they import\n${lines.map((line) => cut(line, width)).join("\n")}`;
}

function titled(title: string, text: string, width: number): string {
  return hanging(title.padEnd(INDENT), text, width);
}

/** A text that begins after `head` and goes on below its own begin. */
function hanging(head: string, text: string, width: number): string {
  const lines = wrap(text, Math.max(20, width - head.length));
  const pad = " ".repeat(head.length);
  return lines.map((line, index) => `${index === 0 ? head : pad}${line}\n`).join("");
}

function cut(line: string, width: number): string {
  return line.length <= width ? line : `${line.slice(0, width - 1)}…`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

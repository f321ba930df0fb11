/** Reads files in a folder with a few apps, for tests. */

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Facts } from "../resolve.ts";
import type { ApplicationConfig } from "./config.ts";
import { readFile } from "./load.ts";
import type { FileProblem } from "./problem.ts";

export const folder = mkdtempSync(join(tmpdir(), "headrace-file-"));
for (const app of ["main.py", "jobs.py", "legacy.py"]) writeFileSync(join(folder, app), "");
export const FILE = join(folder, "headrace.yaml");

export const facts: Facts = {
  cwd: "/",
  cores: 2,
  sharesPorts: true,
  stdoutIsTerminal: false,
  stderrIsTerminal: false,
};

export function good(source: string, env: Record<string, string> = {}): ApplicationConfig {
  const loaded = readFile(source, FILE, env, facts);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems, null, 1));
  return loaded.application;
}

export function bad(source: string, env: Record<string, string> = {}): readonly FileProblem[] {
  const loaded = readFile(source, FILE, env, facts);
  if (loaded.ok) throw new Error("the file was accepted");
  return loaded.problems;
}

export const where = ({ path, place, code }: FileProblem) => `${place.line}:${place.column} ${path} ${code}`;

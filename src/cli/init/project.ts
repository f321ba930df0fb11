/** The files of a project, as far as they say how it is served. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Project {
  /** Absolute. */
  readonly root: string;
  /** Relative to the root, sorted, without those of environments, caches and tests. */
  readonly files: readonly string[];
  /** Folders of virtual environments, relative to the root. */
  readonly environments: readonly string[];
  /** There are more files than were looked at. */
  readonly cut: boolean;
  has(path: string): boolean;
  /** Empty when it cannot be read. */
  text(path: string): string;
}

/** Folders that hold nothing of what is served. */
const SKIPPED = new Set([
  "node_modules",
  "__pycache__",
  "site-packages",
  "dist",
  "build",
  "migrations",
  "tests",
  "test",
  "docs",
  "static",
  "templates",
]);

const MOST_FILES = 5_000;
const DEEPEST = 6;

/** Looks through a folder. */
export function readProject(root: string): Project {
  const files: string[] = [];
  const environments: string[] = [];
  const visit = (folder: string, depth: number) => {
    const entries = readdirSync(join(root, folder), { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (files.length >= MOST_FILES) return;
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isFile()) files.push(path);
      else if (entry.isDirectory()) {
        if (existsSync(join(root, path, "pyvenv.cfg"))) environments.push(path);
        else if (depth < DEEPEST && !entry.name.startsWith(".") && !SKIPPED.has(entry.name))
          visit(path, depth + 1);
      }
    }
  };
  visit("", 0);
  const known = new Set(files);
  return {
    ...{ root, files, environments, cut: files.length >= MOST_FILES },
    has: (path) => known.has(path),
    text(path) {
      try {
        return readFileSync(join(root, path), "utf8");
      } catch {
        return "";
      }
    },
  };
}

/** `api/Dockerfile` to `api`, `Dockerfile` to an empty text. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash === -1 ? "" : path.slice(0, slash);
}

/** `api/Dockerfile` to `Dockerfile`. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Parts of a path put together, without `.` and empty ones. */
export function joined(...parts: readonly string[]): string {
  const result: string[] = [];
  for (const part of parts.join("/").split("/")) {
    if (part === "..") result.pop();
    else if (part !== "" && part !== ".") result.push(part);
  }
  return result.join("/");
}

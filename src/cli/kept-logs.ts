/** Finds the log lines of a Headrace that does not run any more. */

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Environment } from "../config/parse.ts";
import { stateName, statesPath } from "../config/statedir.ts";

export interface Kept {
  readonly name: string;
  /** Of its log files. */
  readonly folder: string;
  /** When the last line was written, in Unix milliseconds. */
  readonly last: number;
}

/** The one that wrote last, of a name or of any; null when none has left lines. @param service only those with lines of it */
export function lastKept(
  env: Environment,
  wanted: { readonly name: string; readonly service: string | undefined },
): Kept | null {
  const root = statesPath(env);
  const all = entriesOf(root).flatMap((entry): Kept[] => {
    const name = stateName(entry);
    if (name === null || (wanted.name !== "" && wanted.name !== name)) return [];
    const folder = join(root, entry, "logs");
    const files = entriesOf(folder).filter((file) => file.endsWith(".log"));
    if (wanted.service !== undefined && !files.includes(`${wanted.service}.log`)) return [];
    const last = Math.max(0, ...files.map((file) => writtenAt(join(folder, file))));
    return last === 0 ? [] : [{ name, folder, last }];
  });
  return all.sort((a, b) => b.last - a.last)[0] ?? null;
}

function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function writtenAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

import { Exit } from "../../base/errors.ts";
import { showDuration } from "../../base/units.ts";
import { toggle } from "../../config/option.ts";
import type { RevisionReport } from "../../model/revision.ts";
import { AdminClient, findPlace, servicePath, targetOptions } from "../admin-client.ts";
import { readArguments } from "../arguments.ts";
import type { Io } from "../io.ts";
import { type Column, table } from "../table.ts";

const HELP = `Lists the revisions of a service that are kept, newest first.

Usage
  headrace revisions SERVICE [flags]

  Any of them can be given requests: headrace traffic SERVICE --to rev-7=100.
`;

export const revisionsOptions = {
  json: toggle({
    flag: "json",
    group: "Flags",
    fallback: false,
    doc: "Prints JSON, for programs: with the options of each, and the names of its variables.",
  }),
  ...targetOptions,
} as const;

/** `headrace revisions`. */
export async function revisions(argv: readonly string[], io: Io): Promise<number> {
  const shape = {
    options: revisionsOptions,
    help: HELP,
    words: [1, 1],
    instead: "headrace revisions api",
  } as const;
  const read = readArguments(shape, argv, io);
  if (typeof read === "number") return read;
  const admin = new AdminClient(findPlace(read.values, io));
  const all = await admin.json<readonly RevisionReport[]>(servicePath(read.positionals[0]!, "/revisions"));
  io.out(read.values.json ? `${JSON.stringify(all, null, 2)}\n` : revisionsTable(all, Date.now()));
  return Exit.OK;
}

/** Enough of a digest to tell two apart. */
const DIGEST_LETTERS = 12;

/** @param now Unix milliseconds */
export function revisionsTable(all: readonly RevisionReport[], now: number): string {
  const columns: readonly Column<RevisionReport>[] = [
    { title: "REVISION", cell: ({ revision }) => revision },
    { title: "AGE", cell: ({ createdAt }) => showDuration(Math.max(0, now - createdAt)), right: true },
    { title: "MADE BY", cell: ({ madeBy }) => madeBy ?? "-" },
    { title: "CODE", cell: ({ code }) => (code === "" ? "not kept" : code.slice(0, DIGEST_LETTERS)) },
    { title: "SHARE", cell: ({ weight }) => `${weight}%`, right: true },
    { title: "SHADOW", cell: ({ shadow }) => (shadow === 0 ? "-" : `${shadow}%`), right: true },
    { title: "INSTANCES", cell: ({ instances }) => String(instances), right: true },
    { title: "TAGS", cell: ({ tags }) => tags.join(", ") },
  ];
  return table(columns, all);
}

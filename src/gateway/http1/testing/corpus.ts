/** Reads the raw requests of test/corpus/http1; its README says how they are written. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../../../../test/corpus/http1");
const ESCAPE = /\\(r|n|t|0|\\|x[0-9a-f]{2})/g;
const SIMPLE: Readonly<Record<string, string>> = { r: "\r", n: "\n", t: "\t", "0": "\0", "\\": "\\" };

/** One file. */
export interface Sample {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Values of the `#!` lines, in order, escapes resolved. */
  readonly says: ReadonlyMap<string, readonly string[]>;
}

/** All files of one folder. */
export function samples(folder: "valid" | "invalid"): Sample[] {
  return readdirSync(join(ROOT, folder))
    .filter((file) => file.endsWith(".http"))
    .sort()
    .map((file) => read(join(ROOT, folder, file), file.slice(0, -".http".length)));
}

/** The first value of a `#!` line. */
export function said(sample: Sample, key: string): string | undefined {
  return sample.says.get(key)?.[0];
}

function read(path: string, name: string): Sample {
  const says = new Map<string, string[]>();
  let raw = "";
  for (const line of readFileSync(path, "latin1").split("\n")) {
    const note = /^#! ([a-z-]+) ?(.*)$/.exec(line);
    if (note === null) raw += line;
    else says.set(note[1]!, [...(says.get(note[1]!) ?? []), resolve(note[2]!)]);
  }
  return { name, bytes: Uint8Array.from(Buffer.from(resolve(raw), "latin1")), says };
}

function resolve(text: string): string {
  return text.replace(ESCAPE, (_, code: string) =>
    code.startsWith("x") ? String.fromCharCode(Number.parseInt(code.slice(1), 16)) : SIMPLE[code]!,
  );
}

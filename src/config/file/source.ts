/** The text of a headrace.yaml from disk, or why there is none. */

import { readFileSync, statSync } from "node:fs";
import { messageOf, systemCode } from "../../base/errors.ts";
import { showSize } from "../../base/units.ts";
import type { Place } from "./node.ts";
import { type FileProblem, fileProblem } from "./problem.ts";

export type ReadSource =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly problem: FileProblem };

/** Thousands of services fit; what is larger is some other file. */
const MOST_BYTES = 4 * 2 ** 20;

/** Reads all of it. It must be UTF-8: what is replaced by a question mark would be another value. */
export function readSource(file: string): ReadSource {
  try {
    if (statSync(file).size > MOST_BYTES) {
      const message = `The file ${file} is larger than ${showSize(MOST_BYTES)}.`;
      return failed("file_invalid", message, "Name the file that describes the application.");
    }
    return decoded(file, readFileSync(file));
  } catch (error) {
    const why = systemCode(error) === "ENOENT" ? "does not exist" : `cannot be read (${messageOf(error)})`;
    const instead = "Name one with -f, or write one: headrace init makes a first one.";
    return failed("file_unreadable", `The file ${file} ${why}.`, instead);
  }
}

function decoded(file: string, bytes: Buffer): ReadSource {
  const text = utf8(bytes);
  if (text !== null) return { ok: true, text };
  const message = `The file ${file} is no UTF-8 text from here on.`;
  return failed("file_invalid", message, "Save it as UTF-8.", firstWrong(bytes));
}

function utf8(bytes: Buffer): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

function firstWrong(bytes: Buffer): Place {
  let line = 1;
  for (let start = 0; start < bytes.length; line++) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline === -1 ? bytes.length : newline;
    const part = bytes.subarray(start, end);
    if (utf8(part) === null) return { line, column: part.toString("utf8").indexOf("\ufffd") + 1 };
    start = end + 1;
  }
  return { line: 1, column: 1 };
}

function failed(
  code: FileProblem["code"],
  message: string,
  instead: string,
  place: Place = { line: 1, column: 1 },
): ReadSource {
  return { ok: false, problem: fileProblem({ path: "", place }, code, message, instead) };
}

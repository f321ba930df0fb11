/** `headrace load --compare before.json after.json`. Sends nothing. */

import { readFileSync } from "node:fs";
import { Exit, HeadraceError, messageOf } from "../../base/errors.ts";
import type { Problem } from "../../config/problem.ts";
import { absolute } from "../../config/resolve.ts";
import { compare } from "../../load/report/compare.ts";
import { compareText } from "../../load/report/compare-text.ts";
import { readResult } from "../../load/report/read.ts";
import type { LoadResult } from "../../load/result.ts";
import type { Io } from "../io.ts";
import { tellProblems } from "../tell.ts";
import { writeReport } from "./load-write.ts";

/** Exit code 99 when something that clients saw got worse outside of the noise, 98 when nothing could be judged. */
export function compareFiles(paths: readonly string[], json: string, io: Io): number {
  const [before, after, more] = paths;
  if (before === undefined || after === undefined || more !== undefined) {
    const message = `It compares two files, and ${paths.length === 1 ? "one is" : `${paths.length} are`} named.`;
    const problem: Problem = {
      code: "conflict",
      subject: "--compare",
      message,
      instead: "Write headrace load --compare before.json after.json.",
    };
    tellProblems(io, [problem], []);
    return Exit.USAGE;
  }
  const comparison = compare(read(before, io), read(after, io));
  if (json !== "-") io.out(compareText(comparison, { before, after }));
  writeReport(json, () => `${JSON.stringify(comparison, null, 2)}\n`, io);
  return comparison.exitCode;
}

function read(path: string, io: Io): LoadResult {
  try {
    return readResult(readFileSync(absolute(path, io.cwd), "utf8"));
  } catch (error) {
    throw new HeadraceError("load_invalid", `${path} cannot be compared: ${messageOf(error)}.`, {
      exit: Exit.USAGE,
    });
  }
}

import { HeadraceError, messageOf } from "../base/errors.ts";
import type { Problem } from "../config/problem.ts";
import type { Io } from "./io.ts";

/** One line a problem: where, what is wrong, what to write instead. */
export function tellProblems(io: Io, problems: readonly Problem[], notices: readonly Problem[]): void {
  for (const notice of notices) io.err(`headrace: note: ${problemLine(notice)}\n`);
  for (const problem of problems) io.err(`headrace: ${problemLine(problem)}\n`);
}

/** A problem as one line. */
export function problemLine(problem: Problem): string {
  const subject = problem.subject === "" ? "" : `${problem.subject}: `;
  return `${subject}${problem.message} ${problem.instead}`;
}

/** What was thrown: first what belongs to it (a traceback), last, next to the prompt, the sentence and what to do. */
export function tellError(io: Io, error: unknown): void {
  if (error instanceof HeadraceError) {
    if (error.detail !== "") io.err(`${error.detail.trimEnd()}\n`);
    io.err(`headrace: ${error.message}${error.hint === "" ? "" : ` ${error.hint}`}\n`);
    return;
  }
  const stack = error instanceof Error && error.stack !== undefined ? error.stack : messageOf(error);
  io.err(`${stack}\nheadrace: This is a fault of Headrace itself, not of your app.\n`);
}

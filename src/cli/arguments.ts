/** Reads the words of a command that has few flags. */

import { Exit } from "../base/errors.ts";
import { type OptionTable, type Parsed, parse } from "../config/parse.ts";
import { targetEnvironment } from "./admin-client.ts";
import { commandHelp } from "./help.ts";
import type { Io } from "./io.ts";
import { tellProblems } from "./tell.ts";

export interface CommandShape<T extends OptionTable> {
  readonly options: T;
  /** The help above the flags. */
  readonly help: string;
  /** Fewest and most arguments that are no flags. */
  readonly words: readonly [fewest: number, most: number];
  /** What to write, when the number of arguments is wrong: `headrace deploy api`. */
  readonly instead: string;
}

/** What was written, or the exit code when help was asked for or something is wrong; that has been told then. */
export function readArguments<T extends OptionTable>(
  shape: CommandShape<T>,
  argv: readonly string[],
  io: Io,
): Parsed<T> | number {
  const parsed = parse(shape.options, argv, targetEnvironment(io.env));
  if (parsed.help) {
    io.out(commandHelp(shape.help, shape.options, io.columns));
    return Exit.OK;
  }
  const problems = [...parsed.problems];
  const [fewest, most] = shape.words;
  const { positionals } = parsed;
  const instead = `Write ${shape.instead}.`;
  if (positionals.length < fewest)
    problems.push({ code: "missing_value", subject: "", message: "A name is missing.", instead });
  for (const word of positionals.slice(most)) {
    const message = `${JSON.stringify(word)} is too much.`;
    problems.push({ code: "unexpected_argument", subject: "", message, instead });
  }
  if (problems.length === 0) return parsed;
  tellProblems(io, problems, []);
  return Exit.USAGE;
}

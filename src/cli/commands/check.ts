import { Exit } from "../../base/errors.ts";
import type { ApplicationConfig } from "../../config/file/config.ts";
import { loadFile } from "../../config/file/load.ts";
import { parse } from "../../config/parse.ts";
import { factsOf } from "../facts.ts";
import { commandHelp } from "../help.ts";
import type { Io } from "../io.ts";
import { tellProblems } from "../tell.ts";
import { checkOptions } from "./check-options.ts";
import { problemTree, summary } from "./check-text.ts";

const HELP = `Reads headrace.yaml and says all that is wrong with it: where, what, and what to write instead. Starts nothing.

Usage
  headrace check [flags]
`;

/** `headrace check`: exit code 0 when the file is right, else 2. */
export async function check(argv: readonly string[], io: Io): Promise<number> {
  const parsed = parse(checkOptions, argv, io.env);
  if (parsed.help) {
    io.out(commandHelp(HELP, checkOptions, io.columns));
    return Exit.OK;
  }
  if (parsed.problems.length > 0) {
    tellProblems(io, parsed.problems, []);
    return Exit.USAGE;
  }
  const { file, json } = parsed.values;
  const loaded = loadFile(file || (parsed.positionals[0] ?? ""), io.env, factsOf(io));
  if (!loaded.ok) {
    if (json) io.out(`${JSON.stringify({ file: loaded.file, problems: loaded.problems }, null, 2)}\n`);
    else io.err(problemTree(loaded.file, loaded.problems));
    return Exit.USAGE;
  }
  tellProblems(io, [], loaded.notices);
  io.out(json ? `${JSON.stringify(shown(loaded.application), null, 2)}\n` : summary(loaded.application));
  return Exit.OK;
}

/** Private keys and the values of variables are nobody's business; which variables there are may be. */
function shown(application: ApplicationConfig): unknown {
  const services = application.services.map(({ run, secrets, ...service }) => {
    const { tlsKey: _key, tlsCert: _cert, env, ...rest } = run;
    return { ...service, run: { ...rest, env: Object.keys(env) }, secrets: Object.keys(secrets) };
  });
  return { ...application, services, problems: [] };
}

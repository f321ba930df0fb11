import { Exit } from "../../base/errors.ts";
import type { ApplicationConfig } from "../../config/file/config.ts";
import { type LoadedFile, loadFile } from "../../config/file/load.ts";
import { parse } from "../../config/parse.ts";
import { factsOf } from "../facts.ts";
import { commandHelp } from "../help.ts";
import type { Io } from "../io.ts";
import { tellProblems } from "../tell.ts";
import { checkOptions } from "./check-options.ts";
import { placed, problemTree, summary } from "./check-text.ts";

const HELP = `Reads headrace.yaml and says all that is wrong with it: where, what, and what to write instead. Starts nothing.

Usage
  headrace check [FILE] [flags]
`;

/** `headrace check`: exit code 0 when the file is right, else 2. */
export async function check(argv: readonly string[], io: Io): Promise<number> {
  const parsed = parse(checkOptions, argv, io.env);
  if (parsed.help) {
    io.out(commandHelp(HELP, checkOptions, io.columns));
    return Exit.OK;
  }
  const { file, json } = parsed.values;
  const [named = "", ...more] = file === "" ? parsed.positionals : [file, ...parsed.positionals];
  const tooMuch = more.map((word) => {
    const message = `${JSON.stringify(word)} is too much: one file is checked at a time.`;
    const instead = `Write headrace check ${named}.`;
    return { code: "unexpected_argument", subject: "", message, instead } as const;
  });
  if (parsed.problems.length + tooMuch.length > 0) {
    tellProblems(io, [...parsed.problems, ...tooMuch], []);
    return Exit.USAGE;
  }
  const { preflight } = await import("../../platform/preflight.ts");
  const loaded = await preflight(loadFile(named, io.env, factsOf(io)), io.env, "check");
  if (json) io.out(`${JSON.stringify(report(loaded), null, 2)}\n`);
  else {
    tellProblems(io, [], loaded.notices.map(placed));
    if (loaded.ok) io.out(summary(loaded.application));
    else io.err(problemTree(loaded.file, loaded.problems));
  }
  return loaded.ok ? Exit.OK : Exit.USAGE;
}

function report(loaded: LoadedFile): unknown {
  const { file, notices } = loaded;
  return loaded.ok
    ? { ...shown(loaded.application), problems: [], notices }
    : { file, problems: loaded.problems, notices };
}

/** Private keys and the values of variables are nobody's business; which variables there are may be. */
function shown(application: ApplicationConfig) {
  const services = application.services.map(({ run, secrets, ...service }) => {
    const { tlsKey: _key, tlsCert: _cert, env, ...rest } = run;
    return { ...service, run: { ...rest, env: Object.keys(env) }, secrets: Object.keys(secrets) };
  });
  return { ...application, services };
}

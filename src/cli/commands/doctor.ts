import { Exit, HeadraceError } from "../../base/errors.ts";
import type { ConfigErrorCode } from "../../config/errors.ts";
import { loadParsed } from "../../config/load.ts";
import { runOptions } from "../../config/options.ts";
import { parse } from "../../config/parse.ts";
import { factsOf } from "../facts.ts";
import type { Io } from "../io.ts";
import { tellProblems } from "../tell.ts";
import { hintsFor } from "./doctor-hints.ts";
import { doctorOptions } from "./doctor-options.ts";
import { doctorHelp, doctorText } from "./doctor-text.ts";

/** Problems after which the help is worth reading. */
const HELPED: ReadonlySet<ConfigErrorCode> = new Set(["unknown_flag", "missing_value", "app_missing"]);

/** `headrace doctor`: imports the app in a scratch process and says what makes it slow to start or unsafe to fork. */
export async function doctor(argv: readonly string[], io: Io): Promise<number> {
  const parsed = parse({ ...runOptions, ...doctorOptions }, argv, io.env);
  const loaded = loadParsed(parsed, io.env, factsOf(io), "doctor");
  if (loaded.kind === "help") {
    io.out(doctorHelp(io.columns));
    return Exit.OK;
  }
  if (loaded.kind === "problems") {
    tellProblems(io, loaded.problems, loaded.notices);
    if (loaded.problems.some(({ code }) => HELPED.has(code)))
      io.err("headrace doctor --help says which flags have a say, headrace run --help lists all.\n");
    return Exit.USAGE;
  }
  tellProblems(io, [], loaded.notices);
  const { json, threshold } = parsed.values;
  // Loaded here, so that help and wrong flags are answered without it.
  const { diagnose } = await import("../../platform/doctor.ts");
  try {
    const report = await diagnose(loaded.config, ({ line }) => io.err(`${line}\n`));
    const hints = hintsFor(report);
    if (json) io.out(`${JSON.stringify({ ...report, hints }, null, 2)}\n`);
    else io.out(doctorText({ report, hints, thresholdMs: threshold, columns: io.columns }));
    return Exit.OK;
  } catch (error) {
    if (!json || !(error instanceof HeadraceError)) throw error;
    const { code, message, hint, detail: traceback } = error;
    io.out(`${JSON.stringify({ error: { code, message, hint, traceback } }, null, 2)}\n`);
    return error.exit;
  }
}

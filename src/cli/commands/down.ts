import { Exit, systemCode } from "../../base/errors.ts";
import { parse } from "../../config/parse.ts";
import { startTicks } from "../../config/rundir.ts";
import { commandHelp } from "../help.ts";
import type { Io } from "../io.ts";
import { chosen } from "../running.ts";
import { tellProblems } from "../tell.ts";
import { targetOptions } from "./up-options.ts";

const HELP = `Stops what runs, as SIGTERM does: requests in flight finish first. Returns when it is down.

Usage
  headrace down [flags]
`;

/** A process has no event for those that are not its parent. */
const LOOK_MS = 50;

/** `headrace down`: exit code 0 when it is down. */
export async function down(argv: readonly string[], io: Io): Promise<number> {
  const parsed = parse(targetOptions, argv, io.env);
  if (parsed.help) {
    io.out(commandHelp(HELP, targetOptions, io.columns));
    return Exit.OK;
  }
  if (parsed.problems.length > 0) {
    tellProblems(io, parsed.problems, []);
    return Exit.USAGE;
  }
  const state = chosen(parsed.values.name, io);
  if (state === null) return Exit.USAGE;
  try {
    process.kill(state.pid, "SIGTERM");
  } catch (error) {
    if (systemCode(error) !== "ESRCH") throw error;
  }
  while (startTicks(state.pid) === state.startTicks) await Bun.sleep(LOOK_MS);
  io.out(`${state.service} is down.\n`);
  return Exit.OK;
}

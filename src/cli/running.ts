/** Which of the Headraces that run here a command means. */

import { listRunStates, type RunState, runDirPath } from "../config/rundir.ts";
import type { Io } from "./io.ts";

/** The one Headrace that is meant; null, with a word why, when it is not clear. */
export function chosen(name: string, io: Io): RunState | null {
  const all = listRunStates(runDirPath(io.env, process.getuid?.() ?? 0));
  const fit = all.filter((state) => name === "" || state.service === name);
  const [only, second] = fit;
  if (only === undefined) {
    io.err(`headrace: ${name === "" ? "No Headrace" : `No ${name}`} of this user runs here.\n`);
    return null;
  }
  if (second !== undefined) {
    const names = fit.map(({ service }) => service).join(", ");
    io.err(`headrace: Several run here: ${names}. Say which one with --name.\n`);
    return null;
  }
  return only;
}

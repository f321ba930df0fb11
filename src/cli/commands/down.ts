import { Exit, systemCode } from "../../base/errors.ts";
import { startTicks } from "../../config/rundir.ts";
import { chosen, targetOptions } from "../admin-client.ts";
import { readArguments } from "../arguments.ts";
import type { Io } from "../io.ts";

const HELP = `Stops what runs, as SIGTERM does: requests in flight finish first. Returns when it is down.

Usage
  headrace down [flags]
`;

/** A process has no event for those that are not its parent. */
const LOOK_MS = 50;

/** `headrace down`: exit code 0 when it is down. */
export async function down(argv: readonly string[], io: Io): Promise<number> {
  const options = { name: targetOptions.name };
  const read = readArguments({ options, help: HELP, words: [0, 0], instead: "headrace down" }, argv, io);
  if (typeof read === "number") return read;
  const state = chosen(read.values.name, io);
  try {
    process.kill(state.pid, "SIGTERM");
  } catch (error) {
    if (systemCode(error) !== "ESRCH") throw error;
  }
  while (startTicks(state.pid) === state.startTicks) await Bun.sleep(LOOK_MS);
  io.out(`${state.service} is down.\n`);
  return Exit.OK;
}

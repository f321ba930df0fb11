import { availableParallelism } from "node:os";
import type { Facts } from "../config/resolve.ts";
import type { Io } from "./io.ts";

/** What the machine and the terminal say. */
export function factsOf(io: Io): Facts {
  return {
    cwd: io.cwd,
    cores: availableParallelism(),
    sharesPorts: process.platform === "linux",
    stdoutIsTerminal: io.stdoutIsTerminal,
    stderrIsTerminal: io.stderrIsTerminal,
  };
}

import { describeExit, type StartFailure } from "./errors.ts";
import type { Failed } from "./local/messages.ts";
import type { Exit } from "./ports.ts";

/** What is known about a process that ended before it was ready. */
export interface LastWords {
  /** Its `failed` message, when it sent one. */
  readonly failed: Failed | undefined;
  readonly timedOut: boolean;
  /** We ended it. */
  readonly expected: boolean;
  readonly exit: Exit;
  readonly output: readonly string[];
}

/** The best explanation of a failed start: its own words first, then ours. */
export function startFailure(words: LastWords): StartFailure {
  const { failed, exit, output } = words;
  if (failed !== undefined) {
    const code = failed.code.replaceAll("-", "_") || "app_import_failed";
    return { code, message: failed.message, traceback: failed.traceback, output, exit };
  }
  if (words.timedOut) {
    return { code: "start_timeout", message: "The app was not ready in time.", traceback: "", output, exit };
  }
  if (words.expected) {
    return { code: "start_cancelled", message: "The start was given up.", traceback: "", output, exit };
  }
  const message = `The app's process ended with ${describeExit(exit)} before it was ready.`;
  return { code: "app_exited", message, traceback: "", output, exit };
}

import { Exit, HeadraceError, messageOf, systemCode } from "../../base/errors.ts";

/** What a write into the state's folder failed with, as people are told: the disk is full, or it is another's, or it is broken. */
export function notWritten(folder: string, error: unknown): unknown {
  if (systemCode(error) === "") return error;
  const message = `The state in ${folder} cannot be written: ${messageOf(error).replace(/\.$/, "")}.`;
  const hint = "Make room there, and see that this user may write.";
  return new HeadraceError("state_not_written", message, { exit: Exit.USAGE, hint, cause: error });
}

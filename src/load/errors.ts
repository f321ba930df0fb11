import { type ErrorTable, Exit } from "../base/errors.ts";

/** Why a load could not be run. */
export const loadErrors = {
  load_invalid: {
    exit: Exit.USAGE,
    whose: "user",
    text: "What `headrace load` is asked to do is not right.",
  },
  load_unreachable: {
    exit: Exit.USAGE,
    whose: "user",
    text: "The target of `headrace load` takes no connections.",
    hint: "Start the service first, or look at the URL.",
  },
  load_impossible: {
    exit: Exit.USAGE,
    whose: "user",
    text: "The machine does not allow a load of this size: too few files or local ports.",
  },
  load_failed: {
    exit: Exit.USAGE,
    whose: "user",
    text: "A generator process could not do what it was told.",
  },
  load_nothing: {
    exit: Exit.USAGE,
    whose: "user",
    text: "A load came to its end, and not one request was counted.",
    hint: "Look at what the file of Python says: it may lack --host.",
  },
  load_died: { exit: Exit.SYSTEM, whose: "system", text: "A generator process ended before it was done." },
} as const satisfies ErrorTable;

/** Codes of this room's problems. */
export type LoadErrorCode = keyof typeof loadErrors;

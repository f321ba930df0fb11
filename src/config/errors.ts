import { type ErrorTable, Exit } from "../base/errors.ts";

/** What can be wrong with flags, environment variables and the files they name. All end the command with exit code 2. */
export const configErrors = {
  UNKNOWN_FLAG: { exit: Exit.USAGE, whose: "user", text: "There is no flag of this name." },
  MISSING_VALUE: { exit: Exit.USAGE, whose: "user", text: "A flag that needs a value stands without one." },
  INVALID_VALUE: {
    exit: Exit.USAGE,
    whose: "user",
    text: "A flag or environment variable has a value that it cannot have.",
  },
  UNEXPECTED_ARGUMENT: {
    exit: Exit.USAGE,
    whose: "user",
    text: "More than one app is named, or something that is no flag.",
  },
  CONFLICT: {
    exit: Exit.USAGE,
    whose: "user",
    text: "Two options contradict each other, or one needs another.",
  },
  APP_MISSING: { exit: Exit.USAGE, whose: "user", text: "No app is named." },
  APP_NOT_FOUND: { exit: Exit.USAGE, whose: "user", text: "The file of the app does not exist." },
  FILE_UNREADABLE: {
    exit: Exit.USAGE,
    whose: "user",
    text: "A file or folder that an option names cannot be read.",
  },
  ENV_FILE_INVALID: { exit: Exit.USAGE, whose: "user", text: "A line of an --env-file is not KEY=VALUE." },
  RUN_DIR_UNSAFE: {
    exit: Exit.USAGE,
    whose: "user",
    text: "The folder in which running Headraces note themselves is not this user's own.",
  },
  TLS_INVALID: {
    exit: Exit.USAGE,
    whose: "user",
    text: "The certificate or its key is broken, or they do not belong together.",
  },
} as const satisfies ErrorTable;

export type ConfigErrorCode = keyof typeof configErrors;

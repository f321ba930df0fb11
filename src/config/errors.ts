import { type ErrorTable, Exit } from "../base/errors.ts";

/** What can be wrong with flags, environment variables and the files they name. All end the command with exit code 2. */
export const configErrors = {
  unknown_flag: { exit: Exit.USAGE, whose: "user", text: "There is no flag of this name." },
  missing_value: { exit: Exit.USAGE, whose: "user", text: "A flag that needs a value stands without one." },
  invalid_value: {
    exit: Exit.USAGE,
    whose: "user",
    text: "A flag or environment variable has a value that it cannot have.",
  },
  unexpected_argument: {
    exit: Exit.USAGE,
    whose: "user",
    text: "More than one app is named, or something that is no flag.",
  },
  conflict: {
    exit: Exit.USAGE,
    whose: "user",
    text: "Two options contradict each other, or one needs another.",
  },
  app_missing: { exit: Exit.USAGE, whose: "user", text: "No app is named." },
  app_not_found: {
    exit: Exit.USAGE,
    whose: "user",
    text: "The app's file or module does not exist, or has not what is named.",
  },
  file_unreadable: {
    exit: Exit.USAGE,
    whose: "user",
    text: "A file or folder that an option names cannot be read.",
  },
  env_file_invalid: {
    exit: Exit.USAGE,
    whose: "user",
    text: "A line of an --env-file is not KEY=VALUE, or names a secret, which only headrace.yaml can.",
  },
  file_invalid: {
    exit: Exit.USAGE,
    whose: "user",
    text: "headrace.yaml is no valid YAML, or something that must be there is not.",
  },
  unknown_key: { exit: Exit.USAGE, whose: "user", text: "headrace.yaml has a key that means nothing." },
  no_route: {
    exit: Exit.USAGE,
    whose: "user",
    text: "A service among others has no route, so no client reaches it; other services may call it by its name.",
  },
  variable_missing: {
    exit: Exit.USAGE,
    whose: "user",
    text: "headrace.yaml refers to an environment variable that is not set, and gives no default.",
  },
  secret_missing: {
    exit: Exit.USAGE,
    whose: "user",
    text: "A secret that headrace.yaml refers to cannot be read.",
  },
  trace_invalid: {
    exit: Exit.USAGE,
    whose: "user",
    text: "No trace is named, or a line of it cannot be read.",
  },
  run_dir_unsafe: {
    exit: Exit.USAGE,
    whose: "user",
    text: "The folder in which running Headraces note themselves is not this user's own.",
  },
  tls_invalid: {
    exit: Exit.USAGE,
    whose: "user",
    text: "The certificate or its key is broken, or they do not belong together.",
  },
  file_exists: {
    exit: Exit.USAGE,
    whose: "user",
    text: "headrace init found a headrace.yaml and was not told to write over it.",
  },
  init_nothing_found: { exit: Exit.USAGE, whose: "user", text: "headrace init found no app in the folder." },
  init_failed: {
    exit: Exit.SYSTEM,
    whose: "system",
    text: "headrace init found services, but could not write a file of them that headrace check takes.",
  },
} as const satisfies ErrorTable;

export type ConfigErrorCode = keyof typeof configErrors;

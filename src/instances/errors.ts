import { type ErrorTable, Exit as ExitCode, HeadraceError } from "../base/errors.ts";
import type { Exit } from "./ports.ts";

/** Failures of this room, and those that the worker reports (its codes have dashes where ours have underscores). */
export const errors = {
  app_not_found: {
    whose: "user",
    exit: ExitCode.USAGE,
    text: "Python finds no such file or module.",
    hint: "Start Headrace in the folder that holds it, or name that folder with --app-dir.",
  },
  app_target_invalid: {
    whose: "user",
    exit: ExitCode.USAGE,
    text: "The app is not named as file.py, file.py:attr or module:attr.",
  },
  app_dir_missing: { whose: "user", exit: ExitCode.USAGE, text: "The folder of the app cannot be entered." },
  app_not_callable: {
    whose: "user",
    exit: ExitCode.USAGE,
    text: "What the app's name stands for is no app.",
  },
  attribute_not_found: {
    whose: "user",
    exit: ExitCode.USAGE,
    text: "The module has no such attribute, or nothing that can be served.",
  },
  attribute_ambiguous: {
    whose: "user",
    exit: ExitCode.USAGE,
    text: "The module has several things that can be served.",
  },
  signature_type_invalid: {
    whose: "user",
    exit: ExitCode.USAGE,
    text: "The function's signature type is not known.",
  },
  factory_failed: { whose: "user", exit: ExitCode.APP, text: "The factory did not return an app." },
  lifespan_failed: { whose: "user", exit: ExitCode.APP, text: "The app's startup failed." },
  lifespan_unsupported: {
    whose: "user",
    exit: ExitCode.APP,
    text: "--lifespan on was given and the app does not take part in lifespan.",
  },
  lifespan_timeout: {
    whose: "user",
    exit: ExitCode.APP,
    text: "The app's startup did not end in time.",
    hint: "--startup-timeout gives it longer.",
  },
  gevent_missing: {
    whose: "user",
    exit: ExitCode.USAGE,
    text: "--worker-class gevent was given and gevent is not installed beside the app.",
  },
  uvloop_missing: {
    whose: "user",
    exit: ExitCode.USAGE,
    text: "--loop uvloop was given and uvloop is not installed beside the app.",
  },
  hook_failed: {
    whose: "user",
    exit: ExitCode.APP,
    text: "A function that the app registered for the time around a fork failed.",
  },
  boot_invalid: {
    whose: "system",
    exit: ExitCode.SYSTEM,
    text: "The worker could not read its boot object.",
  },
  boot_missing: {
    whose: "user",
    exit: ExitCode.USAGE,
    text: "The worker was started by hand.",
    hint: "Workers are started by headrace run.",
  },
  listen_failed: {
    whose: "system",
    exit: ExitCode.SYSTEM,
    text: "The instance could not open its socket for gateways.",
  },
  control_unreachable: {
    whose: "system",
    exit: ExitCode.SYSTEM,
    text: "The instance could not reach the control socket.",
  },
  table_unusable: {
    whose: "system",
    exit: ExitCode.SYSTEM,
    text: "The instance could not map the shared table.",
  },
  logs_unreachable: {
    whose: "system",
    exit: ExitCode.SYSTEM,
    text: "The instance could not reach the log socket.",
  },
  app_import_failed: {
    whose: "user",
    exit: ExitCode.APP,
    text: "The app could not be imported.",
    hint: "The traceback shows where.",
  },
  app_exited: {
    whose: "user",
    exit: ExitCode.APP,
    text: "The app's process ended before it was ready.",
    hint: "Its last lines are shown; look for what ended it (an exit call, a crash in native code, too little memory).",
  },
  start_timeout: {
    whose: "user",
    exit: ExitCode.APP,
    text: "The app was not ready in time.",
    hint: "The stacks in the log show where it waits; --startup-timeout gives it longer.",
  },
  spawn_failed: {
    whose: "system",
    exit: ExitCode.SYSTEM,
    text: "The Python interpreter could not be started.",
  },
  fork_failed: {
    whose: "system",
    exit: ExitCode.SYSTEM,
    text: "The zygote could not fork an instance.",
    hint: "The system may be out of memory or processes.",
  },
  table_full: {
    whose: "system",
    exit: ExitCode.SYSTEM,
    text: "The shared table has no row left for another instance.",
    hint: "Run fewer instances.",
  },
  start_cancelled: {
    whose: "system",
    exit: ExitCode.SYSTEM,
    text: "The start was given up because the pool stops.",
  },
  interpreter_missing: {
    whose: "user",
    exit: ExitCode.USAGE,
    text: "No Python interpreter was found.",
    hint: "Install Python 3.9 or newer, or name one with --python.",
  },
  interpreter_broken: {
    whose: "user",
    exit: ExitCode.USAGE,
    text: "The Python interpreter does not run.",
    hint: "Make the virtual environment again, or name another interpreter with --python.",
  },
  interpreter_too_old: {
    whose: "user",
    exit: ExitCode.USAGE,
    text: "The Python interpreter is older than 3.9.",
    hint: "Name a newer one with --python.",
  },
} as const satisfies ErrorTable;

export type InstanceErrorCode = keyof typeof errors;

/** Why an instance or a zygote did not become ready. */
export interface StartFailure {
  /** A key of {@link errors}, or the worker's own code. */
  readonly code: string;
  /** One sentence about this case. */
  readonly message: string;
  /** The Python traceback as the worker sent it; empty when there was none. */
  readonly traceback: string;
  /** The last lines of its stderr. */
  readonly output: readonly string[];
  /** How the process ended, when it did. */
  readonly exit: Exit | null;
}

/** A start that failed, as a person is told: the sentence, and below it the traceback or else the last lines. */
export function startError(failure: StartFailure): HeadraceError {
  const row = (errors as ErrorTable)[failure.code];
  return new HeadraceError(failure.code, failure.message || (row?.text ?? failure.code), {
    exit: row?.exit ?? ExitCode.APP,
    hint: row?.hint ?? "",
    detail: failure.traceback || failure.output.join("\n"),
  });
}

/** A failure with nothing to quote. */
export function plainFailure(code: InstanceErrorCode, message = errors[code].text as string): StartFailure {
  return { code, message, traceback: "", output: [], exit: null };
}

/** "exit status 3", "signal SIGKILL". */
export function describeExit(exit: Exit): string {
  if (exit.overMemory === true) return `${exit.signal ?? "an exit"} by the kernel: it was over its memory`;
  if (exit.signal !== null) return `signal ${exit.signal}`;
  return exit.status === null ? "an unknown status" : `exit status ${exit.status}`;
}

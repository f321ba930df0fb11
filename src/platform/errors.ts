import { type ErrorTable, Exit } from "../base/errors.ts";

/** Why nothing could be started. */
export const platformErrors = {
  port_taken: { whose: "user", exit: Exit.USAGE, text: "Another program listens on the port." },
  port_forbidden: { whose: "user", exit: Exit.USAGE, text: "This user may not listen on the port." },
  host_unknown: { whose: "user", exit: Exit.USAGE, text: "This machine has no such address." },
  cannot_listen: { whose: "user", exit: Exit.USAGE, text: "The address cannot be listened on." },
  secret_unusable: {
    whose: "user",
    exit: Exit.USAGE,
    text: "A secret holds what no environment variable can: a NUL byte, or more than 100 KiB.",
  },
  restart_needed: {
    whose: "user",
    exit: Exit.USAGE,
    text: "The file changes what cannot be changed while Headrace runs: its address, TLS, limits of HTTP, logs or gateways.",
  },
  traffic_invalid: { whose: "user", exit: Exit.USAGE, text: "The shares of the traffic cannot be so." },
  tag_invalid: {
    whose: "user",
    exit: Exit.USAGE,
    text: "A tag cannot be so, or there is none of that name.",
  },
  change_cancelled: {
    whose: "user",
    exit: Exit.SYSTEM,
    text: "A change was given up before it held, for a rollback or a stop of the same service, or because nobody waited for it any more. Nothing has changed.",
  },
  revision_unknown: { whose: "user", exit: Exit.USAGE, text: "The service has no such revision." },
  nothing_before: { whose: "user", exit: Exit.USAGE, text: "There is no earlier traffic to go back to." },
  revision_crashed: {
    whose: "user",
    exit: Exit.APP,
    text: "A new revision started, and crashed before it had stayed up for long enough to get requests.",
    hint: "headrace logs shows why.",
  },
  revision_code_missing: {
    whose: "user",
    exit: Exit.USAGE,
    text: "The code of an older revision is not kept, so it cannot be started as it was.",
  },
  state_in_use: {
    whose: "user",
    exit: Exit.USAGE,
    text: "Another headrace up has the state of this application.",
  },
  state_unusable: {
    whose: "user",
    exit: Exit.USAGE,
    text: "The folder of the application's state cannot be written, or its file cannot be read.",
  },
  state_not_written: {
    whose: "user",
    exit: Exit.USAGE,
    text: "The disk did not take what has to be known after a restart, so nothing has changed.",
  },
  gateway_failed: { whose: "system", exit: Exit.SYSTEM, text: "A gateway process could not start." },
  restart_failed: {
    exit: Exit.APP,
    whose: "user",
    text: "A new instance did not start, so those that were not replaced yet stay.",
    hint: "headrace logs shows why.",
  },
  scan_failed: {
    whose: "system",
    exit: Exit.SYSTEM,
    text: "headrace init could not read the project's Python files; what Python said stands above.",
  },
  service_stopped: {
    whose: "user",
    exit: Exit.USAGE,
    text: "The service is stopped, so there is nothing to restart.",
    hint: "Start it: headrace start NAME.",
  },
  service_alone: {
    whose: "user",
    exit: Exit.USAGE,
    text: "headrace run serves one service, which is not stopped by itself.",
    hint: "headrace down stops it.",
  },
} as const satisfies ErrorTable;

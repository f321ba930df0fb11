import type { EventTable } from "../base/signals.ts";
import type { LogRecord } from "../model/log.ts";

/** Log events of the command. */
export const cliEvents = {
  "cli.serving": { level: "info", text: "The start is done; the fields say what was started, and where." },
  "cli.status_failed": { level: "warn", text: "It serves, but its own status could not be read." },
  "cli.stopped_early": { level: "info", text: "A signal came before anything was served." },
  "cli.draining": { level: "info", text: "The first signal came: requests in flight may finish." },
  "cli.forced": { level: "warn", text: "A second signal came: nothing is waited for." },
  "cli.reload": { level: "info", text: "SIGHUP came: the app is loaded anew." },
  "cli.file_wrong": {
    level: "error",
    text: "The changed headrace.yaml has problems; what runs goes on as it is.",
  },
  "cli.rejection": { level: "error", text: "A fault of Headrace itself; it goes on." },
  "cli.fault": { level: "error", text: "A fault of Headrace itself that ends it." },
  "cli.reload_failed": { level: "warn", text: "The reload failed on our side." },
} as const satisfies EventTable;

/** A record of one of these events. */
export function cliRecord(
  event: keyof typeof cliEvents,
  message: string,
  fields: LogRecord["fields"] = {},
): LogRecord {
  return { time: Date.now(), level: cliEvents[event].level, event, message, fields };
}

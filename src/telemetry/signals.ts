import type { EventTable } from "../base/signals.ts";

/** Name of the event that carries a line of the app's own output. */
export const APP_OUTPUT = "app.output";

/** Name of the event of one request in the access log. */
export const REQUEST = "http.server.request";

/** Lines that carry what somebody else has to say. */
export const telemetryEvents = {
  [APP_OUTPUT]: { level: "info", text: "A line that the app wrote to its stdout or stderr." },
  [REQUEST]: { level: "info", text: "The access log: a request was answered, refused or lost." },
} as const satisfies EventTable;

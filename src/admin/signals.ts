import type { EventTable } from "../base/signals.ts";

/** Log events of the admin server. */
export const adminEvents = {
  "admin.ready": { level: "info", text: "The admin port listens." },
  "admin.port_moved": { level: "warn", text: "The usual admin port is taken, so a free one is used." },
  "admin.exposed": {
    level: "warn",
    text: "The admin port listens on an address that other machines may reach.",
  },
  "admin.no_socket": { level: "warn", text: "The Unix socket of the admin API could not be made." },
  "admin.events_lost": {
    level: "warn",
    text: "In the stream of events only: some between the last one that the reader saw and the next are no longer held.",
  },
  "admin.reader_dropped": {
    level: "info",
    text: "A reader of a stream took too little for too long and was cut off.",
  },
  "admin.failed": { level: "error", text: "A request to the admin API failed on our side." },
} as const satisfies EventTable;

export type AdminEvent = keyof typeof adminEvents;

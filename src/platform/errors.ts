import { type ErrorTable, Exit } from "../base/errors.ts";

/** Why nothing could be started. */
export const platformErrors = {
  port_taken: { whose: "user", exit: Exit.USAGE, text: "Another program listens on the port." },
  port_forbidden: { whose: "user", exit: Exit.USAGE, text: "This user may not listen on the port." },
  host_unknown: { whose: "user", exit: Exit.USAGE, text: "This machine has no such address." },
  cannot_listen: { whose: "user", exit: Exit.USAGE, text: "The address cannot be listened on." },
  secret_missing: {
    whose: "user",
    exit: Exit.USAGE,
    text: "A secret that headrace.yaml refers to cannot be read.",
  },
  restart_needed: {
    whose: "user",
    exit: Exit.USAGE,
    text: "The file changes what cannot be changed while Headrace runs: its address, TLS, limits of HTTP, logs or gateways.",
  },
  gateway_failed: { whose: "system", exit: Exit.SYSTEM, text: "A gateway process could not start." },
} as const satisfies ErrorTable;

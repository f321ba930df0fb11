/** Where to listen: what must be true before any process is started, and how people write it. */

import { Exit, HeadraceError, messageOf, systemCode } from "../base/errors.ts";
import type { RunConfig } from "../config/run-config.ts";

/**
 * Makes sure that nobody else listens on the port. Gateways share theirs (SO_REUSEPORT), and so would two Headraces of one user
 * without noticing each other.
 * @throws HeadraceError port_taken, port_forbidden, host_unknown
 */
export function probePort(host: string, port: number): void {
  if (port === 0) return;
  try {
    Bun.listen({ hostname: host, port, exclusive: true, socket: { data() {} } }).stop(true);
  } catch (error) {
    throw cannotListen(systemCode(error) ?? "", messageOf(error), host, port);
  }
}

/** Why an address cannot be had, as one sentence and what to do. */
export function cannotListen(code: string, message: string, host: string, port: number): HeadraceError {
  if (code === "EADDRINUSE") {
    return new HeadraceError("port_taken", `Port ${port} on ${host} is taken by another program.`, {
      exit: Exit.USAGE,
      hint: "Stop that program, or choose another port with --port.",
    });
  }
  if (code === "EACCES") {
    return new HeadraceError("port_forbidden", `This user may not listen on port ${port}.`, {
      exit: Exit.USAGE,
      hint: "Choose a port from 1024 on with --port, or give the program the right to (CAP_NET_BIND_SERVICE).",
    });
  }
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return new HeadraceError("host_unknown", `This machine has no address ${host}.`, {
      exit: Exit.USAGE,
      hint: "Name one it has with --host: 127.0.0.1 for this machine only, 0.0.0.0 for all.",
    });
  }
  return new HeadraceError("cannot_listen", `Cannot listen on ${host} port ${port}: ${message}.`, {
    exit: Exit.USAGE,
    hint: "Check --host and --port.",
  });
}

/** The address as a browser takes it. */
export function urlOf(config: RunConfig, port: number): string {
  if (config.uds !== "") return `unix:${config.uds}`;
  const scheme = config.tlsCert === "" ? "http" : "https";
  const host = config.host === "0.0.0.0" || config.host === "::" ? "127.0.0.1" : config.host;
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

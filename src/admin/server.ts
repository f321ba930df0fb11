/** The admin port: health, metrics, status and a few actions, on loopback. */

import { Exit, HeadraceError, messageOf, systemCode } from "../base/errors.ts";
import type { LogSink } from "../model/log.ts";
import { Api, MAX_BODY_BYTES } from "./api.ts";
import { adminErrors } from "./errors.ts";
import type { EventFeed } from "./feed.ts";
import { isLoopback } from "./guard.ts";
import type { AdminPorts } from "./ports.ts";
import { type AdminEvent, adminEvents } from "./signals.ts";
import { Streams } from "./sse.ts";

export interface AdminOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** The port was asked for, so it is an error when it is taken. Otherwise a free one is used. */
  readonly portGiven: boolean;
  readonly ports: AdminPorts;
  readonly feed: EventFeed;
  readonly log: LogSink;
  /** Between two comments in a stream; {@link HEARTBEAT_MS} unless said otherwise. */
  readonly heartbeatMs?: number;
}

export interface AdminServer {
  /** `http://HOST:PORT`, without a slash at the end. */
  readonly url: string;
  /** Answers what is under way, then closes. */
  stop(): Promise<void>;
}

/** Between two comments in a stream of events. */
const HEARTBEAT_MS = 15_000;
/** Seconds that a connection may be silent, an answer that takes long included. The longest that Bun.serve knows. */
const SILENCE_S = 255;

/**
 * Opens the port.
 * @throws HeadraceError admin_port_taken, admin_address_invalid
 */
export function startAdmin(options: AdminOptions): AdminServer {
  const log = (event: AdminEvent, message: string, fields: Record<string, string | number> = {}) =>
    options.log({ time: Date.now(), level: adminEvents[event].level, event, message, fields });
  const exposed = !isLoopback(options.host);
  const streams = new Streams();
  const { ports, feed, heartbeatMs = HEARTBEAT_MS } = options;
  const api = new Api({ ports, feed, streams, heartbeatMs, exposed, log });
  const server = listen(options, (request) => api.answer(request));
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  const url = `http://${host}:${server.port}`;
  if (options.port !== 0 && server.port !== options.port) {
    const message = `Port ${options.port} is taken, so the admin port is ${server.port}.`;
    log("admin.port_moved", message, { "server.port": server.port ?? 0 });
  }
  if (exposed) {
    const message = `Whoever reaches ${url} may reload and restart instances: keep this address private.`;
    log("admin.exposed", message, { "server.address": options.host });
  }
  log("admin.ready", `The admin port listens on ${url}.`, { "url.full": url });
  return {
    url,
    stop: () => {
      streams.close();
      return server.stop(false);
    },
  };
}

function listen(options: AdminOptions, fetch: (request: Request) => Promise<Response>) {
  // Without `development` Bun shares ports unless it is told not to, and a taken port would go unnoticed.
  const how = {
    idleTimeout: SILENCE_S,
    development: false,
    reusePort: false,
    maxRequestBodySize: MAX_BODY_BYTES,
    fetch,
  };
  const open = (port: number) => Bun.serve({ hostname: options.host, port, ...how });
  try {
    return open(options.port);
  } catch (error) {
    const taken = systemCode(error) === "EADDRINUSE";
    if (taken && !options.portGiven) return open(0);
    const code = taken ? "admin_port_taken" : "admin_address_invalid";
    const address = `${options.host}:${options.port}`;
    const message = taken
      ? `The admin port ${address} is taken.`
      : `The admin port cannot listen on ${address} (${systemCode(error) || messageOf(error)}).`;
    throw new HeadraceError(code, message, { exit: Exit.USAGE, hint: adminErrors[code].hint, cause: error });
  }
}

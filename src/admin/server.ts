/** Where the admin API listens: on loopback, on a Unix socket, and where it was told to. */

import { chmodSync, rmSync } from "node:fs";
import { Exit, HeadraceError, messageOf, systemCode } from "../base/errors.ts";
import type { LogSink } from "../model/log.ts";
import type { LogStore } from "../telemetry/log-store.ts";
import { Api } from "./api.ts";
import { adminErrors } from "./errors.ts";
import type { EventFeed } from "./feed.ts";
import { type Entry, isLoopback } from "./guard.ts";
import type { AdminPorts } from "./ports.ts";
import { type AdminEvent, adminEvents } from "./signals.ts";
import { Streams } from "./sse.ts";

export interface AdminOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** The port was asked for, so it is an error when it is taken. Otherwise a free one is used. */
  readonly portGiven: boolean;
  /** Further addresses, `HOST:PORT` each. */
  readonly listen: readonly string[];
  /** Path of a Unix socket, in a folder that only this user can enter; empty for none. */
  readonly socket: string;
  /** What addresses beyond loopback want; empty: there may be none. */
  readonly token: string;
  readonly ports: AdminPorts;
  readonly feed: EventFeed;
  /** Null where no lines are kept. */
  readonly store: LogStore | null;
  readonly log: LogSink;
  /** Between two comments in a stream; {@link HEARTBEAT_MS} unless said otherwise. */
  readonly heartbeatMs?: number;
}

export interface AdminServer {
  /** `http://HOST:PORT`, without a slash at the end. */
  readonly url: string;
  /** Empty where there is none. */
  readonly socket: string;
  /** Of the further addresses, in order. */
  readonly urls: readonly string[];
  /** Answers what is under way, then closes. */
  stop(): Promise<void>;
}

/** Between two comments in a stream of events. */
const HEARTBEAT_MS = 15_000;
/** Seconds that a connection may be silent, an answer that takes long included. The longest that Bun.serve knows. */
const SILENCE_S = 255;
/** Far above what the API takes and answers for itself: Bun cuts off who sends so much, without a word. */
const CUT_BODY_BYTES = 16 * 1024 * 1024;
/** The system's limit for the path of a Unix socket, with some room. */
const SOCKET_PATH_BYTES = 100;

/**
 * Opens the port, the further addresses and the socket; all of them, or none.
 * @throws HeadraceError admin_port_taken, admin_address_invalid, admin_token_needed
 */
export function startAdmin(options: AdminOptions): AdminServer {
  const further = options.listen.map(splitAddress);
  refuseWithoutToken(options, further);
  return new Admin(options).open(further);
}

interface Address {
  readonly host: string;
  readonly port: number;
}

type Server = Bun.Server<undefined>;

class Admin {
  readonly #options: AdminOptions;
  readonly #streams = new Streams();
  readonly #api: Api;
  readonly #servers: Server[] = [];

  constructor(options: AdminOptions) {
    this.#options = options;
    const { ports, feed, store, heartbeatMs = HEARTBEAT_MS } = options;
    const log = this.#log.bind(this);
    this.#api = new Api({ ports, feed, store, streams: this.#streams, heartbeatMs, log });
  }

  open(further: readonly Address[]): AdminServer {
    const { host, port, portGiven } = this.#options;
    try {
      const server = this.#listen({ host, port }, !portGiven);
      if (port !== 0 && server.port !== port) {
        const message = `Port ${port} is taken, so the admin port is ${server.port}.`;
        this.#log("admin.port_moved", message, { "server.port": server.port ?? 0 });
      }
      const url = this.#ready(host, server);
      const urls = further.map((address) => this.#ready(address.host, this.#listen(address, false)));
      return { url, urls, socket: this.#openSocket(), stop: () => this.#stop() };
    } catch (error) {
      for (const server of this.#servers) void server.stop(true);
      throw error;
    }
  }

  async #stop(): Promise<void> {
    this.#streams.close();
    await Promise.all(this.#servers.map((server) => server.stop(false)));
    if (this.#options.socket !== "") rmSync(this.#options.socket, { force: true });
  }

  #ready(host: string, server: Server): string {
    const url = `http://${host.includes(":") ? `[${host}]` : host}:${server.port}`;
    if (!isLoopback(host)) {
      const message = `Other machines can reach the admin API on ${url}; who has the token may do all that the command can. Tokens go over the network as they are: put TLS in front.`;
      this.#log("admin.exposed", message, { "server.address": host });
    }
    this.#log("admin.ready", `The admin port listens on ${url}.`, { "url.full": url });
    return url;
  }

  /** @param move a taken port is exchanged for a free one */
  #listen({ host, port }: Address, move: boolean): Server {
    const entry: Entry = isLoopback(host)
      ? { kind: "loopback" }
      : { kind: "remote", token: this.#options.token };
    const open = (wanted: number) => this.#serve({ hostname: host, port: wanted }, entry);
    try {
      return open(port);
    } catch (error) {
      const taken = systemCode(error) === "EADDRINUSE";
      if (taken && move) return open(0);
      const code = taken ? "admin_port_taken" : "admin_address_invalid";
      const message = taken
        ? `The admin port ${host}:${port} is taken.`
        : `The admin port cannot listen on ${host}:${port} (${systemCode(error) || messageOf(error)}).`;
      throw new HeadraceError(code, message, {
        exit: Exit.USAGE,
        hint: adminErrors[code].hint,
        cause: error,
      });
    }
  }

  /** The path, or an empty text when a socket cannot be had: the port is there all the same. */
  #openSocket(): string {
    const path = this.#options.socket;
    if (path === "") return "";
    try {
      if (Buffer.byteLength(path) > SOCKET_PATH_BYTES) throw new Error("its path is too long");
      // What one of the same number left, that was killed.
      rmSync(path, { force: true });
      this.#serve({ unix: path }, { kind: "socket" });
      chmodSync(path, 0o600);
      return path;
    } catch (error) {
      this.#log("admin.no_socket", `There is no admin socket ${path}: ${messageOf(error)}`, {});
      return "";
    }
  }

  #serve(where: { hostname: string; port: number } | { unix: string }, entry: Entry): Server {
    const fetch = (request: Request, from: Server) => {
      // An action takes as long as an app takes to start.
      from.timeout(request, 0);
      return this.#api.answer(request, entry);
    };
    const how = { idleTimeout: SILENCE_S, maxRequestBodySize: CUT_BODY_BYTES, fetch };
    // Without `development` Bun shares ports unless it is told not to, and a taken port would go unnoticed.
    const server =
      "unix" in where
        ? // Its types know no idleTimeout for sockets, but it has one, of ten seconds unless it is said.
          Bun.serve({ ...where, ...how, development: false } as unknown as Bun.Serve.Options<undefined>)
        : Bun.serve({ ...where, ...how, development: false, reusePort: false });
    this.#servers.push(server);
    return server;
  }

  #log(event: AdminEvent, message: string, fields: Record<string, string | number> = {}): void {
    this.#options.log({ time: Date.now(), level: adminEvents[event].level, event, message, fields });
  }
}

/** `[::]:9000` and `0.0.0.0:9000` in their parts. */
function splitAddress(address: string): Address {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  return { host, port: Number(address.slice(colon + 1)) };
}

function refuseWithoutToken({ host, token }: AdminOptions, further: readonly Address[]): void {
  const open = [host, ...further.map((address) => address.host)].find((name) => !isLoopback(name));
  if (token !== "" || open === undefined) return;
  const message = `Other machines could reach the admin API on ${open}, and there is no token.`;
  const { hint } = adminErrors.admin_token_needed;
  throw new HeadraceError("admin_token_needed", message, { exit: Exit.USAGE, hint });
}

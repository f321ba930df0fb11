/** The admin port: health, metrics, status and a few actions, on loopback. */

import { Exit, HeadraceError, messageOf, systemCode } from "../base/errors.ts";
import type { LogSink } from "../model/log.ts";
import { metricContentTypes, metricFormat, writeMetrics } from "../telemetry/prometheus.ts";
import { type AdminErrorCode, adminErrors } from "./errors.ts";
import { isLoopback, refusal } from "./guard.ts";
import type { ActionOutcome, AdminPorts } from "./ports.ts";
import { type AdminEvent, adminEvents } from "./signals.ts";

export interface AdminOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** The port was asked for, so it is an error when it is taken. Otherwise a free one is used. */
  readonly portGiven: boolean;
  readonly ports: AdminPorts;
  readonly log: LogSink;
}

export interface AdminServer {
  /** `http://HOST:PORT`, without a slash at the end. */
  readonly url: string;
  /** Answers what is under way, then closes. */
  stop(): Promise<void>;
}

/** Seconds that a connection may be silent, an answer that takes long included. The longest that Bun.serve knows. */
const SILENCE_S = 255;

/**
 * Opens the port.
 * @throws HeadraceError admin_port_taken, admin_address_invalid
 */
export function startAdmin(options: AdminOptions): AdminServer {
  const log = (event: AdminEvent, message: string, fields: Record<string, string | number>) =>
    options.log({ time: Date.now(), level: adminEvents[event].level, event, message, fields });
  const exposed = !isLoopback(options.host);
  const api = new Api(options, exposed, log);
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
  return { url, stop: () => server.stop(false) };
}

function listen(options: AdminOptions, fetch: (request: Request) => Promise<Response>) {
  // Without `development` Bun shares ports unless it is told not to, and a taken port would go unnoticed.
  const how = { idleTimeout: SILENCE_S, development: false, reusePort: false, fetch };
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

type Answer = (request: Request, instance: string) => Response | Promise<Response>;

class Api {
  readonly #ports: AdminPorts;
  readonly #exposed: boolean;
  readonly #log: (event: AdminEvent, message: string, fields: Record<string, string>) => void;
  /** Paths with their methods. `*` stands for one part: an instance's id, a service's name. */
  readonly #routes: readonly (readonly [path: string, method: "GET" | "POST", answer: Answer])[] = [
    ["/healthz", "GET", () => plain(200, "ok\n")],
    ["/readyz", "GET", () => this.#readiness()],
    ["/metrics", "GET", (request) => this.#metrics(request)],
    ["/v1/status", "GET", () => this.#status()],
    ["/v1/services", "GET", () => this.#services()],
    ["/v1/services/*/decisions", "GET", (_, name) => this.#decisionsOf(name)],
    ["/v1/services/*/deploy", "POST", async (_, name) => this.#acted(await this.#ports.deploy(name))],
    ["/v1/decisions", "GET", () => this.#decisions()],
    ["/v1/reload", "POST", async () => this.#acted(await this.#ports.reload())],
    ["/v1/instances/*/stacks", "POST", async (_, id) => this.#acted(await this.#ports.stacks(id))],
    ["/v1/instances/*/restart", "POST", async (_, id) => this.#acted(await this.#ports.restart(id))],
  ];

  constructor(
    options: AdminOptions,
    exposed: boolean,
    log: (event: AdminEvent, message: string, fields: Record<string, string>) => void,
  ) {
    this.#ports = options.ports;
    this.#exposed = exposed;
    this.#log = log;
  }

  async answer(request: Request): Promise<Response> {
    const refused = refusal(request, this.#exposed);
    if (refused !== null) return failure(refused);
    const path = new URL(request.url).pathname;
    const here = this.#routes
      .map(([pattern, method, answer]) => ({ method, answer, instance: matched(pattern, path) }))
      .filter((route) => route.instance !== null);
    if (here.length === 0) return failure("admin_not_found", `There is no ${path}.`);
    const method = request.method === "HEAD" ? "GET" : request.method;
    const route = here.find((candidate) => candidate.method === method);
    if (route === undefined) {
      const allow = here.map((candidate) => candidate.method).join(", ");
      const refusedMethod = failure("admin_method_not_allowed", `${path} takes ${allow}.`);
      refusedMethod.headers.set("allow", allow);
      return refusedMethod;
    }
    try {
      return await route.answer(request, route.instance!);
    } catch (error) {
      this.#log("admin.failed", `${request.method} ${path} failed: ${messageOf(error)}`, {
        "exception.stacktrace": error instanceof Error ? (error.stack ?? "") : "",
      });
      return failure("admin_internal");
    }
  }

  #readiness(): Response {
    const { ready, why } = this.#ports.readiness();
    return ready ? plain(200, "ready\n") : plain(503, `not ready: ${why}\n`);
  }

  async #status(): Promise<Response> {
    const status = await this.#ports.status();
    return status === null ? failure("admin_starting") : json(200, status);
  }

  async #services(): Promise<Response> {
    const services = await this.#ports.services();
    return services === null ? failure("admin_starting") : json(200, services);
  }

  #decisionsOf(service: string): Response {
    const decisions = this.#ports.decisionsOf(service);
    if (decisions === undefined) return failure("admin_service_unknown");
    return decisions === null ? failure("admin_starting") : json(200, decisions);
  }

  #decisions(): Response {
    const decisions = this.#ports.decisions();
    return decisions === null ? failure("admin_starting") : json(200, decisions);
  }

  async #metrics(request: Request): Promise<Response> {
    const families = await this.#ports.metrics();
    const format = metricFormat(request.headers.get("accept"));
    return new Response(writeMetrics(families, format), {
      headers: { "content-type": metricContentTypes[format] },
    });
  }

  #acted(outcome: ActionOutcome): Response {
    if (outcome.kind === "done") return json(200, { ok: true });
    if (outcome.kind === "starting") return failure("admin_starting");
    if (outcome.kind === "unknown-service") return failure("admin_service_unknown");
    if (outcome.kind === "unknown-instance") return failure("admin_instance_unknown");
    return json(422, { error: { code: outcome.code, message: outcome.message } });
  }
}

/** What `*` stands for when the path fits the pattern (empty without a `*`), or null. */
function matched(pattern: string, path: string): string | null {
  const [before, after] = pattern.split("*");
  if (after === undefined) return path === pattern ? "" : null;
  if (!path.startsWith(before!) || !path.endsWith(after)) return null;
  const part = path.slice(before!.length, path.length - after.length);
  return part === "" || part.includes("/") ? null : decoded(part);
}

function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

function plain(status: number, text: string): Response {
  return new Response(text, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}

function json(status: number, value: unknown): Response {
  const headers = { "content-type": "application/json", "cache-control": "no-store" };
  return new Response(`${JSON.stringify(value)}\n`, { status, headers });
}

function failure(code: AdminErrorCode, message?: string): Response {
  const row: { readonly status?: number; readonly text: string; readonly hint?: string } = adminErrors[code];
  const error = { code, message: message ?? row.text, ...(row.hint === undefined ? {} : { hint: row.hint }) };
  return json(row.status ?? 500, { error });
}

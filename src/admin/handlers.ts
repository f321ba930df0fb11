/** What the routes do: each asks the platform. */

import type { EventReport } from "../model/event.ts";
import { type LogStore, wanted } from "../telemetry/log-store.ts";
import { metricContentTypes, metricFormat, writeMetrics } from "../telemetry/prometheus.ts";
import type { AdminErrorCode } from "./errors.ts";
import { type EventFeed, type Held, lostText } from "./feed.ts";
import type { ActionOutcome, AdminPorts, Outcome } from "./ports.ts";
import { Failure, type Handlers, Refusal } from "./route.ts";
import type { Routes } from "./routes.ts";
import type { AdminEvent } from "./signals.ts";
import type { Streams } from "./sse.ts";

/** What handlers work with. */
export interface HandlerTools {
  readonly ports: AdminPorts;
  readonly feed: EventFeed;
  /** Null where no lines are kept. */
  readonly store: LogStore | null;
  readonly streams: Streams;
  /** Between two comments in a stream. */
  readonly heartbeatMs: number;
  readonly log: (event: AdminEvent, message: string) => void;
}

/** Binds every route to the platform. */
export function makeHandlers(tools: HandlerTools): Handlers<Routes> {
  const { ports } = tools;
  const starting = new Refusal("admin_starting" as const);
  return {
    health: () => plain(200, "ok\n"),
    readiness: () => {
      const { ready, why } = ports.readiness();
      return ready ? plain(200, "ready\n") : plain(503, `not ready: ${why}\n`);
    },
    metrics: async ({ request }) => {
      const format = metricFormat(request.headers.get("accept"));
      const text = writeMetrics(await ports.metrics(), format);
      return new Response(text, { headers: { "content-type": metricContentTypes[format] } });
    },
    status: async () => (await ports.status()) ?? starting,
    services: async () => (await ports.services()) ?? starting,
    route: ({ body }) => ports.route(body) ?? starting,
    serviceDecisions: ({ params }) => {
      const decisions = ports.decisionsOf(params.service);
      return decisions === undefined ? new Refusal("admin_service_unknown") : (decisions ?? starting);
    },
    deploy: async ({ params, query, request }) =>
      known(await ports.deploy(params.service, query, request.signal)),
    revisions: async ({ params }) => known(await ports.revisions(params.service)),
    traffic: async ({ params }) => known(await ports.traffic(params.service)),
    setTraffic: async ({ params, body, request }) =>
      known(await ports.setTraffic(params.service, body, request.signal)),
    rollback: async ({ params, request }) => known(await ports.rollback(params.service, request.signal)),
    decisions: () => ports.decisions() ?? starting,
    events: ({ query, request }) => eventStream(tools, query, request.headers.get("last-event-id")),
    logs: ({ query, request }) => logStream(tools, query, request.headers.get("last-event-id")),
    reload: async ({ request }) => acted(await ports.reload(request.signal), "admin_starting"),
    stop: async () => acted(await ports.stop(), "admin_starting"),
    stacks: async ({ params }) => acted(await ports.stacks(params.instance), "admin_instance_unknown"),
    restartService: async ({ params }) =>
      acted(await ports.restartService(params.service), "admin_service_unknown"),
    stopService: async ({ params, request }) =>
      acted(await ports.stopService(params.service, request.signal), "admin_service_unknown"),
    startService: async ({ params, request }) =>
      acted(await ports.startService(params.service, request.signal), "admin_service_unknown"),
    restartInstance: async ({ params }) =>
      acted(await ports.restart(params.instance), "admin_instance_unknown"),
  };
}

function eventStream(
  { feed, streams, heartbeatMs, log }: HandlerTools,
  query: { readonly follow?: boolean; readonly last?: number; readonly service?: string },
  seen: string | null,
): Response {
  const follow = query.follow ?? true;
  const wanted = ({ service }: Held) => query.service === undefined || service === query.service;
  const past = seen === null ? { held: feed.held(), lost: 0 } : feed.after(seen);
  const count = query.last ?? (seen !== null || !follow ? Number.POSITIVE_INFINITY : 0);
  const held = count === 0 ? [] : past.held.filter(wanted).slice(-count);
  const first = held.map(({ text }) => text);
  return streams.answer({
    first: past.lost > 0 ? [lostText(past.lost), ...first] : first,
    follow: follow
      ? (send) =>
          feed.listen((one) => {
            if (wanted(one)) send(one.text);
          })
      : null,
    dropped: () => log("admin.reader_dropped", "A reader of the stream of events was too slow."),
    heartbeatMs,
  });
}

/** Lines that come first when nobody says how many. */
const TAIL = 200;
/** Lines that a reader who comes back has missed, at most. */
const MISSED = 10_000;

async function logStream(
  { ports, store, streams, heartbeatMs, log }: HandlerTools,
  query: {
    readonly service?: string;
    readonly instance?: string;
    readonly since?: number;
    readonly tail?: number;
    readonly follow?: boolean;
  },
  seen: string | null,
) {
  if (store === null) return new Refusal("admin_no_logs" as const);
  const { service, instance, since, follow = false } = query;
  if (service !== undefined && ports.decisionsOf(service) === undefined && !store.has(service))
    return new Refusal("admin_service_unknown" as const);
  const after = seen !== null && /^\d{1,16}$/.test(seen) ? Number(seen) : undefined;
  const tail = query.tail ?? (after === undefined ? TAIL : MISSED);
  const wants = { service, instance, since, after, tail };
  // What comes while the files are read must not be lost, nor come twice.
  const meanwhile: EventReport[] = [];
  let pass = (line: EventReport) => {
    meanwhile.push(line);
  };
  const unlisten = follow
    ? store.listen((line) => {
        if (wanted(line, wants)) pass(line);
      })
    : () => {};
  const first = await store.read(wants).catch((error: unknown) => {
    unlisten();
    throw error;
  });
  const known = new Set(first.map(({ id }) => id));
  return streams.answer({
    first: [...first, ...meanwhile.filter(({ id }) => !known.has(id))].map(lineText),
    follow: follow
      ? (send) => {
          pass = (line) => send(lineText(line));
          return unlisten;
        }
      : null,
    dropped: () => log("admin.reader_dropped", "A reader of log lines was too slow."),
    heartbeatMs,
  });
}

function lineText(line: EventReport): string {
  return `id: ${line.id}\nevent: log\ndata: ${JSON.stringify(line)}\n\n`;
}

/** @param unknown what to answer when there is nothing of that name */
function acted<U extends AdminErrorCode>(outcome: ActionOutcome, unknown: U) {
  switch (outcome.kind) {
    case "done":
      return { ok: true };
    case "starting":
      return new Refusal("admin_starting" as const);
    case "failed":
      return new Failure(outcome);
    default:
      return new Refusal(unknown);
  }
}

function known<T>(outcome: Outcome<T>) {
  switch (outcome.kind) {
    case "done":
      return outcome.value;
    case "starting":
      return new Refusal("admin_starting" as const);
    case "failed":
      return new Failure(outcome);
    case "unknown-service":
      return new Refusal("admin_service_unknown" as const);
  }
}

function plain(status: number, text: string): Response {
  return new Response(text, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}

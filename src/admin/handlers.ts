/** What the routes do: each asks the platform. */

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
    serviceDecisions: ({ params }) => {
      const decisions = ports.decisionsOf(params.service);
      return decisions === undefined ? new Refusal("admin_service_unknown") : (decisions ?? starting);
    },
    deploy: async ({ params, query }) => known(await ports.deploy(params.service, query)),
    revisions: async ({ params }) => known(await ports.revisions(params.service)),
    traffic: async ({ params }) => known(await ports.traffic(params.service)),
    setTraffic: async ({ params, body }) => known(await ports.setTraffic(params.service, body)),
    rollback: async ({ params }) => known(await ports.rollback(params.service)),
    decisions: () => ports.decisions() ?? starting,
    events: ({ query, request }) => eventStream(tools, query, request.headers.get("last-event-id")),
    reload: async () => acted(await ports.reload(), "admin_starting"),
    stacks: async ({ params }) => acted(await ports.stacks(params.instance), "admin_instance_unknown"),
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

/** @param unknown what to answer when there is nothing of that name */
function acted<U extends AdminErrorCode>(outcome: ActionOutcome, unknown: U) {
  switch (outcome.kind) {
    case "done":
      return { ok: true };
    case "starting":
      return new Refusal("admin_starting" as const);
    case "failed":
      return new Failure(outcome.code, outcome.message);
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
      return new Failure(outcome.code, outcome.message);
    case "unknown-service":
      return new Refusal("admin_service_unknown" as const);
  }
}

function plain(status: number, text: string): Response {
  return new Response(text, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}

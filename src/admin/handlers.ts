/** What the routes do: each asks the platform. */

import { metricContentTypes, metricFormat, writeMetrics } from "../telemetry/prometheus.ts";
import type { AdminErrorCode } from "./errors.ts";
import type { ActionOutcome, AdminPorts } from "./ports.ts";
import { Failure, type Handlers, Refusal } from "./route.ts";
import type { Routes } from "./routes.ts";

/** Binds every route to the platform. */
export function makeHandlers(ports: AdminPorts): Handlers<Routes> {
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
    deploy: async ({ params }) => acted(await ports.deploy(params.service), "admin_service_unknown"),
    decisions: () => ports.decisions() ?? starting,
    reload: async () => acted(await ports.reload(), "admin_starting"),
    stacks: async ({ params }) => acted(await ports.stacks(params.instance), "admin_instance_unknown"),
    restartInstance: async ({ params }) =>
      acted(await ports.restart(params.instance), "admin_instance_unknown"),
  };
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

function plain(status: number, text: string): Response {
  return new Response(text, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}

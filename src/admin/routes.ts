/**
 * Every route of the admin API. What is not here does not exist; docs/openapi.json is written from this table
 * (`scripts/bun scripts/generate-docs.ts`), and handlers.ts has one handler for each row.
 */

import { events, type Route, raw } from "./route.ts";
import { array, boolean, integer, string } from "./schema.ts";
import { decision, deployed, done, event, revision, status, traffic, trafficWish } from "./schemas.ts";

const SERVICE = { service: "Name of the service." } as const;
const INSTANCE = { instance: "Id of the instance, as in the status." } as const;

export const routes = {
  health: {
    method: "GET",
    path: "/healthz",
    summary: "Whether the process lives",
    answer: raw(["text/plain"], "It does."),
    errors: [],
  },
  readiness: {
    method: "GET",
    path: "/readyz",
    summary: "Whether requests can be served",
    doc: "503, with a sentence why, while they cannot.",
    answer: raw(["text/plain"], "`ready`, or why it is not.", 503),
    errors: [],
  },
  metrics: {
    method: "GET",
    path: "/metrics",
    summary: "Metrics for Prometheus",
    doc: "In the format that the Accept header prefers. docs/metrics.md lists them.",
    answer: raw(["text/plain", "application/openmetrics-text"], "The metrics."),
    errors: [],
  },
  status: {
    method: "GET",
    path: "/v1/status",
    summary: "The service of headrace run, or the first one of headrace up",
    answer: status,
    errors: ["admin_starting"],
  },
  services: {
    method: "GET",
    path: "/v1/services",
    summary: "All services, in the order of the file",
    answer: array(status),
    errors: ["admin_starting"],
  },
  serviceDecisions: {
    method: "GET",
    path: "/v1/services/{service}/decisions",
    summary: "The last decisions of the autoscaler about a service, oldest first",
    params: SERVICE,
    answer: array(decision),
    errors: ["admin_service_unknown", "admin_starting"],
  },
  deploy: {
    method: "POST",
    path: "/v1/services/{service}/deploy",
    summary: "Starts a new revision of a service, with its code as it is now",
    doc: "Answers once the new revision serves; what loses its requests then finishes those it has. headrace run loads its only revision anew.",
    params: SERVICE,
    query: {
      noTraffic: boolean("The new revision shows that it starts, and gets no requests yet."),
      overMs: integer(
        "Its share rises in steps so long, milliseconds; the answer comes after the first one.",
        {
          minimum: 0,
          maximum: 2_147_483_647,
        },
      ),
      guard: boolean("It is watched meanwhile, and what was there comes back when it is worse."),
      settleMs: integer(
        "Once it is ready, it has to stay up so long before it gets requests, milliseconds; 2000 when left out. When it crashes, nothing has changed.",
        { minimum: 0, maximum: 600_000 },
      ),
    },
    answer: deployed,
    errors: ["admin_service_unknown", "admin_starting"],
    fails: true,
  },
  revisions: {
    method: "GET",
    path: "/v1/services/{service}/revisions",
    summary: "The revisions of a service that are kept, newest first",
    params: SERVICE,
    answer: array(revision),
    errors: ["admin_service_unknown", "admin_starting"],
    fails: true,
  },
  traffic: {
    method: "GET",
    path: "/v1/services/{service}/traffic",
    summary: "Where the requests of a service go",
    params: SERVICE,
    answer: traffic,
    errors: ["admin_service_unknown", "admin_starting"],
    fails: true,
  },
  setTraffic: {
    method: "PUT",
    path: "/v1/services/{service}/traffic",
    summary: "Other shares or tags for the revisions of a service",
    doc: "Answers once requests go by it: revisions that had no instances are started first. The shares are given whole, tags one by one.",
    params: SERVICE,
    body: trafficWish,
    answer: traffic,
    errors: ["admin_service_unknown", "admin_starting"],
    fails: true,
  },
  rollback: {
    method: "POST",
    path: "/v1/services/{service}/rollback",
    summary: "The shares as they were before they changed last",
    doc: "A second time brings back what the first one took away. Tags stay.",
    params: SERVICE,
    answer: traffic,
    errors: ["admin_service_unknown", "admin_starting"],
    fails: true,
  },
  decisions: {
    method: "GET",
    path: "/v1/decisions",
    summary: "The last decisions of the autoscaler about the one service of headrace run, oldest first",
    answer: array(decision),
    errors: ["admin_starting"],
  },
  events: {
    method: "GET",
    path: "/v1/events",
    summary: "What happens, as it happens",
    doc: "Server-sent events: instances that start, are ready, crash or are replaced, decisions of the autoscaler, revisions, changed files. The last 1,000 are held, 4 MiB at most; with the header Last-Event-ID the stream goes on after that one, and says how many are no longer held. A comment comes every 15 seconds. A reader that is too slow is cut off.",
    query: {
      follow: boolean("false: only what is held, then the end. Default: true."),
      last: integer("So many of those that are held come first. Default: 0, all of them with follow=false.", {
        minimum: 0,
      }),
      service: string("Only what is of this service."),
    },
    answer: events(event, "The events."),
    errors: [],
  },
  logs: {
    method: "GET",
    path: "/v1/logs",
    summary: "The last log lines of a service or of all, and those that come",
    doc: "Server-sent events, each named log: what apps write, and what Headrace says of their instances. A line of an app is an event app.output; its fields are service.name, service.version, service.instance.id, log.iostream and, within a request, request_id. With the header Last-Event-ID the stream goes on after that line. A comment comes every 15 seconds. A reader that is too slow is cut off.",
    query: {
      service: string("Only lines of this service."),
      instance: string("Only lines of this instance."),
      since: integer("Only lines from this time on, in Unix milliseconds."),
      tail: integer("Begins with so many of the last lines. Default: 200.", { minimum: 0, maximum: 10_000 }),
      follow: boolean("Goes on with the lines that come. Default: false."),
    },
    answer: events(event, "The lines."),
    errors: ["admin_service_unknown", "admin_no_logs", "admin_starting"],
  },
  reload: {
    method: "POST",
    path: "/v1/reload",
    summary: "Loads the app anew; under headrace up, applies the file as it is now",
    doc: "As SIGHUP does. Answers once what is new serves.",
    answer: done,
    errors: ["admin_starting"],
    fails: true,
  },
  stacks: {
    method: "POST",
    path: "/v1/instances/{instance}/stacks",
    summary: "Has an instance write the stacks of all its threads to its log",
    params: INSTANCE,
    answer: done,
    errors: ["admin_instance_unknown", "admin_starting"],
    fails: true,
  },
  restartService: {
    method: "POST",
    path: "/v1/services/{service}/restart",
    summary: "Replaces all instances of a service, one after the other; each new one is ready first",
    doc: "With the code that they have: a deploy is for new code. Answers once all are replaced. 422 when a new one does not start; those that were not replaced stay.",
    params: SERVICE,
    answer: done,
    errors: ["admin_service_unknown", "admin_starting"],
    fails: true,
  },
  stopService: {
    method: "POST",
    path: "/v1/services/{service}/stop",
    summary: "Takes a service down: its requests are answered with 503 HR_SERVICE_STOPPED",
    doc: "Those in flight finish, within its drain time. Answers once it is down. Its routes stay its own. It starts again with a start or a deploy, and with Headrace.",
    params: SERVICE,
    answer: done,
    errors: ["admin_service_unknown", "admin_starting"],
    fails: true,
  },
  startService: {
    method: "POST",
    path: "/v1/services/{service}/start",
    summary: "Starts a service that was stopped, with the revisions and shares that it had",
    doc: "Answers once it serves.",
    params: SERVICE,
    answer: done,
    errors: ["admin_service_unknown", "admin_starting"],
    fails: true,
  },
  restartInstance: {
    method: "POST",
    path: "/v1/instances/{instance}/restart",
    summary: "Replaces one instance; the new one is ready first",
    params: INSTANCE,
    answer: done,
    errors: ["admin_instance_unknown", "admin_starting"],
    fails: true,
  },
} as const satisfies Readonly<Record<string, Route>>;

export type Routes = typeof routes;

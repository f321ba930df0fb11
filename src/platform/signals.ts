import type { EventTable, MetricTable } from "../base/signals.ts";

/** Metrics that the platform adds to the gateways' own. */
export const platformMetrics = {
  headrace_line_waiting: {
    kind: "gauge",
    help: "Requests that wait, for a slot or at a limit of their kind.",
  },
  headrace_limit_in_flight: {
    kind: "gauge",
    help: "Requests of a kind that has a limit (limits in headrace.yaml) that are in flight, or wait for a slot only.",
    labels: ["limit"],
  },
  headrace_limit_waiting: {
    kind: "gauge",
    help: "Requests that wait because as many of their kind are in flight as its limit allows.",
    labels: ["limit"],
  },
  headrace_instances: { kind: "gauge", help: "Instances by state.", labels: ["state"] },
  headrace_instance_in_flight: { kind: "gauge", help: "Slots taken, by instance.", labels: ["instance"] },
  headrace_instance_slots: { kind: "gauge", help: "Slots, by instance.", labels: ["instance"] },
  headrace_instance_memory_bytes: {
    kind: "gauge",
    help: "Proportional set size, by instance.",
    labels: ["instance"],
  },
  headrace_instance_cpu_seconds_total: {
    kind: "counter",
    help: "CPU time used, by instance.",
    labels: ["instance"],
  },
  headrace_instance_start_seconds: {
    kind: "histogram",
    help: "Starts of instances by phase: fork or spawn, boot (interpreter and worker), import, lifespan.",
    labels: ["phase"],
  },
  headrace_gateway_memory_bytes: {
    kind: "gauge",
    help: "Proportional set size, by gateway.",
    labels: ["gateway"],
  },
} as const satisfies MetricTable;

export type PlatformMetric = keyof typeof platformMetrics;

/** Log events of the platform. */
export const platformEvents = {
  "platform.changed": {
    level: "info",
    text: "Files of the app, or headrace.yaml, changed, so they are read anew.",
  },
  "platform.unchanged": {
    level: "info",
    text: "Files of a service were written, and its code is what it was: it is not loaded anew.",
  },
  "platform.applied": {
    level: "info",
    text: "A changed file or a deployed service holds: new revisions serve, old ones finish what they have.",
  },
  "platform.apply_failed": {
    level: "error",
    text: "A changed file was refused, or a new revision did not start; what runs goes on as it is. The code of the error is in the fields, and the traceback.",
  },
  "platform.start_kept": {
    level: "error",
    text: "At a start, the new revision of a service did not start, so those that it had before serve. The traceback is in the fields.",
  },
  "platform.traffic": {
    level: "info",
    text: "The shares or tags of a service's revisions have changed, or were restored at a start.",
  },
  "platform.rollout": { level: "info", text: "A rollout went a step further, or is done." },
  "platform.rollout_failed": {
    level: "error",
    text: "A rollout went back because the new revision was worse, or a step of it could not be made.",
  },
  "platform.service_stopped": {
    level: "info",
    text: "One service was stopped: its requests are refused, those in flight finish.",
  },
  "platform.service_started": { level: "info", text: "A service that was stopped serves again." },
  "platform.stopping": { level: "info", text: "The stop was asked for; requests in flight may finish." },
  "platform.stopped": { level: "info", text: "Everything is down." },
  "platform.gateway_died": {
    level: "error",
    text: "A gateway process ended unasked; its connections are lost and another one replaces it.",
  },
  "access_log.dropped": {
    level: "warn",
    text: "Lines of the access log were dropped because whoever reads stdout was too slow.",
  },
  "log.not_kept": {
    level: "warn",
    text: "Log lines cannot be written where headrace logs would find them; the message says why.",
  },
  "log.dropped": { level: "warn", text: "Log lines were dropped because whoever reads them was too slow." },
} as const satisfies EventTable;

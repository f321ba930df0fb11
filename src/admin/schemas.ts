/** What the admin API answers, as schemas of the types of src/model. */

import type { EventReport } from "../model/event.ts";
import type {
  GatewayReport,
  InstanceReport,
  LimitReport,
  RevisionShare,
  StatusReport,
} from "../model/instance.ts";
import type {
  DeployReport,
  RevisionReport,
  RolloutReport,
  ShadowReport,
  TagReport,
  TargetReport,
  TrafficReport,
  TrafficWish,
} from "../model/revision.ts";
import type { DecisionReport, ScalingReport } from "../model/scaling.ts";
import {
  array,
  boolean,
  integer,
  map,
  nullable,
  number,
  object,
  oneOf,
  optional,
  type Schema,
  scalar,
  string,
} from "./schema.ts";

const count = (doc: string) => integer(doc, { minimum: 0 });
const ms = (doc: string) => number(`${doc}, in milliseconds.`, { minimum: 0 });
const bytes = (doc: string) => integer(`${doc}, in bytes; 0 when unknown.`, { minimum: 0 });

const instance: Schema<InstanceReport> = object("Instance", {
  id: string("Unique as long as Headrace runs."),
  service: string("The service it belongs to."),
  revision: string("The revision that it runs."),
  state: oneOf(["starting", "ready", "draining", "stopping", "stopped", "failed"]),
  pid: integer("Its process; 0 before there is one."),
  origin: oneOf(["fork", "spawn"], "Where its process came from."),
  ageMs: ms("Time since it was asked for"),
  inFlight: count("Slots that are taken."),
  slots: count("Requests that it works on at a time."),
  served: count("Requests whose app call has returned."),
  memoryBytes: bytes("Proportional set size, or resident set size where that is all there is"),
  cpuMs: ms("Processor time since its start"),
  cpuShare: number("Share of one core over the last sample; 0 when unknown.", { minimum: 0 }),
  phases: map(number(), "Milliseconds of its start by phase: spawn or fork, boot, import, lifespan."),
});

const gateway: Schema<GatewayReport> = object("Gateway", {
  id: integer("Counts up from 1."),
  pid: integer("Its process."),
  state: oneOf(["starting", "ready", "draining"]),
  ageMs: ms("Time since its start"),
  connections: count("Client connections that are open."),
  inFlight: count("Requests that it has taken in and not finished."),
  waiting: count("Requests that wait in it for a slot."),
  memoryBytes: bytes("Proportional set size"),
  cpuMs: ms("Processor time since its start"),
});

const limit: Schema<LimitReport> = object("Limit", {
  resource: oneOf(["cpu", "memory"]),
  limit: number("Cores, or bytes."),
  by: oneOf(["cgroup v2", "cgroup v1", "rlimit", "nothing"], "What holds an instance to it."),
  why: string("Why it is not held by something better; empty when there is nothing better."),
});

const scaling: Schema<ScalingReport> = object("Scaling", {
  minInstances: count("Fewest instances."),
  maxInstances: count("Most instances."),
  desired: count("Instances that there should be now."),
  panicking: boolean("Whether the short window is followed and nothing shrinks."),
});

const revisionName = (doc: string) => string(doc, { pattern: "^rev-[1-9][0-9]{0,8}$" });
const percent = (doc: string) => integer(doc, { minimum: 0, maximum: 100 });

const rollout: Schema<RolloutReport> = object("Rollout", {
  revision: revisionName("The new revision."),
  state: oneOf(
    ["shifting", "watching", "done", "went-back", "failed", "superseded"],
    "docs/revisions.md draws them.",
  ),
  weight: percent("Its share of the requests now, percent."),
  overMs: integer("Length of the shift in milliseconds; 0: at once.", { minimum: 0 }),
  guarded: boolean("Whether it goes back when it is worse."),
  why: string("Why it ended as it did; empty when there is nothing to say."),
});

const share: Schema<RevisionShare> = object("Share", {
  revision: revisionName("The revision."),
  weight: percent("Its share of the requests, percent; 0 for one that only a tag leads to."),
  tags: array(string(), "Its tags."),
  shadow: percent("Percent of the requests that are mirrored to it; 0: none."),
  instances: count("Instances that take requests."),
});

/** One service, as it is. */
export const status: Schema<StatusReport> = object("Service", {
  version: string("Of Headrace."),
  service: string("Its name."),
  revision: string("The revision with the largest share of the requests; the newest of several."),
  app: string("What is served, as it was written."),
  interface: string("asgi, wsgi or function; empty while no instance has said."),
  url: string("Where it answers."),
  pid: integer("The process of Headrace."),
  uptimeMs: ms("Time since its start"),
  ready: boolean("Whether requests can be served."),
  stopped: boolean("Whether it was stopped: it has no instances then, and its requests are refused."),
  preload: object(
    "",
    { level: oneOf(["app", "imports", "off"]), reasons: array(string()) },
    "The preload level that holds, and why it is not a higher one.",
  ),
  concurrency: count("Slots of an instance."),
  measured: nullable(
    string(),
    "Where the slots are measured: why there are so many; empty while nothing was concluded. Null where they are given.",
  ),
  limits: array(limit, "What an instance may use; empty when there are no limits."),
  scaling: nullable(scaling, "Null where the number of instances is fixed."),
  line: object("", { waiting: count("Requests that wait."), depth: count("How many may.") }),
  revisions: array(share, "Those that run, newest first."),
  rollout: nullable(rollout, "The one that is under way, or ended last; null for none."),
  gateways: array(gateway),
  instances: array(instance, "Of all revisions."),
});

/** One decision of the autoscaler. */
export const decision: Schema<DecisionReport> = object("Decision", {
  at: number("Unix milliseconds."),
  trigger: oneOf(["tick", "burst"], "At the autoscaler's tick, or for a line between ticks."),
  action: oneOf(["start", "stop", "hold"], "What was done to the instances."),
  count: count("And to how many."),
  desired: count("Instances that there should be from then on."),
  rule: string("The rule that had the last word; docs/autoscaler.md has them."),
  seen: object(
    "",
    {
      ready: count("Instances that were ready."),
      starting: count("Instances that were starting."),
      running: number("Requests that ran."),
      waiting: number("Requests that waited."),
      refused: number("Slots that refused requests would have held."),
      panicking: boolean(""),
    },
    "What was seen. Requests are means over a second, or counts of the moment for a burst.",
  ),
  why: array(string(), "One sentence a rule, in the order in which they spoke."),
});

/** Something that happened. */
export const event: Schema<EventReport> = object("Event", {
  id: string(
    "Of this event, in the order in which they happened; to be sent as Last-Event-ID to go on after it.",
  ),
  time: number("Unix milliseconds."),
  level: oneOf(["debug", "info", "warn", "error"]),
  event: string("Its stable name; docs/metrics.md lists them."),
  message: string("One sentence."),
  fields: map(
    scalar(),
    "What else is known, as in the log: service.name and service.version (the revision) where it is of a service, instance, pid and so on.",
  ),
});

const target: Schema<TargetReport> = object("Target", {
  revision: revisionName("The revision."),
  weight: percent("Its share of the requests, whole percent."),
});

const tag: Schema<TagReport> = object("Tag", {
  tag: string("Before any host of the service, with three dashes: blue---shop.test."),
  revision: revisionName("The revision that it leads to."),
});

const shadow: Schema<ShadowReport> = object("Shadow", {
  revision: revisionName("The revision; nobody gets its answers."),
  percent: percent("The share of the requests that is mirrored to it, whole percent."),
});

/** Where the requests of a service go. */
export const traffic: Schema<TrafficReport> = object("Traffic", {
  service: string("The service."),
  targets: array(target, "Newest first; the weights add up to 100."),
  tags: array(tag),
  shadow: nullable(shadow, "Null: no request is mirrored."),
  before: nullable(array(target), "What a rollback brings back; null when nothing has changed yet."),
  rollout: nullable(rollout, "The one that is under way, or ended last; null for none."),
});

/** What is asked of the traffic. */
export const trafficWish: Schema<TrafficWish> = object("TrafficWish", {
  targets: optional(array(target, "All of the shares; empty or left out: as they are.")),
  tags: optional(array(tag, "Tags to set; others stay.")),
  untag: optional(array(string(), "Tags to take away.")),
  shadow: optional(nullable(shadow, "Null or 0%: no request is mirrored any more.")),
});

/** A revision that is kept. */
export const revision: Schema<RevisionReport> = object("Revision", {
  revision: revisionName("Its name among those of its service."),
  weight: percent("Its share of the requests, percent."),
  tags: array(string(), "Its tags."),
  shadow: percent("Percent of the requests that are mirrored to it; 0: none."),
  instances: count("Instances that take requests; 0 where it does not run."),
  createdAt: number("Unix milliseconds."),
  code: string("SHA-256 of its Python files; empty when there were too many to keep."),
  app: string("What it serves, as it was written."),
  madeBy: nullable(
    oneOf(["deploy", "file", "start"]),
    "A deploy, a changed file, or a start; null: it was made before that was noted.",
  ),
  options: map(
    scalar(),
    "What it runs with, by path (scaling.maxInstances): milliseconds, bytes; nothing of env.",
  ),
  env: array(string(), "Names of its own variables; never values."),
  secrets: map(string(), "References to secrets by the variables that they are for; never values."),
});

/** What came of a deploy. */
export const deployed: Schema<DeployReport> = object("Deployed", {
  service: string("The service."),
  revision: revisionName("The new revision."),
  rollout: nullable(rollout, "Null: it has its requests, or is to have none."),
});

/** Every error of the API. */
export const error: Schema<{
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly hint?: string;
    readonly detail?: string;
  };
}> = object("Error", {
  error: object("", {
    code: string("Stable; docs/errors.md lists them."),
    message: string("What is wrong, one sentence."),
    hint: optional(string("What to do about it.")),
    detail: optional(
      string("What belongs to it, several lines as they are: the traceback of an app that did not start."),
    ),
  }),
});

/** The answer of an action that worked. */
export const done = object("Done", { ok: boolean("True.") }, "It is done.");

import type { EventTable } from "../base/signals.ts";
import type { LogRecord } from "../model/log.ts";
import { describeExit, type StartFailure } from "./errors.ts";
import type { PoolEvent } from "./ports.ts";

/** Every log event of this room. */
export const events = {
  "instance.state": { level: "debug", text: "An instance changed its state." },
  "instance.started": { level: "debug", text: "The process of an instance is there; the app starts in it." },
  "instance.ready": {
    level: "info",
    text: "An instance has imported the app, started its lifespan and takes requests.",
  },
  "instance.crashed": {
    level: "error",
    text: "An instance's process ended, perhaps with its zygote, and nobody had asked it to.",
  },
  "instance.start_failed": { level: "error", text: "An instance ended, or was ended, before it was ready." },
  "instance.restart": { level: "info", text: "A seat gets a new instance, now or after a back-off." },
  "instance.recycled": { level: "info", text: "An instance was replaced by a new one that was ready first." },
  "instance.recycle_failed": {
    level: "warn",
    text: "The replacement of an instance did not start; the old one stays.",
  },
  "instance.stuck": {
    level: "warn",
    text: "A request did not come back; stacks are logged and the instance is replaced.",
  },
  "instance.drain_over": {
    level: "warn",
    text: "The drain time ended before the requests did; they are disconnected.",
  },
  "instance.killed": { level: "warn", text: "A process was killed because it did not end by itself." },
  "pool.crash_loop": { level: "error", text: "Instances crash again and again; restarts back off." },
  "pool.preload": { level: "info", text: "The preload level that holds, and why it is not a higher one." },
  "pool.zygote_exited": {
    level: "warn",
    text: "A zygote ended while it was needed, and its instances with it; the next start makes a new one.",
  },
  "pool.reload_started": { level: "info", text: "A new generation of instances is being started." },
  "pool.reloaded": { level: "info", text: "The new generation serves; the old one finishes what it has." },
  "pool.reload_failed": { level: "error", text: "The new generation did not start; the old one goes on." },
  "pool.limit_refused": {
    level: "warn",
    text: "The system did not let an instance be put into its control group: it runs without that limit.",
  },
  "pool.publish_failed": {
    level: "error",
    text: "The gateways could not be told about a change of instances.",
  },
  "pool.control_refused": {
    level: "warn",
    text: "Something connected to the control socket that is no process of ours.",
  },
} as const satisfies EventTable;

export type EventName = keyof typeof events;
type Fields = LogRecord["fields"];
type Sentence = readonly [EventName, string, Fields];
type EventOf<K extends PoolEvent["kind"]> = Extract<PoolEvent, { kind: K }>;

/** A pool's event as a log record. `wall`: Unix milliseconds. */
export function logRecord(event: PoolEvent, wall: number): LogRecord {
  const [name, message, fields] = sentence(event);
  return { time: wall, level: events[name].level, event: name, message, fields };
}

function sentence(event: PoolEvent): Sentence {
  switch (event.kind) {
    case "state":
      return [
        "instance.state",
        `${event.instance} ${event.from} → ${event.to}: ${event.why}`,
        { instance: event.instance, generation: event.generation, from: event.from, to: event.to },
      ];
    case "started": {
      const { instance, pid, origin } = event;
      const how = origin === "fork" ? "is forked" : "is spawned";
      return ["instance.started", `${instance} ${how}: process ${pid}`, { instance, pid, origin }];
    }
    case "ready": {
      const { instance, pid, origin } = event;
      const ms = Math.round(event.startMs);
      return [
        "instance.ready",
        `${instance} is ready after ${ms} ms (${origin})`,
        { instance, pid, origin, start_ms: ms, ...event.phases },
      ];
    }
    case "restart": {
      const { instance } = event;
      const [instead, named] = instance === "" ? ["", {}] : [` instead of ${instance}`, { instance }];
      const when = event.delayMs === 0 ? "now" : `in ${event.delayMs} ms`;
      return [
        "instance.restart",
        `A new instance${instead} starts ${when}: ${event.reasons.join("; ")}`,
        { ...named, seat: event.seat, delay_ms: event.delayMs },
      ];
    }
    case "preload": {
      const why = event.reasons.length === 0 ? "" : `: ${event.reasons.join("; ")}`;
      return [
        "pool.preload",
        `Preload level ${event.level}${why}`,
        { level: event.level, ms: Math.round(event.startMs) },
      ];
    }
    case "zygote-exited":
      return zygoteExited(event);
    case "limit-refused":
      return ["pool.limit_refused", event.why, {}];
    case "publish-failed":
      return ["pool.publish_failed", event.message, {}];
    case "control-refused":
      return ["pool.control_refused", `A control connection was closed: ${event.why}`, {}];
    default:
      return trouble(event);
  }
}

function zygoteExited(event: EventOf<"zygote-exited">): Sentence {
  const { zygote, exit, instances } = event;
  const told = `The zygote ${zygote} ended with ${describeExit(exit)}, and its instances with it: ${instances}`;
  return ["pool.zygote_exited", told, { zygote, instances, ...exitFields(exit) }];
}

function crashed({ instance, pid, exit, uptimeMs, output }: EventOf<"crashed">): Sentence {
  const { zygote } = exit;
  const fields = {
    ...{ instance, pid, uptime_ms: Math.round(uptimeMs), ...exitFields(exit) },
    ...(zygote === undefined ? {} : { zygote }),
    output: output.join("\n"),
  };
  const how =
    zygote === undefined ? `crashed with ${describeExit(exit)}` : `ended because its zygote ${zygote} did`;
  return ["instance.crashed", `${instance} ${how}`, fields];
}

type Trouble = Exclude<
  PoolEvent,
  {
    kind:
      | "state"
      | "started"
      | "ready"
      | "restart"
      | "preload"
      | "zygote-exited"
      | "publish-failed"
      | "control-refused"
      | "limit-refused";
  }
>;

function trouble(event: Trouble): Sentence {
  switch (event.kind) {
    case "crashed":
      return crashed(event);
    case "start-failed":
      return [
        "instance.start_failed",
        `${event.instance} did not start: ${event.failure.message}`,
        failureFields(event.failure, event.instance),
      ];
    case "recycled":
      return [
        "instance.recycled",
        `${event.instance} is replaced: ${event.reason}`,
        { instance: event.instance, reason: event.reason },
      ];
    case "recycle-failed":
      return [
        "instance.recycle_failed",
        `${event.instance} stays: its replacement did not start`,
        failureFields(event.failure, event.instance),
      ];
    case "stuck":
      return [
        "instance.stuck",
        `${event.instance} is stuck: ${event.reason}`,
        { instance: event.instance, reason: event.reason, grace_ms: event.graceMs },
      ];
    case "drain-over":
      return [
        "instance.drain_over",
        `${event.instance} still has ${event.inFlight} in flight after ${event.drainMs} ms: they are disconnected`,
        { instance: event.instance, in_flight: event.inFlight, drain_ms: event.drainMs },
      ];
    case "killed":
      return [
        "instance.killed",
        `${event.instance} is killed: ${event.why}`,
        { instance: event.instance, pid: event.pid },
      ];
    case "crash-loop":
      return [
        "pool.crash_loop",
        `${event.crashes} crashes within ${event.windowMs} ms`,
        { crashes: event.crashes, window_ms: event.windowMs },
      ];
    case "reload-started":
      return [
        "pool.reload_started",
        `Generation ${event.generation} starts`,
        { generation: event.generation },
      ];
    case "reload-done": {
      const ms = Math.round(event.ms);
      return [
        "pool.reloaded",
        `Generation ${event.generation} serves after ${ms} ms`,
        { generation: event.generation, ms },
      ];
    }
    case "reload-failed":
      return [
        "pool.reload_failed",
        `Generation ${event.generation} did not start: ${event.failure.message}`,
        failureFields(event.failure),
      ];
  }
}

function exitFields(exit: { readonly status: number | null; readonly signal: string | null }): Fields {
  return { exit_status: exit.status, exit_signal: exit.signal };
}

function failureFields(failure: StartFailure, instance?: string): Fields {
  const fields = { code: failure.code, traceback: failure.traceback || failure.output.join("\n") };
  return instance === undefined ? fields : { instance, ...fields };
}

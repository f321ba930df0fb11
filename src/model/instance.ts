import type { RolloutReport } from "./revision.ts";
import type { ScalingReport } from "./scaling.ts";

/**
 * The states of an instance. Drawn in src/instances/instance.ts, which also asserts the edges.
 *
 * - `starting`: the process is asked for, imports the app or runs lifespan startup
 * - `ready`: takes requests
 * - `draining`: takes no new requests, finishes those it has
 * - `stopping`: runs lifespan shutdown, then exits
 * - `stopped`: the process is gone and was meant to be
 * - `failed`: the process is gone and was not meant to be, or never became ready
 */
export type InstanceState = "starting" | "ready" | "draining" | "stopping" | "stopped" | "failed";

/** Where an instance came from. */
export type InstanceOrigin = "fork" | "spawn";

/** What `headrace ps` shows of one instance. Durations in milliseconds, sizes in bytes. */
export interface InstanceReport {
  readonly id: string;
  readonly service: string;
  readonly revision: string;
  readonly state: InstanceState;
  readonly pid: number;
  readonly origin: InstanceOrigin;
  readonly ageMs: number;
  readonly inFlight: number;
  readonly slots: number;
  /** Requests whose app call has returned. */
  readonly served: number;
  /** Proportional set size where the machine tells it, else resident set size; 0 when unknown. */
  readonly memoryBytes: number;
  /** CPU time used since the start. */
  readonly cpuMs: number;
  /** Share of one core over the last sample, 0 .. n; 0 when unknown. */
  readonly cpuShare: number;
  /** Milliseconds by phase of its start: spawn or fork, boot, import, lifespan. */
  readonly phases: Readonly<Record<string, number>>;
}

/** What an instance may use, and what holds it to that. */
export interface LimitReport {
  readonly resource: "cpu" | "memory";
  /** Cores, or bytes. */
  readonly limit: number;
  readonly by: "cgroup v2" | "cgroup v1" | "rlimit" | "nothing";
  /** Why it is not held by something better; empty when there is nothing better. */
  readonly why: string;
}

/** What `headrace ps` shows of one gateway process. */
export interface GatewayReport {
  readonly id: number;
  readonly pid: number;
  readonly state: "starting" | "ready" | "draining";
  readonly ageMs: number;
  readonly connections: number;
  readonly inFlight: number;
  readonly waiting: number;
  readonly memoryBytes: number;
  readonly cpuMs: number;
}

/** What a revision that runs gets of its service's requests. */
export interface RevisionShare {
  readonly revision: string;
  /** Percent; 0 for one that only a tag leads to. */
  readonly weight: number;
  readonly tags: readonly string[];
  /** Percent of the requests that are mirrored to it; 0: none. */
  readonly shadow: number;
  /** Instances that take requests. */
  readonly instances: number;
}

/** The answer of the admin API's `/v1/status`. */
export interface StatusReport {
  readonly version: string;
  readonly service: string;
  /** The one with the largest share of the requests; the newest of several. */
  readonly revision: string;
  readonly app: string;
  readonly interface: string;
  readonly url: string;
  readonly pid: number;
  readonly uptimeMs: number;
  readonly ready: boolean;
  /** It was stopped with headrace stop: it has no instances, and its requests are refused. */
  readonly stopped: boolean;
  /** Preload level that holds, and why it is not a higher one. */
  readonly preload: { readonly level: "app" | "imports" | "off"; readonly reasons: readonly string[] };
  readonly concurrency: number;
  /** Where the slots are measured: why there are so many; empty while nothing was concluded. Null where they are given. */
  readonly measured: string | null;
  /** Of each instance; empty when there are none. */
  readonly limits: readonly LimitReport[];
  /** Null where the number of instances is fixed. */
  readonly scaling: ScalingReport | null;
  readonly line: { readonly waiting: number; readonly depth: number };
  /** Those that run, newest first. */
  readonly revisions: readonly RevisionShare[];
  /** The rollout that is under way, or ended last; null for none. */
  readonly rollout: RolloutReport | null;
  readonly gateways: readonly GatewayReport[];
  /** Of all revisions. */
  readonly instances: readonly InstanceReport[];
}

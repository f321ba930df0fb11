/** What the admin server needs from the platform. */

import type { StatusReport } from "../model/instance.ts";
import type { MetricFamily } from "../model/metric.ts";
import type {
  DeployReport,
  DeployWish,
  RevisionReport,
  TrafficReport,
  TrafficWish,
} from "../model/revision.ts";
import type { RouteQuestion, RouteReport } from "../model/routed.ts";
import type { DecisionReport } from "../model/scaling.ts";

/** Whether requests can be served, and what is missing when they cannot. */
export interface Readiness {
  readonly ready: boolean;
  /** One sentence; empty when ready. */
  readonly why: string;
}

/** What came of an action. */
export type ActionOutcome =
  | { readonly kind: "done" }
  /** There is no instance of this id. */
  | { readonly kind: "unknown-instance" }
  | { readonly kind: "unknown-service" }
  /** The start is still under way. */
  | { readonly kind: "starting" }
  /** It was tried and did not work; what ran before still runs. */
  | {
      readonly kind: "failed";
      readonly code: string;
      readonly message: string;
      /** What belongs under the sentence as it is, such as a traceback; left out for nothing. */
      readonly detail?: string;
    };

/** What came of a question about one service, or of an action that has an answer. */
export type Outcome<T> =
  | { readonly kind: "done"; readonly value: T }
  | Exclude<ActionOutcome, { readonly kind: "done" | "unknown-instance" }>;

/** What may wait for its turn takes a signal: aborted when nobody waits for the answer any more. */
export interface AdminPorts {
  readiness(): Readiness;
  /** Of the one service of `headrace run`, of the first one of `headrace up`; null while the start is under way. */
  status(): Promise<StatusReport | null>;
  /** One for each service; null while the start is under way. */
  services(): Promise<readonly StatusReport[] | null>;
  metrics(): Promise<readonly MetricFamily[]>;
  /** Which service a request would go to; null while the start is under way. */
  route(question: RouteQuestion): RouteReport | null;
  /** The autoscaler's last decisions, oldest first; null while the start is under way. */
  decisions(): readonly DecisionReport[] | null;
  /** The same of one service; undefined when there is none of this name. */
  decisionsOf(service: string): readonly DecisionReport[] | null | undefined;
  /** Starts a new revision of a service. Resolves when it serves, or could not. */
  deploy(service: string, wish: DeployWish, client: AbortSignal): Promise<Outcome<DeployReport>>;
  revisions(service: string): Promise<Outcome<readonly RevisionReport[]>>;
  traffic(service: string): Promise<Outcome<TrafficReport>>;
  /** Resolves when requests go by it, or nothing has changed. */
  setTraffic(service: string, wish: TrafficWish, client: AbortSignal): Promise<Outcome<TrafficReport>>;
  rollback(service: string, client: AbortSignal): Promise<Outcome<TrafficReport>>;
  /** Builds new instances, swaps, retires the old ones. Resolves when the new ones serve, or could not. */
  reload(client: AbortSignal): Promise<ActionOutcome>;
  /** Begins to take all of it down, as SIGTERM does: what is in flight finishes. Resolves when it has begun. */
  stop(): Promise<ActionOutcome>;
  /** Writes the stacks of all threads of an instance to its log. */
  stacks(instance: string): Promise<ActionOutcome>;
  /** Replaces all instances of a service, one after the other. Resolves when all are replaced, or one could not be. */
  restartService(service: string): Promise<ActionOutcome>;
  /** Takes a service down. Resolves when it is down. */
  stopService(service: string, client: AbortSignal): Promise<ActionOutcome>;
  /** Starts it again. Resolves when it serves, or could not. */
  startService(service: string, client: AbortSignal): Promise<ActionOutcome>;
  /** Replaces one instance. Resolves when the replacement serves, or could not. */
  restart(instance: string): Promise<ActionOutcome>;
}

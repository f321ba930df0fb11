/** What the admin server needs from the platform. */

import type { StatusReport } from "../model/instance.ts";
import type { MetricFamily } from "../model/metric.ts";
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
  /** The start is still under way. */
  | { readonly kind: "starting" }
  /** It was tried and did not work; what ran before still runs. */
  | { readonly kind: "failed"; readonly code: string; readonly message: string };

export interface AdminPorts {
  readiness(): Readiness;
  /** Null while the start is under way. */
  status(): Promise<StatusReport | null>;
  metrics(): Promise<readonly MetricFamily[]>;
  /** The autoscaler's last decisions, oldest first; null while the start is under way. */
  decisions(): readonly DecisionReport[] | null;
  /** Builds new instances, swaps, retires the old ones. Resolves when the new ones serve, or could not. */
  reload(): Promise<ActionOutcome>;
  /** Writes the stacks of all threads of an instance to its log. */
  stacks(instance: string): Promise<ActionOutcome>;
  /** Replaces one instance. Resolves when the replacement serves, or could not. */
  restart(instance: string): Promise<ActionOutcome>;
}

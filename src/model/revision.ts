/** What the admin API and `headrace ps` show of revisions and traffic. Revisions are named `rev-7`. */

/** Where the requests of a service go. */
export interface TrafficReport {
  readonly service: string;
  /** Newest first; weights are whole percents above 0 that add up to 100. */
  readonly targets: readonly TargetReport[];
  /** In the order of the alphabet. */
  readonly tags: readonly TagReport[];
  readonly shadow: ShadowReport | null;
  /** The targets before the last change, which a rollback brings back; null when there was no change. */
  readonly before: readonly TargetReport[] | null;
  /** The one that is under way, or came to its end last; null without one, or when the traffic was changed after its end. */
  readonly rollout: RolloutReport | null;
}

export interface TargetReport {
  readonly revision: string;
  readonly weight: number;
}

/** A revision is reached as `TAG---` before any host of its service. */
export interface TagReport {
  readonly tag: string;
  readonly revision: string;
}

/** A share of the requests is mirrored to this revision; nobody gets its answers. */
export interface ShadowReport {
  readonly revision: string;
  /** Whole percent. */
  readonly percent: number;
}

/** What made a revision: headrace deploy (or --watch), a changed file, a start. Null: it was made before that was noted. */
export type MadeBy = "deploy" | "file" | "start";

/** One revision, as long as it is kept. */
export interface RevisionReport {
  readonly revision: string;
  /** Its share of the requests in percent; 0 for none. */
  readonly weight: number;
  readonly tags: readonly string[];
  /** Percent of the requests that are mirrored to it; 0: none. */
  readonly shadow: number;
  /** Unix milliseconds. */
  readonly createdAt: number;
  /** SHA-256 of its Python files; empty when there were too many to keep. */
  readonly code: string;
  readonly app: string;
  readonly madeBy: MadeBy | null;
  /** The options that it runs with, by their path: `scaling.maxInstances`. Durations in milliseconds, sizes in bytes; nothing of `env`. */
  readonly options: Readonly<Record<string, string | number | boolean | null>>;
  /** Names of the variables of `env` and `envFile`, in the order of the alphabet; never values. */
  readonly env: readonly string[];
  /** References by the names of the variables, never values. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Instances that take requests; 0 where it does not run. */
  readonly instances: number;
}

/** What is asked of a service's traffic. What is not said stays. */
export interface TrafficWish {
  /** The whole of the shares; empty or left out: as they are. */
  readonly targets?: readonly TargetReport[];
  readonly tags?: readonly TagReport[];
  readonly untag?: readonly string[];
  /** Null or 0% takes it away. */
  readonly shadow?: ShadowReport | null;
}

/**
 * - `shifting`: the share of the new revision rises
 * - `watching`: it has all requests, and may still go back
 * - `done`: it has all requests
 * - `went-back`: it was worse, and the requests went back
 * - `failed`: a step could not be made; the shares are those of the last one
 * - `superseded`: somebody else changed the traffic
 */
export type RolloutState = "shifting" | "watching" | "done" | "went-back" | "failed" | "superseded";

/** How a new revision comes, or came, to its requests. */
export interface RolloutReport {
  readonly revision: string;
  readonly state: RolloutState;
  /** Its share now, percent. */
  readonly weight: number;
  /** Length of the shift in milliseconds; 0: at once. */
  readonly overMs: number;
  readonly guarded: boolean;
  /** Why it ended as it did; empty when there is nothing to say. */
  readonly why: string;
}

/** What came of a deploy. */
export interface DeployReport {
  readonly service: string;
  /** The new revision. */
  readonly revision: string;
  /** Null: it has its requests, or is to have none. */
  readonly rollout: RolloutReport | null;
}

/** How a new revision comes in. */
export interface DeployWish {
  /** It gets no requests before it is given some. */
  readonly noTraffic?: boolean;
  /** Its share rises in steps so long, milliseconds; 0 or left out: at once. */
  readonly overMs?: number;
  /** It is watched meanwhile, and for a minute after a shift at once: when it is worse than what was there, that comes back. */
  readonly guard?: boolean;
  /** Once ready, it has to stay up so long before it gets requests, milliseconds; 2000 when left out. */
  readonly settleMs?: number;
}

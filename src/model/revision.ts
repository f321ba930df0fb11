/** What the admin API and `headrace ps` show of revisions and traffic. Revisions are named `rev-7`. */

/** Where the requests of a service go. */
export interface TrafficReport {
  readonly service: string;
  /** Newest first; weights are whole percents above 0 that add up to 100. */
  readonly targets: readonly TargetReport[];
  /** In the order of the alphabet. */
  readonly tags: readonly TagReport[];
  /** The targets before the last change, which a rollback brings back; null when there was no change. */
  readonly before: readonly TargetReport[] | null;
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

/** One revision, as long as it is kept. */
export interface RevisionReport {
  readonly revision: string;
  /** Its share of the requests in percent; 0 for none. */
  readonly weight: number;
  readonly tags: readonly string[];
  /** Unix milliseconds. */
  readonly createdAt: number;
  /** SHA-256 of its Python files; empty when there were too many to keep. */
  readonly code: string;
  readonly app: string;
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
}

/** What came of a deploy. */
export interface DeployReport {
  readonly service: string;
  /** The new revision. */
  readonly revision: string;
}

/** How a new revision comes in. */
export interface DeployWish {
  /** It gets no requests before it is given some. */
  readonly noTraffic?: boolean;
}

/** What a look at the instances came to, as `headrace ps --why` and `/v1/decisions` show it. */
export interface DecisionReport {
  /** Unix milliseconds. */
  readonly at: number;
  /** At the autoscaler's tick, or for a line between ticks. */
  readonly trigger: "tick" | "burst";
  /** What was done to the instances, and to how many. */
  readonly action: "start" | "stop" | "hold";
  readonly count: number;
  /** Instances that there should be from then on. */
  readonly desired: number;
  /** The rule that had the last word; docs/autoscaler.md has them. */
  readonly rule: string;
  /** What was seen. Requests are means over a second, or counts of the moment for a burst. */
  readonly seen: {
    readonly ready: number;
    readonly starting: number;
    readonly running: number;
    readonly waiting: number;
    /** Slots that refused requests would have held. */
    readonly refused: number;
    readonly panicking: boolean;
  };
  /** One sentence a rule, in the order in which they spoke. */
  readonly why: readonly string[];
}

/** The autoscaler's present, for status and metrics. */
export interface ScalingReport {
  readonly minInstances: number;
  readonly maxInstances: number;
  readonly desired: number;
  readonly panicking: boolean;
}

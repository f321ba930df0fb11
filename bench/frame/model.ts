/**
 * What a run of the suite writes: a file of Results. Everything that is shown (the table, the pictures, the comparison of two runs)
 * is worked out from it, so an old file can be shown anew.
 */

export interface Results {
  readonly format: 1;
  /** ISO 8601, when it began. */
  readonly startedAt: string;
  readonly seconds: number;
  readonly label: string;
  /** Of this repository; with "+" where files differ from it. */
  readonly commit: string;
  /** How to repeat it. */
  readonly command: string;
  readonly settings: Settings;
  readonly machine: Machine;
  /** Name of a program or package to its version. */
  readonly versions: Readonly<Record<string, string>>;
  /** Peers and tools that could not be had. */
  readonly missing: readonly Missing[];
  /** Parts that did not run, or did not come to their end. */
  readonly leftOut: readonly Missing[];
  readonly parts: readonly PartResult[];
}

export interface Settings {
  readonly rounds: number;
  /** Of one measurement, for the parts that measure by time. */
  readonly seconds: number;
  /** Everything small: shows that a part works, not how fast anything is. */
  readonly quick: boolean;
  /** Minutes; a part that would not end in time is left out. */
  readonly budget: number;
  /** Cores of servers and of load, as taskset takes them; null where the scheduler chooses. */
  readonly pin: { readonly servers: string; readonly load: string } | null;
  /** Parts of names of stacks; empty for all. */
  readonly stacks: readonly string[];
  /** Another checkout, whose Headrace takes part as a peer; null for none. */
  readonly before: string | null;
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly openFiles: number;
  /** Kernel settings that matter here, by name. */
  readonly sysctl: Readonly<Record<string, string>>;
}

export interface Missing {
  readonly name: string;
  readonly why: string;
}

export interface Metric {
  readonly unit: string;
  readonly better: "more" | "less";
  readonly about: string;
}

export interface PartResult {
  readonly name: string;
  readonly about: string;
  /** Wall time that it took. */
  readonly seconds: number;
  /** Of each stack, by what it was measured with: its exact command. */
  readonly commands: Readonly<Record<string, string>>;
  readonly metrics: Readonly<Record<string, Metric>>;
  readonly pairs: readonly Pair[];
  readonly samples: readonly Sample[];
  readonly bars: readonly Bar[];
  readonly series: readonly Series[];
  /** Stacks that did not start or broke off. */
  readonly absent: readonly { readonly case: string; readonly stack: string; readonly why: string }[];
}

/** Who is held against whom. The main peer of a stack is the yardstick by which two runs are compared. */
export interface Pair {
  readonly case: string;
  readonly stack: string;
  readonly peer: string;
  readonly main: boolean;
}

/** One stack in one round of one case. */
export interface Sample {
  readonly case: string;
  readonly stack: string;
  /** From 1. */
  readonly round: number;
  /** By name of the metric. */
  readonly values: Readonly<Record<string, number>>;
  /** Share of the machine's CPU time that went to processes which are neither this stack nor its load, 0 .. 1. */
  readonly others: number;
  /** Why the figures do not count; empty when they do. */
  readonly faults: readonly string[];
}

/** What a Headrace must reach, as a median over the rounds. */
export interface Bar {
  readonly case: string;
  readonly stack: string;
  readonly metric: string;
  readonly least?: number;
  readonly most?: number;
}

/** A curve of one round, for the pictures. */
export interface Series {
  readonly case: string;
  readonly stack: string;
  readonly name: string;
  readonly unit: string;
  readonly points: readonly (readonly [seconds: number, value: number])[];
}

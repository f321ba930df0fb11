/**
 * What a room's signals.ts declares: every log event and metric under its stable name, with one sentence each.
 * Rooms write records under these names; docs/metrics.md lists them.
 */

/** A log event. The key of the row is its name, such as `instance.ready`. */
export interface EventRow {
  readonly level: "debug" | "info" | "warn" | "error";
  /** When it is written, one sentence. */
  readonly text: string;
}

/** A metric. The key of the row is its Prometheus name, with its unit and `_total` where due. */
export interface MetricRow {
  readonly kind: "counter" | "gauge" | "histogram";
  /** One sentence. */
  readonly help: string;
  /** Names of its labels. */
  readonly labels?: readonly string[];
  /** Histograms: upper bounds of the buckets, rising, without +Inf. */
  readonly bounds?: readonly number[];
}

/** A room's log events by name. */
export type EventTable = Readonly<Record<string, EventRow>>;

/** A room's metrics by name. */
export type MetricTable = Readonly<Record<string, MetricRow>>;

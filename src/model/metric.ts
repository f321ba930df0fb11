/** One metric with its samples, ready to be written in any exposition format. */
export interface MetricFamily {
  /** Prometheus name, with its unit and `_total` where due. */
  readonly name: string;
  readonly kind: "counter" | "gauge" | "histogram";
  /** One sentence. */
  readonly help: string;
  readonly samples: readonly MetricSample[];
}

export interface MetricSample {
  readonly labels: Readonly<Record<string, string>>;
  /** Counters and gauges. */
  readonly value?: number;
  /** Histograms: counts by upper bound (not cumulative, the last is +Inf), the sum and the count. */
  readonly buckets?: {
    readonly bounds: readonly number[];
    readonly counts: readonly number[];
    readonly sum: number;
  };
}

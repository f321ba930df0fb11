/** One set of metrics from those of many services. Pure. */

import type { MetricFamily, MetricSample } from "../model/metric.ts";

/** What belongs to the gateways and to no service. */
const SHARED: ReadonlySet<string> = new Set([
  "headrace_client_connections",
  "headrace_client_connections_accepted_total",
  "headrace_gateway_memory_bytes",
]);

/** What services have as well: of the front, only what was answered before any service was found. */
const UNROUTED: ReadonlySet<string> = new Set(["headrace_requests_total", "headrace_refusals_total"]);

export interface ServiceMetrics {
  /** Put on every sample. */
  readonly labels: Readonly<Record<string, string>>;
  readonly families: readonly MetricFamily[];
}

/** @param front what the gateways counted of clients and of requests that no service had a route for */
export function mergedMetrics(
  front: readonly MetricFamily[],
  services: readonly ServiceMetrics[],
): MetricFamily[] {
  const merged = new Map<string, { family: MetricFamily; samples: MetricSample[] }>();
  const put = (family: MetricFamily, samples: readonly MetricSample[]) => {
    const known = merged.get(family.name);
    if (known === undefined) merged.set(family.name, { family, samples: [...samples] });
    else known.samples.push(...samples);
  };
  for (const family of front)
    if (SHARED.has(family.name) || UNROUTED.has(family.name)) put(family, family.samples);
  for (const [index, { labels, families }] of services.entries()) {
    for (const family of families) {
      if (!SHARED.has(family.name)) {
        put(
          family,
          family.samples.map((sample) => ({ ...sample, labels: { ...labels, ...sample.labels } })),
        );
      } else if (index === 0 && !front.some(({ name }) => name === family.name)) put(family, family.samples);
    }
  }
  return [...merged.values()].map(({ family, samples }) => ({ ...family, samples }));
}

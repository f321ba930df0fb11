import { expect, test } from "bun:test";
import type { MetricFamily } from "../model/metric.ts";
import { metricFormat, writeMetrics } from "./prometheus.ts";

const families: readonly MetricFamily[] = [
  {
    name: "headrace_requests_total",
    kind: "counter",
    help: 'Requests by status.\nA backslash: \\, quotes: "x".',
    samples: [
      { labels: { status: "200" }, value: 1027 },
      { labels: { status: "4xx", path: 'a\\b"c\nd' }, value: 3 },
    ],
  },
  {
    name: "headrace_line_waiting",
    kind: "gauge",
    help: "Requests that wait.",
    samples: [{ labels: {}, value: 0.5 }],
  },
  {
    name: "headrace_request_duration_seconds",
    kind: "histogram",
    help: "Time.",
    samples: [
      { labels: { service: "shop" }, buckets: { bounds: [0.005, 1, 2.5], counts: [4, 0, 2, 1], sum: 11.25 } },
    ],
  },
  { name: "headrace_empty", kind: "gauge", help: "No samples yet.", samples: [] },
];

test("Prometheus text: escaped, histograms cumulative", () => {
  expect(
    writeMetrics(families, "prometheus"),
  ).toBe(`# HELP headrace_requests_total Requests by status.\\nA backslash: \\\\, quotes: "x".
# TYPE headrace_requests_total counter
headrace_requests_total{status="200"} 1027
headrace_requests_total{status="4xx",path="a\\\\b\\"c\\nd"} 3
# HELP headrace_line_waiting Requests that wait.
# TYPE headrace_line_waiting gauge
headrace_line_waiting 0.5
# HELP headrace_request_duration_seconds Time.
# TYPE headrace_request_duration_seconds histogram
headrace_request_duration_seconds_bucket{service="shop",le="0.005"} 4
headrace_request_duration_seconds_bucket{service="shop",le="1"} 4
headrace_request_duration_seconds_bucket{service="shop",le="2.5"} 6
headrace_request_duration_seconds_bucket{service="shop",le="+Inf"} 7
headrace_request_duration_seconds_sum{service="shop"} 11.25
headrace_request_duration_seconds_count{service="shop"} 7
# HELP headrace_empty No samples yet.
# TYPE headrace_empty gauge
`);
});

test("OpenMetrics: counters without their suffix in the title, floats, an end", () => {
  expect(
    writeMetrics(families, "openmetrics"),
  ).toBe(`# HELP headrace_requests Requests by status.\\nA backslash: \\\\, quotes: \\"x\\".
# TYPE headrace_requests counter
headrace_requests_total{status="200"} 1027.0
headrace_requests_total{status="4xx",path="a\\\\b\\"c\\nd"} 3.0
# HELP headrace_line_waiting Requests that wait.
# TYPE headrace_line_waiting gauge
headrace_line_waiting 0.5
# HELP headrace_request_duration_seconds Time.
# TYPE headrace_request_duration_seconds histogram
headrace_request_duration_seconds_bucket{service="shop",le="0.005"} 4
headrace_request_duration_seconds_bucket{service="shop",le="1.0"} 4
headrace_request_duration_seconds_bucket{service="shop",le="2.5"} 6
headrace_request_duration_seconds_bucket{service="shop",le="+Inf"} 7
headrace_request_duration_seconds_sum{service="shop"} 11.25
headrace_request_duration_seconds_count{service="shop"} 7
# HELP headrace_empty No samples yet.
# TYPE headrace_empty gauge
# EOF
`);
});

test("numbers beyond all numbers are written as both formats have them", () => {
  const odd = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 1e300];
  const family: MetricFamily = {
    name: "x",
    kind: "gauge",
    help: "h",
    samples: odd.map((value) => ({ labels: {}, value })),
  };
  expect(writeMetrics([family], "prometheus").split("\n").slice(2, 6)).toEqual([
    "x +Inf",
    "x -Inf",
    "x NaN",
    "x 1e+300",
  ]);
});

test("the scraper chooses the format", () => {
  const prometheus =
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;q=0.5";
  expect(metricFormat(prometheus)).toBe("openmetrics");
  expect(metricFormat("text/plain, application/openmetrics-text")).toBe("prometheus");
  expect(metricFormat("application/openmetrics-text;q=0, text/plain")).toBe("prometheus");
  expect(metricFormat("*/*")).toBe("prometheus");
  expect(metricFormat(null)).toBe("prometheus");
});

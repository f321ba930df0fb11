/** Metric families as text: the Prometheus format 0.0.4 and OpenMetrics 1.0. Pure. */

import type { MetricFamily, MetricSample } from "../model/metric.ts";

export type MetricFormat = "prometheus" | "openmetrics";

export const metricContentTypes: Readonly<Record<MetricFormat, string>> = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** The format that a scraper's `Accept` header asks for; Prometheus' own when it says nothing known. */
export function metricFormat(accept: string | null): MetricFormat {
  for (const part of (accept ?? "").split(",")) {
    const [type, ...parameters] = part.split(";").map((piece) => piece.trim().toLowerCase());
    if (parameters.includes("q=0")) continue;
    if (type === "application/openmetrics-text") return "openmetrics";
    if (type === "text/plain" || type === "*/*") return "prometheus";
  }
  return "prometheus";
}

/** Writes the families in their order. Families and samples with the same name or labels must have been merged before. */
export function writeMetrics(families: readonly MetricFamily[], format: MetricFormat): string {
  const open = format === "openmetrics";
  let text = "";
  for (const family of families) {
    // OpenMetrics names the family of a counter without the suffix that its samples have.
    const base = family.kind === "counter" ? family.name.replace(/_total$/, "") : family.name;
    const title = open ? base : family.name;
    text += `# HELP ${title} ${escapeHelp(family.help, open)}\n# TYPE ${title} ${family.kind}\n`;
    const name = open && family.kind === "counter" ? `${base}_total` : family.name;
    for (const sample of family.samples) {
      text += family.kind === "histogram" ? histogram(name, sample, open) : plain(name, sample, open);
    }
  }
  return open ? `${text}# EOF\n` : text;
}

function plain(name: string, sample: MetricSample, open: boolean): string {
  return `${name}${labelSet(sample.labels, "")} ${number(sample.value ?? 0, open)}\n`;
}

function histogram(name: string, sample: MetricSample, open: boolean): string {
  const { bounds, counts, sum } = sample.buckets ?? { bounds: [], counts: [0], sum: 0 };
  let text = "";
  let below = 0;
  for (let index = 0; index <= bounds.length; index++) {
    below += counts[index] ?? 0;
    const bound = index === bounds.length ? "+Inf" : number(bounds[index]!, open);
    text += `${name}_bucket${labelSet(sample.labels, `le="${bound}"`)} ${below}\n`;
  }
  const labels = labelSet(sample.labels, "");
  return `${text}${name}_sum${labels} ${number(sum, open)}\n${name}_count${labels} ${below}\n`;
}

function labelSet(labels: Readonly<Record<string, string>>, last: string): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  if (last !== "") pairs.push(last);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function number(value: number, open: boolean): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return open && Number.isInteger(value) && Math.abs(value) < 1e15 ? `${value}.0` : String(value);
}

function escapeLabel(value: string): string {
  return value.replace(/[\\"\n]/g, (char) => (char === "\n" ? "\\n" : `\\${char}`));
}

function escapeHelp(value: string, open: boolean): string {
  const escaped = value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return open ? escaped.replaceAll('"', '\\"') : escaped;
}

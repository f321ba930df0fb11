/**
 * The report: one HTML page with everything in it, which asks no network for anything. First whether the run was good, then what has to
 * be known of its figures, then the plots, then the tables.
 */

import type { LoadResult, Verdict } from "../result.ts";
import { count, counted, duration, share, short } from "./format.ts";
import { data, type Markup, markup, type Piece, trusted } from "./markup.ts";
import { drawn, type Plot, pointable } from "./plot.ts";
import { clientPlots, percentilePlot, serverPlots, stepsPlot } from "./plots.ts";
import { script } from "./script.ts";
import { style } from "./style.ts";
import {
  checkTable,
  failureTable,
  generatorList,
  latencyTable,
  modelOf,
  planList,
  requestTable,
  section,
  serverTable,
  statusTable,
  stepTable,
  titled,
} from "./tables.ts";

/** The whole page. Everything that came from outside is escaped. */
export function html(result: LoadResult): string {
  const client = clientPlots(result);
  const percentile = percentilePlot(result);
  const server = serverPlots(result);
  const steps = stepsPlot(result.steps);
  const plots = [steps, ...client, percentile, ...server].filter((plot): plot is Plot => plot !== null);
  const points = Object.fromEntries(plots.map((plot) => [plot.id, pointable(plot)]));
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="headrace ${result.version}">
<title>${result.target.name}: ${verdicts[result.verdict].title}</title>
<style>${trusted(style)}</style>
</head>
<body>
${header(result)}
<main>
${thresholds(result)}
${notes(result)}
${steps === null ? null : section("The highest rate that keeps the promise", [drawn(steps), stepTable(result) ?? ""])}
${client.length === 0 && percentile === null ? null : section("What clients saw", [client.map(drawn), percentile === null ? null : drawn(percentile)])}
${result.server === null ? null : section("What the service did", [server.map(drawn), serverTable(result)])}
${latencyTable(result)}
<div class="columns">${statusTable(result)}${failureTable(result)}</div>
${requestTable(result.requests)}
${checkTable(result)}
<div class="columns">${section("The generator", generatorList(result))}${section("The plan", planList(result))}</div>
</main>
<footer>Written by headrace ${result.version} load. Latencies are counted in histograms with three significant digits.</footer>
<script type="application/json" id="points">${data(points)}</script>
<script>${trusted(script)}</script>
</body>
</html>
`.text;
}

const verdicts: Readonly<Record<Verdict, { readonly title: string; readonly tone: string }>> = {
  ok: { title: "passed", tone: "good" },
  threshold: { title: "a threshold failed", tone: "bad" },
  invalid: { title: "invalid", tone: "warn" },
  interrupted: { title: "interrupted", tone: "warn" },
};

function header(result: LoadResult): Markup {
  const { target } = result;
  const { tone } = verdicts[result.verdict];
  const [says, why] = verdict(result);
  const name = target.kind === "url" ? `${target.method} ${target.name}` : target.name;
  return markup`<header>
<p class="brand">Load report</p>
<h1>${name}</h1>
<p class="sub">${modelOf(result)} · ${duration(result.durationS * 1_000)} · ${when(result.startedAt)}</p>
<div class="verdict ${tone}"><strong>${says}</strong>${why === "" ? null : markup`<p>${why}</p>`}</div>
${tiles(result)}
</header>`;
}

function verdict(result: LoadResult): readonly [string, string] {
  const { thresholds, generator } = result;
  const failed = thresholds.filter((each) => !each.ok).length;
  const ended = result.verdict === "ok" || result.verdict === "threshold";
  if (ended && failed === 0 && result.steps.length > 0) return searched(result);
  switch (result.verdict) {
    case "ok":
      if (thresholds.length === 0) return ["Done", "No thresholds were set, so nothing could fail."];
      return [
        thresholds.length === 1 ? "The threshold was kept" : `All ${thresholds.length} thresholds were kept`,
        "",
      ];
    case "threshold":
      return [`${failed} of ${counted(thresholds.length, "threshold")} failed`, ""];
    case "invalid":
      return [
        "Invalid: the generator fell short",
        `${generator.saturated === null ? "" : `${sentence(generator.saturated)} `}The figures say little about the service.`,
      ];
    case "interrupted":
      return [
        "Interrupted",
        "The run ended before its time; the figures are of what had happened until then.",
      ];
  }
}

/** What a search for the highest rate found. */
function searched({ steps }: LoadResult): readonly [string, string] {
  const sorted = [...steps].sort((a, b) => a.rate - b.rate);
  const best = sorted.findLast((step) => step.ok);
  const above = sorted.find((step) => !step.ok && step.rate > (best?.rate ?? 0));
  const beyond =
    above === undefined ? "No higher rate was tried." : `At ${short(above.rate)}/s: ${above.why}.`;
  if (best === undefined) return ["No rate kept the promise", beyond];
  return [`${short(best.rate)}/s keeps the promise`, `p99 was ${duration(best.p99Ms)} there. ${beyond}`];
}

function tiles(result: LoadResult): Markup {
  const { totals, plan, durationS } = result;
  const { response, service } = result.latency;
  const open = plan.model === "open";
  const failed = totals.done === 0 ? 0 : totals.failed / totals.done;
  const planned = open
    ? `${short(totals.planned / Math.max(durationS, 0.001))}/s planned`
    : `${count(totals.started)} begun`;
  const tile = (name: string, value: string, more: string, alarm = false): Piece =>
    markup`<div><dt>${name}</dt><dd${alarm ? markup` class="alarm"` : null}>${value}</dd><dd>${more}</dd></div>`;
  return markup`<dl class="facts">
${tile("Begun", `${short(totals.startedPerS)}/s`, planned)}
${tile("Passed", `${short(totals.passedPerS)}/s`, `${count(totals.done - totals.failed)} requests`)}
${tile("Failed", share(failed), `${count(totals.failed)} of ${count(totals.done)}`, totals.failed > 0)}
${tile("p50", duration(response.p50Ms), open ? `service ${duration(service.p50Ms)}` : `p90 ${duration(response.p90Ms)}`)}
${tile("p99", duration(response.p99Ms), open ? `service ${duration(service.p99Ms)}` : `p95 ${duration(response.p95Ms)}`)}
${tile("Slowest", duration(response.maxMs), `p99.9 ${duration(response.p999Ms)}`)}
${plan.model === "hold" ? tile("Held", count(totals.maxConnections), `of ${counted(plan.connections, "connection")}`) : tile("Most in flight", count(totals.maxInFlight), `on ${counted(totals.maxConnections, "connection")}`)}
</dl>`;
}

function thresholds(result: LoadResult): Markup | null {
  if (result.thresholds.length === 0) return null;
  return titled(
    "Thresholds: a run fails if",
    ["", "was", ""],
    result.thresholds.map((each) => [
      markup`<code>${each.text}</code>`,
      each.was,
      each.ok ? markup`<span class="ok">✓ kept</span>` : markup`<span class="fail">✗ failed</span>`,
    ]),
  );
}

function notes(result: LoadResult): Markup | null {
  if (result.notes.length === 0) return null;
  return section(
    "What has to be known of these figures",
    markup`<ul class="notes">${result.notes.map((note) => markup`<li>${note}</li>`)}</ul>
`,
  );
}

function when(iso: string): string {
  return iso.replace("T", " ").replace(/(:\d\d)(\.\d+)?Z$/, "$1 UTC");
}

function sentence(text: string): string {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

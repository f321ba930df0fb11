/** The tables of a report, each a section with its heading; null when there is nothing to say. Pure. */

import { STATUS_CODES } from "node:http";
import { failures } from "../messages.ts";
import type { Distribution, LoadResult, RequestResult, ServerTime } from "../result.ts";
import { count, counted, digitsFor, duration, fixed, share, short, size, span } from "./format.ts";
import { type Markup, markup, type Piece } from "./markup.ts";

const DISTRIBUTION_COLUMNS: readonly (readonly [string, (distribution: Distribution) => number])[] = [
  ["min", (each) => each.minMs],
  ["mean", (each) => each.meanMs],
  ["p50", (each) => each.p50Ms],
  ["p75", (each) => each.p75Ms],
  ["p90", (each) => each.p90Ms],
  ["p95", (each) => each.p95Ms],
  ["p99", (each) => each.p99Ms],
  ["p99.9", (each) => each.p999Ms],
  ["p99.99", (each) => each.p9999Ms],
  ["max", (each) => each.maxMs],
];

export function latencyTable({ latency, plan }: LoadResult): Markup | null {
  const rows: readonly (readonly [string, string, Distribution])[] = [
    [
      "response",
      plan.model === "open"
        ? "from the intended start to the last byte: what a user waits"
        : "from sending to the last byte: what waits for a connection is not in it",
      latency.response,
    ],
    ["passed", "the same, of requests that did not fail", latency.passed],
    ["service", "from sending to the last byte", latency.service],
    ["first byte", "from sending to the first byte", latency.firstByte],
    ["connect", "making a connection, with TLS", latency.connect],
    ["lateness", "how late the generator began what was due", latency.lateness],
  ];
  const shown = rows.filter(
    // In a closed loop a request is due when it is sent: service is response, and nothing is late.
    ([name, , each]) =>
      each.count > 0 && (plan.model === "open" || (name !== "lateness" && name !== "service")),
  );
  if (shown.length === 0) return null;
  const digits = digitsFor(shown.flatMap(([, , each]) => [each.p50Ms]));
  return titled(
    "Latencies in milliseconds",
    ["", "count", ...DISTRIBUTION_COLUMNS.map(([name]) => name)],
    shown.map(([name, explained, each]) => [
      markup`${name}<small>${explained}</small>`,
      count(each.count),
      ...DISTRIBUTION_COLUMNS.map(([, pick]) => fixed(pick(each), digits)),
    ]),
  );
}

export function statusTable({ statuses }: LoadResult): Markup | null {
  const rows = Object.entries(statuses).sort(([a], [b]) => Number(a) - Number(b));
  if (rows.length === 0) return null;
  const all = rows.reduce((sum, [, each]) => sum + each, 0);
  return titled(
    "Statuses",
    ["status", "answers", "share", ""],
    rows.map(([status, each]) => [
      `${status} ${STATUS_CODES[status] ?? ""}`.trim(),
      count(each),
      share(each / all),
      bar(each / all, Number(status) >= 400 ? "bad" : ""),
    ]),
  );
}

export function failureTable({ failures: found, totals }: LoadResult): Markup | null {
  const rows = Object.entries(found)
    .filter(([, each]) => each > 0)
    .sort(([, a], [, b]) => b - a);
  if (rows.length === 0) return null;
  return titled(
    "Failures",
    ["why", "requests", "of all that ended"],
    rows.map(([why, each]) => [
      Object.hasOwn(failures, why) ? failures[why as keyof typeof failures] : why,
      count(each),
      share(totals.done === 0 ? 0 : each / totals.done),
    ]),
  );
}

export function requestTable(requests: readonly RequestResult[]): Markup | null {
  if (requests.length === 0) return null;
  const sorted = [...requests].sort((a, b) => b.done - a.done);
  const digits = digitsFor(sorted.map((each) => each.response.p50Ms));
  return titled(
    "Requests by name",
    ["name", "ended", "failed", "", "mean ms", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms"],
    sorted.map(({ name, done, failed, response }) => [
      name,
      count(done),
      alarming(failed, count(failed)),
      failed === 0 ? "" : share(done === 0 ? 0 : failed / done),
      ...[
        response.meanMs,
        response.p50Ms,
        response.p90Ms,
        response.p99Ms,
        response.p999Ms,
        response.maxMs,
      ].map((each) => fixed(each, digits)),
    ]),
  );
}

export function checkTable({ checks }: LoadResult): Markup | null {
  if (checks.length === 0) return null;
  return titled(
    "Checks",
    ["check", "passed", "failed", "kept"],
    checks.map(({ name, passed, failed }) => [
      name,
      count(passed),
      alarming(failed, count(failed)),
      share(passed + failed === 0 ? 0 : passed / (passed + failed)),
    ]),
  );
}

export function stepTable({ steps }: LoadResult): Markup | null {
  if (steps.length === 0) return null;
  return table(
    "Steps",
    ["offered/s", "passed/s", "p50", "p99", "failed", "", "why"],
    steps.map((step) => [
      count(step.rate),
      fixed(step.passedPerS, step.passedPerS < 100 ? 1 : 0),
      duration(step.p50Ms),
      duration(step.p99Ms),
      alarming(step.failedShare, share(step.failedShare)),
      step.ok ? markup`<span class="ok">✓ kept</span>` : markup`<span class="fail">✗</span>`,
      step.why,
    ]),
  );
}

export function serverTable({ server }: LoadResult): Markup | null {
  if (server === null) return null;
  const refusals = Object.entries(server.refusals)
    .filter(([, each]) => each > 0)
    .sort(([, a], [, b]) => b - a);
  const memory = server.series.reduce((most, point) => Math.max(most, point.memoryBytes), 0);
  const facts: (readonly [string, Piece] | null)[] = [
    server.service === "" ? null : ["service", server.service],
    ["asked at", markup`<code>${server.admin}</code>`],
    ["requests answered", count(server.requests)],
    ["waiting for a slot", serverTime(server.queue)],
    ["in the app", serverTime(server.run)],
    ["cold starts", count(server.coldStarts)],
    [
      "refused",
      refusals.length === 0
        ? "none"
        : refusals.map(
            ([why, each]) => markup`<span class="fail">${count(each)}</span> <code>${why}</code> `,
          ),
    ],
    memory === 0 ? null : ["most memory", size(memory)],
  ];
  return list(facts);
}

/** The buckets of its metrics say no more than what a quantile was at most. */
function serverTime({ meanMs, p50Ms, p50AtMostMs, p99Ms, p99AtMostMs }: ServerTime): string {
  const most = (guess: number, atMost: number | null) =>
    atMost === null ? `> ${duration(guess)}` : `≤ ${duration(atMost)}`;
  return `mean ${duration(meanMs)}, p50 ${most(p50Ms, p50AtMostMs)}, p99 ${most(p99Ms, p99AtMostMs)}`;
}

export function generatorList({ generator, totals, plan }: LoadResult): Markup {
  return list([
    [
      "kept up",
      generator.saturated === null ? "yes" : markup`<span class="fail">no: ${generator.saturated}</span>`,
    ],
    plan.model === "open"
      ? [
          "begun late",
          `${count(totals.late)} of ${count(totals.planned)} (more than 10 ms after they were due)`,
        ]
      : null,
    plan.model === "open" ? ["waited for a connection", count(totals.blocked)] : null,
    totals.dropped > 0 ? ["never begun", count(totals.dropped)] : null,
    ["sent again", count(totals.resent)],
    ["busiest process", `${share(generator.peakCpu)} of a core`],
    ["all processes", `${short(generator.cores)} cores, ${size(generator.peakMemoryBytes)} at most`],
    totals.opened + totals.maxConnections > 0
      ? ["connections", `${count(totals.opened)} made, ${count(totals.maxConnections)} open at most`]
      : null,
    ["bytes", `${size(totals.bytesIn)} in, ${size(totals.bytesOut)} out`],
  ]);
}

export function planList(result: LoadResult): Markup {
  const { plan, machine, target } = result;
  return list([
    [
      "target",
      markup`<code>${target.kind === "url" ? `${target.method} ${target.name}` : target.name}</code>`,
    ],
    ["model", modelOf(result)],
    plan.stages.length > 1
      ? ["stages", plan.stages.map((stage) => `${span(stage.atS)}: ${short(stage.rate)}/s`).join(", ")]
      : null,
    [
      "duration",
      result.warmupS === 0
        ? span(result.durationS)
        : `${span(result.durationS)} after ${span(result.warmupS)} of warm-up that no figure counts`,
    ],
    [
      target.kind !== "url" ? "users" : plan.model === "open" ? "connections at most" : "connections",
      count(plan.connections),
    ],
    ["processes", count(plan.processes)],
    ["timeout", duration(plan.timeoutMs)],
    ["seed", String(plan.seed)],
    [
      "machine",
      `${machine.cpus} × ${machine.cpuModel}, ${machine.kernel}${machine.local ? "; the service on the same machine" : ""}`,
    ],
    ["begun at", result.startedAt],
    ["headrace", result.version],
  ]);
}

/** How requests came, in words: `open loop, 500/s, Poisson arrivals`. */
export function modelOf({ plan, target }: LoadResult): string {
  if (plan.model === "hold") return `${count(plan.connections)} connections, opened and held`;
  if (plan.model === "closed")
    return `closed loop, ${counted(plan.connections, target.kind === "url" ? "connection" : "user")}`;
  const rates = plan.stages.map((stage) => stage.rate);
  const rate = rates.length === 0 ? "" : `, ${ranged(rates)}/s`;
  return `open loop${rate}, ${plan.arrivals === "poisson" ? "Poisson" : "constant"} arrivals`;
}

function ranged(rates: readonly number[]): string {
  const [low, high] = [Math.min(...rates), Math.max(...rates)];
  return low === high ? short(low) : `${short(low)} to ${short(high)}`;
}

/** A table whose first column names the rows. One of few columns stays narrow, so that the eye keeps the row. */
export function table(name: string, header: readonly string[], rows: readonly (readonly Piece[])[]): Markup {
  // It scrolls on a narrow screen, so the keyboard must reach it.
  return markup`<div class="table" tabindex="0" role="region" aria-label="${name}"><table${header.length < 6 ? markup` class="tight"` : null}>
<thead><tr>${header.map(heading)}</tr></thead>
<tbody>${rows.map(
    ([name, ...cells]) =>
      markup`<tr><th scope="row">${name ?? ""}</th>${cells.map((cell) => markup`<td>${cell}</td>`)}</tr>
`,
  )}</tbody></table></div>
`;
}

function heading(name: string, at: number): Markup {
  if (name === "") return markup`<td></td>`;
  return at === 0 ? markup`<th scope="col" class="text">${name}</th>` : markup`<th scope="col">${name}</th>`;
}

export function section(title: string, body: Piece): Markup {
  return markup`<section><h2>${title}</h2>
${body}</section>
`;
}

/** A section with a table. */
export function titled(
  title: string,
  header: readonly string[],
  rows: readonly (readonly Piece[])[],
): Markup {
  return section(title, table(title, header, rows));
}

function list(facts: readonly (readonly [string, Piece] | null)[]): Markup {
  return markup`<dl class="plain">${facts.map((fact) => (fact === null ? null : markup`<dt>${fact[0]}</dt><dd>${fact[1]}</dd>`))}</dl>
`;
}

function bar(part: number, tone: string): Markup {
  return markup`<span class="share ${tone}" aria-hidden="true"><i style="width:${(part * 100).toFixed(2)}%"></i></span>`;
}

function alarming(value: number, said: string): Markup {
  return value > 0 ? markup`<span class="fail">${said}</span>` : markup`<span class="soft">${said}</span>`;
}

import { describe, expect, test } from "bun:test";
import type { LoadResult } from "../result.ts";
import { html } from "./html.ts";
import type { Markup } from "./markup.ts";
import {
  checkTable,
  failureTable,
  generatorList,
  latencyTable,
  modelOf,
  planList,
  requestTable,
  serverTable,
  statusTable,
  stepTable,
} from "./tables.ts";
import { distributionOf, simulate } from "./testdata.ts";

const run = simulate({
  durationS: 20,
  medianMs: 6,
  errors: 0.02,
  stall: { everyS: 7, forS: 0.5 },
  connections: 40,
});

/** The cells of a table by the names of row and column. */
function cells(table: Markup | null): Record<string, Record<string, string>> {
  const text = (html_: string) =>
    html_
      .replaceAll(/<small>.*?<\/small>/gs, "")
      .replaceAll(/<[^>]*>/g, "")
      .replaceAll("&lt;", "<")
      .trim();
  const rows = [...(table?.text ?? "").matchAll(/<tr>(.*?)<\/tr>/gs)].map(([, row]) =>
    [...row!.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/gs)].map(([, cell]) => text(cell!)),
  );
  const [header = [], ...body] = rows;
  return Object.fromEntries(
    body.map((row) => [row[0]!, Object.fromEntries(row.map((cell, at) => [header[at]! || `#${at}`, cell]))]),
  );
}

/** What a list of facts says, by name. */
function facts(list: Markup | null): Record<string, string> {
  const pairs = [...(list?.text ?? "").matchAll(/<dt>(.*?)<\/dt><dd>(.*?)<\/dd>/gs)];
  return Object.fromEntries(
    pairs.map(([, name, value]) => [name!, value!.replaceAll(/<[^>]*>/g, "").trim()]),
  );
}

describe("tables", () => {
  test("latencies stand under their names", () => {
    const table = cells(latencyTable(run));
    for (const [name, key] of [
      ["response", "response"],
      ["passed", "passed"],
      ["service", "service"],
      ["first byte", "firstByte"],
      ["connect", "connect"],
      ["lateness", "lateness"],
    ] as const) {
      const each = run.latency[key];
      const row = table[name]!;
      expect(row["count"]).toBe(each.count.toLocaleString("en"));
      for (const [column, value] of [
        ["min", each.minMs],
        ["mean", each.meanMs],
        ["p50", each.p50Ms],
        ["p75", each.p75Ms],
        ["p90", each.p90Ms],
        ["p95", each.p95Ms],
        ["p99", each.p99Ms],
        ["p99.9", each.p999Ms],
        ["p99.99", each.p9999Ms],
        ["max", each.maxMs],
      ] as const)
        expect(Math.abs(Number(row[column]!.replace(",", "")) - value)).toBeLessThan(0.00501);
    }
    // The rows differ, or this test could not tell them apart.
    expect(table["service"]).not.toEqual(table["response"]);
  });

  test("in a closed loop there is neither service beside response nor lateness", () => {
    const loop = simulate({ durationS: 3, warmupS: 0, stages: null, connections: 4 });
    expect(Object.keys(cells(latencyTable(loop)))).toEqual(["response", "passed", "first byte", "connect"]);
  });

  test("statuses with their shares", () => {
    const table = cells(statusTable({ ...run, statuses: { "503": 250, "200": 750 } }));
    expect(table["200 OK"]).toMatchObject({ answers: "750", share: "75 %" });
    expect(table["503 Service Unavailable"]).toMatchObject({ answers: "250", share: "25 %" });
    expect(Object.keys(table)).toEqual(["200 OK", "503 Service Unavailable"]);
  });

  test("failures as sentences, the most frequent first; one that is not known by its name", () => {
    const result: LoadResult = {
      ...run,
      failures: { reset: 5, timeout: 45, novel: 1, tls: 0 },
      totals: { ...run.totals, done: 1_000 },
    };
    const table = cells(failureTable(result));
    expect(Object.keys(table)).toEqual([
      "no whole answer within the timeout",
      "the connection was reset",
      "novel",
    ]);
    expect(table["the connection was reset"]).toMatchObject({ requests: "5", "of all that ended": "0.5 %" });
  });

  test("requests by name", () => {
    const response = distributionOf(Array.from({ length: 1_000 }, (_, at) => at + 1));
    const table = cells(requestTable([{ name: "read", done: 1_000, failed: 20, response }]));
    expect(table["read"]).toMatchObject({
      ended: "1,000",
      failed: "20",
      "#3": "2 %",
      "mean ms": "500.5",
      "p50 ms": "500.2",
      "max ms": "1,000.0",
    });
  });

  test("checks and steps", () => {
    const checked = { ...run, checks: [{ name: "sum", passed: 3, failed: 1 }] };
    expect(cells(checkTable(checked))["sum"]).toMatchObject({ passed: "3", failed: "1", kept: "75 %" });
    const step = {
      rate: 800,
      passedPerS: 798.6,
      p50Ms: 4,
      p99Ms: 120,
      failedShare: 0.01,
      ok: false,
      fellShort: false,
      why: "p99<100ms",
    };
    expect(cells(stepTable({ ...run, steps: [step] }))["800"]).toMatchObject({
      "passed/s": "799",
      p50: "4 ms",
      p99: "120 ms",
      failed: "1 %",
      why: "p99<100ms",
    });
  });

  test("thresholds: what was kept and what was not", () => {
    const thresholds = [
      { text: "p99<1s", was: "900 ms", ok: true },
      { text: "errors<1%", was: "2 %", ok: false },
    ];
    const page = html({ ...run, verdict: "threshold", thresholds });
    const row = (text: string) =>
      page.slice(page.indexOf(`<code>${text}`), page.indexOf("</tr>", page.indexOf(`<code>${text}`)));
    expect(row("p99&lt;1s")).toContain("✓ kept");
    expect(row("errors&lt;1%")).toContain("✗ failed");
    expect(row("errors&lt;1%")).toContain("2 %");
  });

  test("what is empty has no table", () => {
    const empty: LoadResult = {
      ...run,
      statuses: {},
      failures: { tls: 0 },
      checks: [],
      steps: [],
      server: null,
    };
    for (const table of [
      statusTable(empty),
      failureTable(empty),
      checkTable(empty),
      stepTable(empty),
      serverTable(empty),
      requestTable([]),
    ])
      expect(table).toBeNull();
  });
});

describe("facts", () => {
  test("the generator", () => {
    const result: LoadResult = {
      ...run,
      totals: { ...run.totals, late: 12, planned: 3_456, blocked: 7, opened: 41, maxConnections: 40 },
      generator: {
        saturated: "one process used all of its core",
        peakCpu: 0.987,
        cores: 1.4,
        peakMemoryBytes: 3 * 2 ** 20,
      },
    };
    expect(facts(generatorList(result))).toMatchObject({
      "kept up": "no: one process used all of its core",
      "begun late": "12 of 3,456 (more than 10 ms after they were due)",
      "waited for a connection": "7",
      "busiest process": "98.7 % of a core",
      "all processes": "1.4 cores, 3 MiB at most",
      connections: "41 made, 40 open at most",
    });
  });

  test("the service", () => {
    const server = {
      ...run.server!,
      refusals: { queue_full: 3, deadline: 0 },
      coldStarts: 2,
      queue: { meanMs: 1, p50Ms: 0.4, p50AtMostMs: 0.5, p99Ms: 300_000, p99AtMostMs: null },
    };
    expect(facts(serverTable({ ...run, server }))).toMatchObject({
      "cold starts": "2",
      refused: "3 queue_full",
      "waiting for a slot": "mean 1 ms, p50 ≤ 500 µs, p99 &gt; 5 min",
    });
    expect(facts(serverTable({ ...run, server: { ...server, refusals: {} } }))["refused"]).toBe("none");
  });

  test("the plan, in the words of its model", () => {
    expect(facts(planList(run))).toMatchObject({
      "connections at most": "40",
      timeout: "30 s",
      duration: "20 s after 5 s of warm-up that no figure counts",
    });
    const model = (plan: Partial<LoadResult["plan"]>) => modelOf({ ...run, plan: { ...run.plan, ...plan } });
    expect(model({})).toBe("open loop, 500/s, constant arrivals");
    expect(
      model({
        arrivals: "poisson",
        stages: [
          { atS: 0, rate: 0 },
          { atS: 9, rate: 50 },
        ],
      }),
    ).toBe("open loop, 0 to 50/s, Poisson arrivals");
    expect(model({ model: "closed", connections: 64 })).toBe("closed loop, 64 connections");
    const users: LoadResult = {
      ...run,
      target: { kind: "scenario", name: "s.py", method: "" },
      plan: { ...run.plan, model: "closed", connections: 1 },
    };
    expect(modelOf(users)).toBe("closed loop, 1 user");
    expect(model({ model: "hold", connections: 50_000 })).toBe("50,000 connections, opened and held");
  });
});

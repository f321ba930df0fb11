import { describe, expect, test } from "bun:test";
import type { LoadResult, ServerPoint } from "../result.ts";
import { csv, joined } from "./csv.ts";
import { simulate } from "./testdata.ts";

const short = simulate({ durationS: 10, warmupS: 2, errors: 0.1, stages: [{ atS: 0, rate: 50 }] });

function rows(text: string): Record<string, string>[] {
  const [header = "", ...lines] = text.trimEnd().split("\r\n");
  const names = header.split(",");
  return lines.map((line) => {
    const cells = line.split(",");
    expect(cells.length).toBe(names.length);
    return Object.fromEntries(names.map((name, at) => [name, cells[at]!]));
  });
}

describe("csv", () => {
  test("a row for each point, its figures under their names", () => {
    const table = rows(csv(short));
    expect(table.length).toBe(short.series.length);
    for (const [at, point] of short.series.entries()) {
      const row = table[at]!;
      expect(row).toMatchObject({
        time_s: String(point.atS),
        warmup: String(point.warmup),
        started: String(point.started),
        done: String(point.done),
        failed: String(point.failed),
        in_flight: String(point.inFlight),
        status_200: String(point.statuses["200"] ?? 0),
        status_500: String(point.statuses["500"] ?? 0),
        server_requests: String(short.server?.series[at]?.requests),
      });
      expect(Number(row["p99_ms"])).toBeCloseTo(point.p99Ms, 5);
      expect(Number(row["server_queue_p99_ms"])).toBeCloseTo(short.server?.series[at]?.queueP99Ms ?? -1, 5);
    }
  });

  test("the columns add up to the totals of the result", () => {
    const measured = rows(csv(short)).filter((row) => row["warmup"] === "false");
    const sum = (name: string) => measured.reduce((total, row) => total + Number(row[name]), 0);
    expect([sum("done"), sum("failed"), sum("started")]).toEqual([
      short.totals.done,
      short.totals.failed,
      short.totals.started,
    ]);
  });

  test("docs/load.md names every column", async () => {
    const docs = await Bun.file(`${import.meta.dir}/../../../docs/load.md`).text();
    const names = csv(short).split("\r\n")[0]!.split(",");
    expect(names.filter((name) => !docs.includes(`\`${name}\``) && !name.startsWith("status_"))).toEqual([]);
  });

  test("without a server there are no columns of one", () => {
    const text = csv({ ...short, server: null });
    expect(text.split("\r\n")[0]).not.toContain("server");
    expect(rows(text).length).toBe(short.series.length);
  });

  test("a status that did not come in a span is 0 there", () => {
    const two = {
      ...short,
      server: null,
      series: short.series.slice(0, 2).map((point, at) => ({ ...point, statuses: { [`20${at}`]: 7 } })),
    };
    expect(rows(csv(two)).map((row) => [row["status_200"], row["status_201"]])).toEqual([
      ["7", "0"],
      ["0", "7"],
    ]);
  });

  test("every line ends in CRLF; what has a comma or a quote is quoted", () => {
    const odd: LoadResult = {
      ...short,
      server: null,
      series: [{ ...short.series[0]!, statuses: { 'a,"b"': 1 } }],
    };
    const text = csv(odd);
    expect(text).toContain('"status_a,""b"""\r\n');
    expect(text.endsWith("\r\n")).toBe(true);
    expect(text.replaceAll("\r\n", "")).not.toContain("\n");
  });
});

describe("joined", () => {
  const client = (atS: number) => ({ ...short.series[0]!, atS });
  const server = (atS: number, requests: number): ServerPoint => ({
    ...short.server!.series[0]!,
    atS,
    requests,
  });

  test("a server point belongs to the span it falls into; counts of one row add up; none is lost", () => {
    const found = joined(
      [client(1), client(2), client(3)],
      [server(0.9, 1), server(1.2, 2), server(1.9, 4), server(3.4, 8)],
    );
    expect(found.map((each) => each?.requests ?? null)).toEqual([1, 6, 8]);
    expect(joined([client(1), client(2)], [server(1.5, 3)]).map((each) => each?.requests ?? null)).toEqual([
      null,
      3,
    ]);
    expect(joined([], [server(1, 1)])).toEqual([]);
  });
});

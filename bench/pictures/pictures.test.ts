import { describe, expect, test } from "bun:test";
import { figuresOf } from "../frame/figures.ts";
import type { PartResult } from "../frame/model.ts";
import { part, results } from "../test/results.ts";
import { advantageChart, advantagesOf } from "./advantages.ts";
import { chartsOf } from "./charts.ts";
import { COLOURS, lookOf } from "./colours.ts";
import { escapeHtml } from "./escape.ts";
import { html } from "./html.ts";
import { lineChart } from "./lines.ts";
import { phaseChart } from "./phases.ts";
import { linear, logarithmic, named } from "./scale.ts";

const PLACE = { from: 0, to: 100 };

describe("scales", () => {
  test("a linear one goes from 0 to a round number", () => {
    const { ticks, at } = linear([3, 47], PLACE);
    expect(ticks).toEqual([0, 20, 40, 60]);
    expect([at(0), at(30), at(60)]).toEqual([0, 50, 100]);
    expect(linear([0.03], PLACE).ticks).toEqual([0, 0.01, 0.02, 0.03]);
    expect(linear([], PLACE).ticks.length).toBeGreaterThan(1);
  });

  test("a logarithmic one goes by powers of ten, and finds a place for 0", () => {
    const wide = logarithmic([0.5, 4_000], PLACE);
    expect(wide.ticks).toEqual([0.1, 1, 10, 100, 1_000, 10_000]);
    expect([wide.at(0.1), wide.at(10_000), wide.at(0)]).toEqual([0, 100, 0]);
    expect(logarithmic([3, 30], PLACE).ticks).toEqual([2, 5, 10, 20, 50]);
    expect(logarithmic([0], PLACE).ticks[0]).toBe(1);
  });

  test("values are named briefly", () => {
    expect([0.5, 20, 4_096, 20_000, 3e6].map(named)).toEqual(["0.5", "20", "4096", "20k", "3M"]);
  });
});

describe("pictures", () => {
  test("a chart has a line with a mark for each point, and a legend", () => {
    const chart = lineChart({
      title: "Rate & more",
      x: { label: "connections", log: true, only: [1, 64] },
      y: { label: "requests/s" },
      lines: [
        {
          name: "headrace",
          points: [
            [1, 10],
            [64, 40],
          ],
          colour: 0,
          strong: true,
        },
        { name: "<peer>", points: [[1, 20]], colour: 1 },
      ],
    });
    expect(chart.match(/<polyline/g)).toHaveLength(2);
    expect(chart.match(/<circle/g)).toHaveLength(3);
    expect(chart).toContain("<title>headrace, 64: 40</title>");
    expect(chart).toContain("Rate &amp; more");
    expect(chart).toContain("&lt;peer&gt;</li>");
    expect(chart).not.toContain("NaN");
  });

  test("what is better for Headrace lies right of 1, for rates and for latencies", () => {
    const figures = figuresOf(part());
    expect(advantagesOf(figures, "rate")).toEqual([
      { case: "app", peer: "uvicorn", median: 2, low: 1.5, high: 2.5 },
    ]);
    expect(advantagesOf(figures, "p99")).toEqual([
      { case: "app", peer: "uvicorn", median: 2, low: 2, high: 2 },
    ]);
    const chart = advantageChart("rate", advantagesOf(figures, "rate"));
    expect(chart).toContain("uvicorn: 2 (1.50 to 2.50)");
    expect(chart).not.toContain("NaN");
  });

  test("cases that differ by connections become lines", () => {
    const one = part();
    const of = (name: string) => ({
      samples: one.samples.map((sample) => ({ ...sample, case: name })),
      pairs: one.pairs.map((pair) => ({ ...pair, case: name })),
    });
    const [few, many] = [of("app, 1 connection"), of("app, 4096 connections")];
    const both: PartResult = {
      ...one,
      samples: [...few.samples, ...many.samples],
      pairs: [...few.pairs, ...many.pairs],
    };
    const titles = chartsOf(both).map((chart) => /<figcaption>([^<]*)/.exec(chart)?.[1]);
    expect(titles).toEqual([
      "app: requests a second",
      "app: p99 by load",
      "made-up: rate, against each peer",
      "made-up: p99, against each peer",
    ]);
  });

  test("curves become pictures, one for each case and unit", () => {
    const curve = (stack: string, name: string, unit: string) => ({
      case: "flood",
      stack,
      name,
      unit,
      points: [
        [0, 1],
        [1, 2],
      ] as const,
    });
    const series = [
      curve("headrace", "good", "/s"),
      curve("headrace", "offered", "/s"),
      curve("uvicorn", "memory", "MiB"),
    ];
    const charts = chartsOf({ ...part(), series });
    expect(charts[0]).toContain("offered</li>");
    expect(charts[1]).toContain("memory, MiB");
  });

  test("phases of a start fill its bar; what is left of the wait is named", () => {
    const ms = (value: number) => ({ median: value, low: value, high: value, rounds: 1 });
    const about = { unit: "ms", better: "less" as const, about: "" };
    const values = { total: 20, wait: 10, fork: 2, boot: 5, app: 8 };
    const figures = Object.entries(values).map(([metric, value]) => ({
      part: "cold-start",
      case: "app",
      stack: "headrace",
      metric,
      about,
      value: ms(value),
      against: null,
    }));
    const chart = phaseChart("phases", figures) ?? "";
    expect([...chart.matchAll(/<title>([^<]*)/g)].map((match) => match[1])).toEqual([
      "fork 2 ms",
      "boot 5 ms",
      "rest of the wait 3 ms",
      "app 8 ms",
    ]);
    expect(chart).toContain("headrace: 20 ms");
    expect(phaseChart("none", figuresOf(part()))).toBeNull();
  });

  test("a server has one look, whatever the picture; Headrace's is its own", () => {
    expect(lookOf("headrace")).toEqual({ colour: 0, dashed: false, strong: true });
    expect(lookOf("headrace, 2 instances")).toEqual({ colour: 0, dashed: true, strong: true });
    const others = [
      "uvicorn",
      "granian",
      "nginx, 2 uvicorn",
      "gunicorn gthread",
      "hypercorn",
      "functions-framework",
      "Ray Serve",
    ];
    const colours = others.map((name) => lookOf(name).colour);
    expect(new Set([0, ...colours]).size).toBe(COLOURS);
  });
});

describe("the page", () => {
  const page = html({ ...results([part()]), label: "<before>" });

  test("needs nothing else, and follows the reader's light or dark", () => {
    expect(page).not.toMatch(/<script|<link|src=|url\(|@import|https?:/);
    expect(page).toContain("prefers-color-scheme: dark");
    expect(page).toContain('<meta charset="utf-8">');
  });

  test("has figures, bars, faults, commands, versions and what is missing", () => {
    for (const words of [
      "Headrace, 2026-01-02: &lt;before&gt;",
      "missing: Granian: no wheel",
      "reached: app, headrace: p99 5 ms, at most 10",
      "app, uvicorn, round 4 does not count: 3 of 9 failed",
      "bench/.venv/bin/uvicorn app:app",
      "<small>2 x (1.50 to 2.50)</small>",
      "uvicorn 0.1",
    ])
      expect(page).toContain(words);
  });

  test("every element is closed", () => {
    const open: string[] = [];
    const alone = new Set(["meta", "!doctype", "line", "circle", "polyline", "rect"]);
    for (const [, slash, name = "", end] of page.matchAll(/<(\/?)([!\w]+)[^>]*?(\/?)>/g)) {
      if (slash === "/") expect(open.pop()).toBe(name);
      else if (!alone.has(name) && end !== "/") open.push(name);
    }
    expect(open).toEqual([]);
  });

  test("text cannot become markup", () => {
    expect(escapeHtml(`<a href="x">&'`)).toBe("&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
  });
});

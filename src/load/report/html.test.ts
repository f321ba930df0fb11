import { describe, expect, test } from "bun:test";
import { Histogram } from "../histogram.ts";
import type { LoadResult } from "../result.ts";
import { html } from "./html.ts";
import { HEIGHT, type Plot, path, WIDTH } from "./plot.ts";
import { clientPlots, percentilePlot, serverPlots, stepsPlot } from "./plots.ts";
import { simulate, simulateSteps } from "./testdata.ts";

const run = simulate({
  durationS: 30,
  medianMs: 6,
  stall: { everyS: 10, forS: 1 },
  errors: 0.01,
  connections: 50,
});

/** The points of path data, as positions 0 to 1, y upwards. */
function points(d: string): { x: number; y: number }[] {
  return [...d.matchAll(/L(-?[\d.]+) (-?[\d.]+)/g)].map(([, x, y]) => ({
    x: Number(x) / WIDTH,
    y: 1 - Number(y) / HEIGHT,
  }));
}

/** The value that lies at a height, by the plot's own ticks: what a reader with a ruler would say. */
function readOff(plot: Plot, y: number): number {
  const { from, to, kind } = plot.y;
  return kind === "log" ? from * (to / from) ** y : from + (to - from) * y;
}

function line(plot: Plot, name: string): readonly number[] {
  return plot.lines.find((each) => each.name === name)!.values;
}

function plotOf(plots: readonly (Plot | null)[], id: string): Plot {
  return plots.find((plot) => plot?.id === id)!;
}

describe("plots", () => {
  test("a reader with a ruler finds the figures of the series", () => {
    const plots = clientPlots(run);
    const latency = plotOf(plots, "latency");
    expect(latency.y.kind).toBe("log");
    const read = points(path(latency, line(latency, "p99")));
    const said = run.series.filter((point) => point.done > 0);
    expect(read.length).toBe(said.length);
    for (const [at, point] of said.entries()) {
      expect(read[at]!.x * latency.x.to).toBeCloseTo(point.atS - 0.5, 1);
      expect(Math.abs(readOff(latency, read[at]!.y) / point.p99Ms - 1)).toBeLessThan(0.002);
    }
    const rate = plotOf(plots, "rate");
    const passed = points(path(rate, line(rate, "passed")));
    for (const [at, point] of run.series.entries())
      expect(readOff(rate, passed[at]!.y)).toBeCloseTo(point.done - point.failed, 0);
  });

  test("rates are per second however long a point spans", () => {
    const wide: LoadResult = {
      ...run,
      series: run.series.map((point) => ({ ...point, atS: point.atS * 4, spanS: 4 })),
    };
    expect(line(plotOf(clientPlots(wide), "rate"), "begun")).toEqual(
      run.series.map((point) => point.started / 4),
    );
  });

  test("a span in which nothing ended is a gap, not a latency of nothing", () => {
    const quiet = {
      ...run,
      series: run.series.map((point, at) => (at === 7 ? { ...point, done: 0, p50Ms: 0, p99Ms: 0 } : point)),
    };
    const latency = plotOf(clientPlots(quiet), "latency");
    expect(line(latency, "p50")[7]).toBeNaN();
    const pieces = (plot: Plot) => path(plot, line(plot, "p50")).split("M").length;
    expect(pieces(latency)).toBe(pieces(plotOf(clientPlots(run), "latency")) + 1);
  });

  test("both sides share the time axis, the longer of the two", () => {
    const later = {
      ...run,
      server: { ...run.server!, series: [...run.server!.series, { ...run.server!.series[0]!, atS: 41 }] },
    };
    for (const plot of [...clientPlots(later), ...serverPlots(later)]) expect(plot.x.to).toBe(41);
  });

  test("the percentile plot is the histogram's, and shows what counting from sending leaves out", () => {
    const plot = percentilePlot(run)!;
    const response = Histogram.fromBase64(run.latency.response.hdr);
    const [service, whole] = [
      line(plot, "service, from sending"),
      line(plot, "response, from the intended start"),
    ];
    for (const [at, p] of plot.xs.entries()) {
      // The last point is the largest value of all; its share is that of all but one.
      if (at < plot.xs.length - 1)
        expect(Math.abs(whole[at]! / (response.percentile(p * 100) / 1_000) - 1)).toBeLessThan(0.002);
      expect(whole[at]!).toBeGreaterThanOrEqual(service[at]! * 0.99);
      if (at > 0) expect(whole[at]!).toBeGreaterThanOrEqual(whole[at - 1]!);
    }
    expect(whole.at(-1)).toBe(run.latency.response.maxMs);
    const at95 = plot.xs.findIndex((p) => p >= 0.95);
    expect(whole[at95]! / service[at95]!).toBeGreaterThan(1.5);
    expect(plot.hint).toContain("coordinated omission");
    expect(percentilePlot(simulate({ durationS: 5 }))?.hint).toBe("");
  });

  test("steps lie at their rate and p99, kept ones apart from others", () => {
    const steps = simulateSteps(4_000);
    const plot = stepsPlot(steps)!;
    expect(plot.xs).toEqual(steps.map((step) => step.rate).sort((a, b) => a - b));
    expect(line(plot, "kept the promise").filter((value) => !Number.isNaN(value)).length).toBe(
      steps.filter((step) => step.ok).length,
    );
    for (const step of steps)
      expect(line(plot, step.ok ? "kept the promise" : "did not")).toContain(step.p99Ms);
  });
});

describe("the page", () => {
  test("what comes from outside cannot become markup", () => {
    const evil = `</script></style><script>alert(1)</script><img src=x onerror="alert(1)">'"&`;
    const distribution = run.latency.response;
    const page = html({
      ...run,
      version: evil,
      target: { kind: "url", name: evil, method: evil },
      startedAt: evil,
      notes: [evil],
      thresholds: [{ text: evil, was: evil, ok: false }],
      statuses: { [evil]: 1 },
      failures: { [evil]: 1 },
      requests: [{ name: evil, done: 1, failed: 1, response: distribution }],
      checks: [{ name: evil, passed: 1, failed: 1 }],
      generator: { ...run.generator, saturated: evil },
      machine: { ...run.machine, cpuModel: evil, kernel: evil },
      server: { ...run.server!, admin: evil, service: evil, refusals: { [evil]: 1 } },
      steps: simulateSteps(10).map((step) => ({ ...step, why: evil })),
      verdict: "invalid",
    });
    expect(page).toContain("&lt;script&gt;alert(1)");
    expect(page).not.toContain("<script>alert");
    expect(page).not.toContain("<img");
    // Our own two scripts and one style sheet, and nothing that ends one of them early.
    expect([
      page.split("<script").length,
      page.split("</script>").length,
      page.split("</style>").length,
    ]).toEqual([3, 3, 2]);
    // A real parser finds nothing either.
    const found: string[] = [];
    new HTMLRewriter()
      .on("*", {
        element(element) {
          found.push(element.tagName);
          for (const [name] of element.attributes) if (name.startsWith("on")) found.push(name);
        },
      })
      .transform(page);
    expect(found.filter((name) => name === "script").length).toBe(2);
    expect(found.filter((name) => name === "img" || name.startsWith("on"))).toEqual([]);
  });

  test("asks nothing of the network", () => {
    const page = html(run);
    expect(page).not.toMatch(/<link|<img|<iframe|@import|url\(|\ssrc=|\shref=|fetch\(|XMLHttpRequest/);
  });

  test("says the same of the points that the series does", () => {
    const page = html(run);
    const json = /<script type="application\/json" id="points">(.*?)<\/script>/s.exec(page)![1]!;
    const { latency } = JSON.parse(json);
    expect(latency.lines[1].values).toEqual(
      run.series.map((point) => (point.done > 0 ? Number(point.p99Ms.toPrecision(4)) : null)),
    );
    expect(latency.xs).toEqual(run.series.map((point) => point.atS - 0.5));
    // The page's legend and the data name as many lines: the script pairs them by place.
    for (const [id, plot] of Object.entries<{ lines: unknown[] }>(JSON.parse(json))) {
      const figure = page.slice(page.indexOf(`id="${id}-title"`), page.indexOf(`data-plot="${id}"`));
      expect(figure.split("<output>").length - 1).toBe(plot.lines.length);
    }
  });

  test("the verdict and its thresholds come first", () => {
    const page = html({
      ...run,
      verdict: "threshold",
      thresholds: [
        { text: "p99>200ms", was: "911 ms", ok: false },
        { text: "errors>5%", was: "1 %", ok: true },
      ],
    });
    const order = [
      "1 of 2 thresholds failed",
      "p99&gt;200ms",
      "the figures are relative",
      'data-plot="rate"',
      "Latencies in milliseconds",
      "The plan",
    ];
    const places = order.map((words) => page.indexOf(words));
    expect(places.every((place) => place > 0)).toBe(true);
    expect(places).toEqual([...places].sort((a, b) => a - b));
  });

  test("every plot has a title and a description, every table names its rows and columns", () => {
    const page = html({ ...run, steps: simulateSteps(100) });
    const svgs = page.split("<svg").slice(1);
    expect(svgs.length).toBe(8);
    for (const svg of svgs)
      expect(svg).toMatch(/^[^>]*role="img"[^>]*>\s*<title>[^<]+<\/title><desc id="[^"]+">[^<]{10,}<\/desc>/);
    for (const table of page.split("<table").slice(1)) {
      expect(table).toContain('scope="col"');
      expect(table).toContain('scope="row"');
      expect(table.slice(0, table.indexOf("</table>"))).not.toMatch(/<th>/);
    }
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("a run in which nothing happened, and one of a single point, still give a page without NaN", () => {
    const nothing = simulate({ durationS: 1, warmupS: 0, stages: [{ atS: 0, rate: 0 }], server: false });
    const empty = { ...nothing, series: [] };
    const one = simulate({ durationS: 1, warmupS: 0 });
    for (const result of [nothing, empty, one]) {
      const page = html(result);
      expect(page).not.toMatch(/NaN|Infinity|undefined/);
      expect(page).toContain("</html>");
    }
  });

  test("an hour stays small", () => {
    const hour = simulate({ durationS: 3_600, warmupS: 0, stages: [{ atS: 0, rate: 20 }] });
    expect(hour.series.length).toBe(1_200);
    expect(html(hour).length).toBeLessThan(600_000);
  });
});

import { describe, expect, test } from "bun:test";
import { Histogram } from "../histogram.ts";
import type { LoadResult } from "../result.ts";
import { duration, short } from "./format.ts";
import { html } from "./html.ts";
import { alone, closed, HEIGHT, type Plot, path, WIDTH, withoutFoot } from "./plot.ts";
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
    for (const [name, key] of [
      ["p50", "p50Ms"],
      ["p95", "p95Ms"],
      ["max", "maxMs"],
    ] as const)
      expect(line(latency, name).filter((value) => !Number.isNaN(value))).toEqual(
        said.map((point) => point[key]),
      );
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

  test("a span in which nothing was answered is a gap, not a latency of nothing", () => {
    const quiet = {
      ...run,
      series: run.series.map((point, at) => (at === 7 ? { ...point, p50Ms: 0, p99Ms: 0, maxMs: 0 } : point)),
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

  test("an area is filled down to the foot, piece by piece, and nothing is drawn along it", () => {
    expect(withoutFoot([0, 0, 3, 0, 0, 0, 1])).toEqual([Number.NaN, 0, 3, 0, Number.NaN, 0, 1]);
    expect(closed("M10 20L10 20L30 40M50 60L50 60")).toBe(
      `M10 ${HEIGHT}L10 20L10 20L30 40L30 ${HEIGHT}ZM50 ${HEIGHT}L50 60L50 60L50 ${HEIGHT}Z`,
    );
  });

  test("a point between two gaps is a dot", () => {
    expect(alone("M10 20L10 20M30 40L30 40L50 60M70 80L70 80")).toBe("M10 20h0M70 80h0");
    const gaps = {
      ...run,
      series: run.series.map((point, at) => (at % 2 === 0 ? point : { ...point, maxMs: 0 })),
    };
    const page = html(gaps);
    expect(page.slice(page.indexOf('id="latency-title"'), page.indexOf('id="open-title"'))).toContain(
      "dot small",
    );
  });

  test("the warm-up is marked, and the time in which nothing was begun any more", () => {
    expect(clientPlots({ ...run, durationS: 20 })[0]!.shades).toEqual([
      { from: 0, to: 5, label: "warm-up" },
      { from: 25, to: 35, label: "waiting for the rest" },
    ]);
    expect(clientPlots(run)[0]!.shades.map((shade) => shade.label)).toEqual(["warm-up"]);
  });

  test("without failures there is no line of them, in a closed loop none of a plan", () => {
    const names = (result: LoadResult) => plotOf(clientPlots(result), "rate").lines.map((each) => each.name);
    expect(names(run)).toEqual(["failed", "", "planned", "begun", "passed"]);
    const loop = simulate({ stages: null, connections: 2, durationS: 5, server: false });
    expect(names(loop)).toEqual(["begun", "passed"]);
    expect(percentilePlot(loop)?.lines.map((each) => each.name)).toEqual(["response, from sending"]);
  });

  test("what the service did is drawn as it was said", () => {
    const plots = serverPlots(run);
    const server = run.server!.series;
    expect(line(plotOf(plots, "instances"), "ready")).toEqual(server.map((point) => point.ready));
    expect(line(plotOf(plots, "work"), "waiting in the line")).toEqual(server.map((point) => point.waiting));
    expect(line(plotOf(plots, "work"), "running")).toEqual(server.map((point) => point.running));
    expect(line(plotOf(plots, "queue"), "waiting in the line, p99")).toEqual(
      server.map((point) => point.queueP99Ms),
    );
    const refusing = {
      ...run,
      server: {
        ...run.server!,
        series: server.map((point, at) => ({ ...point, atS: 2 * at + 2, refused: at })),
      },
    };
    expect(line(plotOf(serverPlots(refusing), "refused"), "refused")).toEqual(server.map((_, at) => at / 2));
    expect(serverPlots({ ...run, server: null })).toEqual([]);
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

  test("a search says the highest rate first", () => {
    const page = html({ ...run, steps: simulateSteps(4_000) });
    expect(page).toContain(
      "<strong>3,750/s keeps the promise</strong><p>p99 was 97 ms there. At 4,000/s: p99&lt;100ms.</p>",
    );
    expect(html({ ...run, steps: simulateSteps(4_000).map((step) => ({ ...step, ok: false })) })).toContain(
      "No rate kept the promise",
    );
  });

  test("the script runs, and points at the same moment in every plot over time", async () => {
    const page = html(run);
    const source = page.slice(page.lastIndexOf("<script>") + 8, page.lastIndexOf("</script>"));
    const points = JSON.parse(/id="points">(.*?)<\/script>/s.exec(page)![1]!);
    const frames = Object.keys(points).map((id) => frame(id, points[id].lines.length));
    const document = {
      getElementById: () => ({ textContent: JSON.stringify(points) }),
      querySelectorAll: () => frames,
    };
    new Function("document", source)(document);
    const latency = frames.find((each) => each.dataset.plot === "latency")!;
    latency.listeners["pointermove"]!({ clientX: 100 + 500 * (10.5 / 35) });
    const point = run.series.find((each) => each.atS === 11)!;
    expect(latency.label.textContent).toBe("10.5 s");
    expect(latency.outputs[1]!.textContent).toBe(duration(point.p99Ms));
    const rate = frames.find((each) => each.dataset.plot === "rate")!;
    expect(rate.outputs.at(-1)!.textContent).toBe(`${short(point.done - point.failed)}/s`);
    expect(frames.find((each) => each.dataset.plot === "percentiles")!.cursor.style["display"]).toBe("none");
    latency.listeners["pointerleave"]!({ clientX: 0 });
    expect(frames.every((each) => each.cursor.style["display"] === "none")).toBe(true);
  });

  test("an hour stays small", () => {
    const hour = simulate({ durationS: 3_600, warmupS: 0, stages: [{ atS: 0, rate: 20 }] });
    expect(hour.series.length).toBe(1_200);
    expect(html(hour).length).toBeLessThan(600_000);
  });
});

/** As much of an element as the script touches. */
function frame(id: string, lines: number) {
  const outputs = Array.from({ length: lines }, () => ({ textContent: "" }));
  const label = { textContent: "" };
  const cursor = { style: {} as Record<string, string>, firstChild: label };
  const listeners: Record<string, (event: { clientX: number }) => void> = {};
  const field = {
    addEventListener: (name: string, listener: (event: { clientX: number }) => void) => {
      listeners[name] = listener;
    },
    getBoundingClientRect: () => ({ left: 100, width: 500 }),
  };
  return {
    dataset: { plot: id },
    parentElement: { querySelectorAll: () => outputs },
    querySelector: (selector: string) => (selector === ".field" ? field : cursor),
    outputs,
    label,
    cursor,
    listeners,
  };
}

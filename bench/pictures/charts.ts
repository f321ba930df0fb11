/** Which pictures a part has. Pure. */
import { type Figure, figuresOf } from "../frame/figures.ts";
import type { PartResult } from "../frame/model.ts";
import { advantageChart, advantagesOf } from "./advantages.ts";
import { lookOf } from "./colours.ts";
import { type Line, lineChart } from "./lines.ts";
import { phaseChart } from "./phases.ts";

/** Titles of the figures by which a part is summed up, where its peers are compared. */
const SUMMED: Readonly<Record<string, string>> = {
  rate: "rate",
  cpu: "CPU",
  p99: "p99",
  beside: "p99 beside slow requests",
  rest: "memory at rest",
  load: "memory under load",
  total: "time to the first byte",
  good5: "answered in time at five times the capacity",
  memory: "memory",
};
/** More rows make a picture nobody reads: then each case has its own. */
const ROWS = 16;

export function chartsOf(part: PartResult): string[] {
  const figures = figuresOf(part);
  const phases = phaseChart(`${part.name} by phase`, figures);
  return [
    ...byLoad(figures),
    ...overTime(part),
    ...(phases === null ? [] : [phases]),
    ...advantageCharts(part, figures),
  ];
}

function advantageCharts(part: PartResult, figures: readonly Figure[]): string[] {
  return Object.entries(SUMMED).flatMap(([metric, words]) => {
    if (part.metrics[metric] === undefined) return [];
    const all = advantagesOf(figures, metric);
    if (all.length === 0) return [];
    const title = `${part.name}: ${words}, against each peer`;
    if (all.length <= ROWS) return [advantageChart(title, all)];
    const groups = Map.groupBy(all, (each) => each.case.split(",")[0] ?? "");
    return [...groups].map(([name, some]) => advantageChart(`${name}: ${words}, against each peer`, some));
  });
}

/** Cases whose name ends with a number of connections are the points of a line. */
function byLoad(figures: readonly Figure[]): string[] {
  const loads = figures.flatMap((figure) => {
    const [, app, connections] = /^(.*), ([\d,]+) connections?$/.exec(figure.case) ?? [];
    return app === undefined
      ? []
      : [{ ...figure, app, connections: Number(connections?.replaceAll(",", "")) }];
  });
  const counts = [...new Set(loads.map(({ connections }) => connections))].sort((a, b) => a - b);
  if (counts.length < 2) return [];
  const x = { label: "connections", log: true, only: counts };
  return [...new Set(loads.map(({ app }) => app))].flatMap((app) => {
    const some = loads.filter((each) => each.app === app);
    const lines = (metric: string) =>
      linesOf(
        some
          .filter((each) => each.metric === metric)
          .map((each) => [each.stack, each.connections, each.value.median] as const),
      );
    return [
      lineChart({ title: `${app}: requests a second`, x, y: { label: "requests/s" }, lines: lines("rate") }),
      lineChart({ title: `${app}: p99 by load`, x, y: { label: "p99, ms", log: true }, lines: lines("p99") }),
    ];
  });
}

function linesOf(points: readonly (readonly [stack: string, x: number, y: number])[]): Line[] {
  return [...Map.groupBy(points, ([stack]) => stack)].map(([name, some]) => ({
    name,
    ...lookOf(name),
    points: some.map(([, x, y]) => [x, y] as const).sort(([a], [b]) => a - b),
  }));
}

/** Of what has curves: memory, goodput. */
function overTime({ name: part, series }: PartResult): string[] {
  const pictures = Map.groupBy(series, ({ case: name, unit }) => `${name}\n${unit}`);
  return [...pictures].map(([key, some]) => {
    const [name = "", unit = ""] = key.split("\n");
    const what = unit === "/s" ? "answered in time, per second due" : `${some[0]?.name}, ${unit}`;
    const lines = some.map(
      ({ stack, name: curve, points }): Line =>
        curve === "offered"
          ? { name: "offered", points, colour: 7, dashed: true }
          : { name: stack, points, ...lookOf(stack) },
    );
    // What was offered goes off the picture where it is many times what can be done.
    const log = unit === "/s";
    return lineChart({ title: `${part}, ${name}`, x: { label: "seconds" }, y: { label: what, log }, lines });
  });
}

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { defaultSettings } from "./settings.ts";
import { seededRandom } from "./simulate/random.ts";
import { readTrace, type Trace } from "./simulate/trace.ts";
import type { SimulationOptions } from "./simulate/world.ts";
import { simulate } from "./simulate.ts";

// A loaded machine may take its time.
setDefaultTimeout(60_000);

function trace(text: string): Trace {
  const read = readTrace(text);
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.trace;
}

type More = Omit<Partial<SimulationOptions>, "settings"> & {
  readonly settings?: Partial<SimulationOptions["settings"]>;
};

function options({ settings, ...more }: More = {}): SimulationOptions {
  return {
    settings: { ...defaultSettings, concurrency: 10, ...settings },
    serviceTimeMs: 100,
    serviceCv: 1,
    startTimeMs: 100,
    lineDepth: "auto",
    lineWaitMs: 10_000,
    seed: 1,
    even: false,
    model: "auto",
    intervalMs: 10_000,
    ...more,
  };
}

const steady = trace("time_s,rate\n0,300\n300,300");
/** Everything fixed: a number of instances that does not change. */
const fixed = (count: number) => ({ minInstances: count, maxInstances: count });

describe("the fluid model", () => {
  test("takes long steps while nothing changes, and says the same", () => {
    // Rows of a tenth of a second keep the steps short.
    const quiet = trace("time_s,rate\n0,300\n60,300\n120,500\n180,300\n360,300");
    const counts = ["time_s,rate"];
    for (let tenth = 0; tenth < 5_400; tenth += 1) {
      counts.push(`${tenth / 10},${tenth >= 1_200 && tenth < 1_800 ? 500 : 300}`);
    }
    const short = trace(counts.join("\n"));
    const summary = (of: Trace) => simulate(of, options({ model: "fluid" })).summary;
    const [one, other] = [summary(quiet), summary(short)];
    for (const name of [
      "arrived",
      "admitted",
      "mostInstances",
      "starts",
      "stops",
      "directionChanges",
    ] as const)
      expect([name, one[name]]).toEqual([name, other[name]]);
    expect(one.instanceSeconds / other.instanceSeconds).toBeCloseTo(1, 2);
    expect(one.utilization / other.utilization).toBeCloseTo(1, 2);
  });
});

describe("both models", () => {
  const models = ["events", "fluid"] as const;

  test.each(models)("%s: every request is served, refused, or still waits", (model) => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const random = seededRandom(seed);
      const rows = Array.from(
        { length: 8 },
        (_, index) => `${index * 15},${Math.floor(random.exponential(150))}`,
      );
      const report = simulate(
        trace(`time_s,rate\n${rows.join("\n")}`),
        options({
          model,
          seed,
          startTimeMs: random.next() < 0.5 ? 100 : 8_000,
          lineDepth: random.next() < 0.5 ? 40 : "auto",
          lineWaitMs: random.next() < 0.5 ? 500 : 10_000,
          settings: { maxInstances: 3 },
        }),
      );
      const { arrived, admitted, refusedLineFull, refusedWaitedTooLong, stillWaiting } = report.summary;
      const sum = admitted + refusedLineFull + refusedWaitedTooLong + stillWaiting;
      // A fluid's parts are rounded one by one.
      expect(Math.abs(arrived - sum)).toBeLessThanOrEqual(model === "events" ? 0 : 2);
      expect(report.summary.mostInstances).toBeGreaterThan(0);
      expect(report.summary.utilization).toBeLessThanOrEqual(1.2);
      for (const row of report.timeline) expect(row.desired).toBeLessThanOrEqual(3);
    }
  });

  test.each(models)("%s: Little's law holds for what it measures", (model) => {
    const { summary, timeline } = simulate(steady, options({ model, settings: fixed(6) }));
    const rows = timeline.slice(3);
    const running = rows.reduce((sum, row) => sum + row.running, 0) / rows.length;
    const rate = rows.reduce((sum, row) => sum + row.arrivalsPerSecond, 0) / rows.length;
    expect(Math.abs(running / (rate * 0.1) - 1)).toBeLessThan(0.03);
    expect(summary.refusedLineFull + summary.refusedWaitedTooLong).toBe(0);
  });

  test.each(models)("%s: twice the load is served as far as the slots go, the rest is refused", (model) => {
    // 3 x 10 slots of 100 ms are 300 requests/s.
    const load = trace("time_s,rate\n0,600\n100,600");
    const { summary } = simulate(load, options({ model, settings: { ...fixed(3), initialScale: 3 } }));
    expect(Math.abs(summary.admitted / (300 * 200) - 1)).toBeLessThan(0.03);
    expect(Math.abs(summary.refusedLineFull / (300 * 200) - 1)).toBeLessThan(0.03);
    // A line of 300 in front of 300 requests/s is a second long.
    expect(Math.abs(summary.waitMs.p50 / 1_000 - 1)).toBeLessThan(0.1);
    expect(summary.utilization).toBeGreaterThan(0.97);
  });

  test.each(models)("%s: no wait is longer than the longest wait", (model) => {
    const load = trace("time_s,rate\n0,600\n30,600");
    const more = { model, lineWaitMs: 400, settings: fixed(3) };
    const { summary } = simulate(load, options(more));
    expect(summary.refusedWaitedTooLong).toBeGreaterThan(1_000);
    expect(summary.waitMs.max).toBeLessThanOrEqual(400 + 50);
  });

  test("agree on what a flood takes", () => {
    const flood = trace("time_s,rate\n0,50\n60,2000\n180,50\n300,50");
    const [events, fluid] = models.map(
      (model) => simulate(flood, options({ model, startTimeMs: 1_500 })).summary,
    );
    const near = (a: number, b: number, share: number) => expect(Math.abs(a / b - 1)).toBeLessThan(share);
    near(fluid!.arrived, events!.arrived, 0.02);
    near(fluid!.admitted, events!.admitted, 0.02);
    near(fluid!.instanceSeconds, events!.instanceSeconds, 0.15);
    near(fluid!.mostInstances, events!.mostInstances, 0.15);
  });
});

describe("a run", () => {
  const flood = trace("time_s,rate\n0,0\n10,50\n40,500\n80,50\n120,0\n240,0");

  test("is the same for the same seed, and another for another", () => {
    const run = (seed: number) => simulate(flood, options({ seed }));
    expect(run(7)).toEqual(run(7));
    expect(run(7).summary).not.toEqual(run(8).summary);
  });

  test("goes to zero, and the timeline adds up", () => {
    const { summary, timeline, decisions } = simulate(flood, options());
    expect(timeline.at(-1)!.ready).toBe(0);
    expect(decisions.at(-1)).toMatchObject({ rule: "zero", desired: 0, action: "stop" });
    const sum = (value: (row: (typeof timeline)[number]) => number) =>
      timeline.reduce((total, row) => total + value(row), 0);
    expect(sum((row) => row.instanceSeconds)).toBeCloseTo(summary.instanceSeconds, 3);
    expect(sum((row) => (row.arrivalsPerSecond * (row.toMs - row.fromMs)) / 1_000)).toBeCloseTo(
      summary.arrived,
      3,
    );
    expect(sum((row) => (row.needed * (row.toMs - row.fromMs)) / 1_000)).toBeCloseTo(
      summary.neededInstanceSeconds,
      3,
    );
    expect(Math.max(...timeline.map((row) => row.mostInstances))).toBe(summary.mostInstances);
    // 50/s for 30 s and 40 s need 1, 500/s for 40 s need 8.
    expect(summary.neededInstanceSeconds).toBeCloseTo(30 + 8 * 40 + 40, 6);
    expect(summary.starts).toBe(summary.stops);
  });

  test("wakes from zero for the first request", () => {
    const load = trace("time_s,arrivals\n0,0\n200,1\n201,0");
    const { summary, decisions } = simulate(load, options({ startTimeMs: 250 }));
    expect([summary.arrived, summary.admitted]).toEqual([1, 1]);
    expect(summary.waitMs.max).toBeCloseTo(250, 0);
    expect(decisions.map(({ rule }) => rule)).toContain("zero");
    expect(decisions.at(-1)).toMatchObject({ trigger: "burst", desired: 1 });
  });

  test("bursts shorten the waits of a flood", () => {
    const p99 = (cheapStartMs: number) =>
      simulate(flood, options({ startTimeMs: 50, settings: { cheapStartMs } })).summary.waitMs.max;
    expect(p99(1_000)).toBeLessThan(p99(0) / 5);
  });

  test("follows ten thousand instances as a fluid", () => {
    const load = trace("time_s,rate\n0,100000\n120,4000000\n600,100000\n900,0\n1200,0");
    const big = { settings: { concurrency: 80, maxInstances: 10_000 } };
    const { model, summary } = simulate(load, options(big));
    expect(model).toBe("fluid");
    // 400,000 slots in use at 70 % of 80.
    expect(summary.mostInstances).toBeGreaterThanOrEqual(7_143);
    expect(summary.mostInstances).toBeLessThanOrEqual(10_000);
    expect(summary.admitted / summary.arrived).toBeGreaterThan(0.999);
  });

  test("a service time that the trace brings is taken", () => {
    const needed = (text: string) => simulate(trace(text), options()).summary.neededInstanceSeconds;
    expect(needed("time_s,rate,service_ms\n0,100,\n60,100,700\n120,100,700")).toBeCloseTo(
      60 * 2 + 120 * 10,
      6,
    );
  });

  test("rows are as long as asked for, else round and about thirty", () => {
    const rows = (intervalMs: number | null) =>
      simulate(flood, options({ intervalMs })).timeline.map(({ toMs, fromMs }) => toMs - fromMs);
    expect(rows(100_000)).toEqual([100_000, 100_000, 100_000, 60_000]);
    expect(
      rows(null)
        .slice(0, -1)
        .every((ms) => ms === 15_000),
    ).toBe(true);
  });
});

describe("the worked example of the docs", () => {
  const page = readFileSync(join(import.meta.dir, "../../docs/autoscaler.md"), "utf8");
  const csv = /\n {4}time_s,rate\n(?: {4}[\d,]+\n)+/.exec(page)?.[0] ?? "";
  const flood = trace(csv.replaceAll(/^ {4}/gm, ""));
  const run = (startTimeMs: number, lineDrainMs = 0) =>
    simulate(
      flood,
      options({ startTimeMs, lineDepth: 10_000, even: true, serviceCv: 0, settings: { lineDrainMs } }),
    );

  test("says what slow starts do", () => {
    const { summary, decisions } = run(2_000);
    expect([summary.mostInstances, summary.refusedLineFull]).toEqual([100, 0]);
    const table = [
      ...page.matchAll(/^\| (\d+) s \| (\d+) \|.*\| (hold|start|stop) (\d+)(?:, half)? \| `(\w+)` \|$/gm),
    ];
    expect(table).toHaveLength(7);
    for (const [, at, there, action, count, rule] of table) {
      const decision = decisions.find(
        (each) => Math.floor(each.at / 1_000) === Number(at) && each.rule === rule,
      );
      expect([at, decision?.seen.ready, decision?.action, rule]).toEqual([
        at,
        Number(there),
        action as "hold",
        rule,
      ]);
      expect([at, action === "hold" ? decision?.desired : decision?.count]).toEqual([at, Number(count)]);
    }
  });

  test("says what cheap starts do", () => {
    const { summary } = run(50);
    expect([summary.mostInstances, summary.refusedLineFull + summary.refusedWaitedTooLong]).toEqual([13, 0]);
    expect(Math.round(summary.waitMs.max)).toBeLessThanOrEqual(48);
    expect(summary.instanceSeconds / run(2_000).summary.instanceSeconds).toBeLessThan(0.27);
  });

  test("says what a drain time does", () => {
    const { summary } = run(2_000, 3_000);
    expect([summary.mostInstances, summary.refusedLineFull]).toEqual([30, 0]);
    expect(summary.instanceSeconds / run(2_000).summary.instanceSeconds).toBeLessThan(0.36);
  });
});

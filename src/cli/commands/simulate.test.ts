import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AutoscalerSettings, defaultSettings } from "../../autoscaler/settings.ts";
import type { TimelineRow } from "../../autoscaler/simulate/world.ts";
import { ownVariable } from "../../config/option.ts";
import { runOptions } from "../../config/options.ts";
import { parse } from "../../config/parse.ts";
import { scalingPart } from "../../config/scaling.ts";
import { scalingOptions } from "../../config/scaling-options.ts";
import { autoscalerSettings } from "../../platform/autoscaler-settings.ts";
import { main } from "../main.ts";
import { memoryIo } from "../testing.ts";
import { simulateGroups, simulateOptions } from "./simulate-options.ts";
import { plot } from "./simulate-text.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "headrace-simulate-"));
  writeFileSync(join(folder, "flood.csv"), "time_s,rate\n0,50\n20,500\n40,50\n60,0\n");
  writeFileSync(join(folder, "wrong.csv"), "time_s,rate\n0,50\n20, many\n10,5\n");
});

afterAll(() => rmSync(folder, { recursive: true }));

async function call(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = memoryIo({ cwd: folder, env: { HEADRACE_CONCURRENCY: "1" } });
  return { code: await main(["simulate", ...argv], io), ...io.written };
}

describe("headrace simulate", () => {
  const flags = ["--concurrency", "10", "--even", "--service-spread", "0", "--interval", "20s"];

  test("prints a table, a plot and a summary", async () => {
    const { code, out, err } = await call("flood.csv", ...flags);
    expect([code, err]).toEqual([0, ""]);
    const lines = out.split("\n");
    expect(lines[0]).toBe(
      "flood.csv: 1m20s, 10 slots at 70 %, 1 to 100 instances, start 100ms, request by request, seed 1",
    );
    expect(lines[2]!.trim().split(/\s{2,}/)).toEqual([
      "TIME",
      "REQUESTS/S",
      "RUNNING",
      "WAITING",
      "READY",
      "MOST",
      "WANTED",
      "NEEDED",
      "WAIT P50",
      "WAIT P99",
      "REFUSED",
      "INSTANCE-S", // biome-ignore format: a row
    ]);
    expect(lines.slice(3, 7).map((line) => line.trim().split(/\s+/).slice(0, 2))).toEqual([
      ["0s", "50"],
      ["20s", "500"],
      ["40s", "50"],
      ["1m", "0"],
    ]);
    expect(out).toContain("Instances: # ready, o needed by Little's law\n");
    expect(out).toContain(
      "requests    12000 came, 12000 served, 0 refused (0 line full, 0 waited too long)\n",
    );
    for (const word of ["wait", "instances", "cost", "utilisation"]) expect(out).toContain(`\n${word} `);
    expect(out).not.toContain("Decisions");
  });

  test("the same again is the same, to the letter; another seed is not", async () => {
    const one = await call("flood.csv", "--seed", "3");
    expect(await call("flood.csv", "--seed", "3")).toEqual(one);
    expect((await call("flood.csv", "--seed", "4")).out).not.toBe(one.out);
  });

  test("tells the decisions when asked why", async () => {
    const { out } = await call("flood.csv", ...flags, "--why");
    expect(out).toContain(
      "Decisions\n      0s  0 ready: start 1 -> 1 (nothing measured yet: initial scale 1)\n",
    );
    expect(out).toMatch(/\n {5}20s {2}1 ready: start \d -> \d \(.* started without waiting for a tick\)\n/);
  });

  test("prints JSON for programs", async () => {
    const { out } = await call(
      "flood.csv",
      ...flags,
      "--json",
      "--target-rps",
      "100",
      "--max-instances",
      "7",
    );
    const report = JSON.parse(out) as Record<string, unknown>;
    expect(report).toMatchObject({
      trace: "flood.csv",
      model: "events",
      options: {
        settings: { concurrency: 10, requestsPerSecond: 100, maxInstances: 7 },
        lineDepth: 700,
        serviceCv: 0,
        even: true,
        intervalMs: 20_000,
      },
      summary: { arrived: 12_000, durationMs: 80_000, mostInstances: 7 },
    });
    expect(report["timeline"]).toHaveLength(4);
    expect((report["decisions"] as { reasons: unknown[] }[])[0]!.reasons).toEqual([
      { rule: "initial_scale", to: 1 },
    ]);
  });

  test("the environment of a service does not reach in", async () => {
    expect((await call("flood.csv")).out).toContain("80 slots");
  });

  test("tells what is wrong in a trace with line and column", async () => {
    const { code, out, err } = await call("wrong.csv");
    expect([code, out]).toEqual([2, ""]);
    expect(err).toBe(`headrace: wrong.csv:3:5: rate is "many". Write a number, such as 12 or 0.5.
headrace simulate --help lists all flags and the columns of a trace.
`);
  });

  test("tells all that is wrong with the flags, and runs nothing", async () => {
    const { code, out, err } = await call(
      "--min-instances",
      "5",
      "--max-instances",
      "3",
      "--sede",
      "1",
      "gone.csv",
    );
    expect([code, out]).toEqual([2, ""]);
    expect(err).toBe(`headrace: --sede: There is no such flag. Write --seed.
headrace: --max-instances: It cannot be used with the other flags. Write a whole number from 1, not below --min-instances.
headrace: The file gone.csv does not exist. Name a file that can be read.
headrace simulate --help lists all flags and the columns of a trace.
`);
  });

  test("refuses what would not end, or print too much", async () => {
    writeFileSync(join(folder, "large.csv"), "time_s,rate\n0,100000\n3600,0\n");
    const { code, out, err } = await call("large.csv", "--interval", "1ms", "--model", "events");
    expect([code, out]).toEqual([2, ""]);
    expect(
      err,
    ).toBe(`headrace: --interval: This trace would have 7200000 rows, of 10000 at most. Write at least 720ms.
headrace: --model: This trace has 360000000 requests; at most 20000000 are followed one by one. Write --model fluid.
`);
    writeFileSync(join(folder, "far.csv"), "time_s,rate\n0,10\n1e9,10\n");
    expect((await call("far.csv")).err).toStartWith("headrace: far.csv:2:1: The trace is 23148 days long");
  });

  test("takes one trace", async () => {
    expect((await call("flood.csv", "wrong.csv")).err).toStartWith(
      'headrace: There is one trace to a command: "wrong.csv" is too much. Write headrace simulate flood.csv and its flags.\n',
    );
  });

  test("needs a trace that is there", async () => {
    expect((await call()).err).toStartWith(
      "headrace: No trace is named. Write headrace simulate trace.csv and its flags.\n",
    );
    expect(await call("gone.csv")).toEqual({
      code: 2,
      out: "",
      err: "headrace: The file gone.csv does not exist. Name a file that can be read.\n",
    });
    expect((await call(".")).err).toContain("cannot be read");
  });

  test("helps", async () => {
    const { code, out } = await call("--help");
    expect(code).toBe(0);
    for (const { flag } of Object.values(simulateOptions))
      expect(out).toMatch(new RegExp(`--(\\[no-\\])?${flag}\\b`));
    for (const column of ["time_s", "rate", "arrivals", "service_ms", "service_cv"])
      expect(out).toContain(column);
  });
});

describe("its options", () => {
  const settings = async (...argv: string[]) => {
    const { out } = await call("flood.csv", "--json", ...argv);
    return (JSON.parse(out) as { options: { settings: AutoscalerSettings } }).options.settings;
  };

  test("have the autoscaler's own defaults, and those of headrace run", async () => {
    expect(await settings()).toEqual({ ...defaultSettings, minInstances: 1, lineDrainMs: null });
  });

  test("mean what they mean to headrace run, under the same names", async () => {
    const argv = [
      ...["--min-instances", "0", "--scale-target", "50%", "--target-rps", "100"],
      ...[
        "--scale-to-zero-after",
        "12s",
        "--line-drain",
        "3s",
        "--scale-down-delay",
        "20s",
        "--concurrency",
        "7",
      ],
    ];
    const { scaling } = scalingPart(parse(runOptions, ["main.py", ...argv], {}));
    const own = autoscalerSettings(scaling!, 7);
    expect(await settings(...argv)).toEqual(own);
    expect(own.stableWindowMs).toBe(12_000);
    for (const { flag } of Object.values(scalingOptions)) {
      // What requests use stands in no trace.
      const replayed = !["scale-cpu", "scale-memory"].includes(flag);
      expect([flag, Object.values(simulateOptions).some((row) => row.flag === flag)]).toEqual([
        flag,
        replayed,
      ]);
    }
  });

  test("contradict each other as those of headrace run do", async () => {
    const { err } = await call("flood.csv", "--stable-window", "2m", "--min-instances", "0");
    expect(err).toStartWith(
      "headrace: --stable-window: A service is idle when the stable window of 2m is empty",
    );
    expect((await call("flood.csv", "--stable-window", "2h")).err).toContain("Write at most 1h.");
    expect((await call("flood.csv", "--scale-to-zero-after", "20s")).err).toContain("Add --min-instances 0.");
  });

  test("have one name each, stand in a group, and read their own default", () => {
    const rows = Object.values(simulateOptions);
    const names = rows.map(({ flag }) => ownVariable(flag));
    expect(new Set(names).size).toBe(names.length);
    for (const { flag, group, doc, fallback, fallbackText, read } of rows) {
      expect(simulateGroups).toContain(group as (typeof simulateGroups)[number]);
      expect([flag, /^[A-Za-z].*\.$/s.test(doc)]).toEqual([flag, true]);
      expect([flag, read(fallbackText)]).toEqual([
        flag,
        { ok: true, value: fallback } as ReturnType<typeof read>,
      ]);
    }
  });
});

describe("the plot", () => {
  const row = (ready: number, needed: number, index: number) =>
    ({ fromMs: index * 1_000, toMs: (index + 1) * 1_000, ready, needed }) as TimelineRow;

  test("shows what there was and what was needed", () => {
    const rows = [row(0, 0, 0), row(1, 1, 1), row(10, 5, 2), row(5, 10, 3)];
    expect(plot(rows, 100)).toBe(`Instances: # ready, o needed by Little's law
      10 |      ###ooo
         |      ###
         |      ###
         |      ###
         |      ###
       5 |      ooo###
         |      ######
         |      ######
         |      ######
         |   ooo######
       0 +------------
          0s        4s
`);
  });

  test("keeps to the width however many rows there are", () => {
    const rows = Array.from({ length: 5_000 }, (_, index) => row(index % 40, 3, index));
    for (const columns of [20, 60, 100, 300]) {
      const widest = Math.max(
        ...plot(rows, columns)
          .split("\n")
          .slice(1)
          .map((line) => line.length),
      );
      expect(widest).toBeLessThanOrEqual(Math.max(columns, 22));
    }
  });
});

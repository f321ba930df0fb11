import { describe, expect, test } from "bun:test";
import { runOptions } from "./options.ts";
import { type Environment, parse } from "./parse.ts";
import { scalingContradictions, scalingPart } from "./scaling.ts";

const read = (argv: string[], env: Environment = {}) => parse(runOptions, ["main.py", ...argv], env);
const part = (argv: string[], env: Environment = {}) => {
  expect(problems(argv, env)).toEqual([]);
  return scalingPart(read(argv, env));
};
const problems = (argv: string[], env: Environment = {}) =>
  [...scalingContradictions(read(argv, env))].map(({ subject, message }) => `${subject} ${message}`);

describe("a fixed number", () => {
  test("is what --instances says, and the default", () => {
    expect(part([])).toEqual({ instances: 1, most: 1, scaling: null });
    expect(part(["--instances", "3"])).toEqual({ instances: 3, most: 3, scaling: null });
    expect(part([], { WEB_CONCURRENCY: "3" }).instances).toBe(3);
  });

  test("on the command line is stronger than limits in the environment, and the other way round", () => {
    expect(part(["--instances", "3"], { HEADRACE_MIN_INSTANCES: "0" }).scaling).toBeNull();
    expect(part(["--min-instances", "2"], { WEB_CONCURRENCY: "3" }).scaling?.minInstances).toBe(2);
  });
});

describe("limits switch the autoscaler on", () => {
  test("with one missing, it is 1 or 100", () => {
    expect(part(["--max-instances", "5"]).scaling).toMatchObject({ minInstances: 1, maxInstances: 5 });
    expect(part(["--min-instances", "0"])).toMatchObject({ instances: 1, most: 100 });
    expect(part(["--min-instances", "300"])).toMatchObject({ instances: 300, most: 300 });
  });

  test("all is handed on", () => {
    const flags =
      "--scale-target 50% --target-rps 20 --scale-cpu 60% --scale-down-delay 1m --line-drain 2s".split(" ");
    expect(part(["--min-instances", "0", "--scale-to-zero-after", "5m", ...flags]).scaling).toEqual({
      minInstances: 0,
      maxInstances: 100,
      targetUtilization: 0.5,
      requestsPerSecond: 20,
      cpuUtilization: 0.6,
      memoryUtilization: null,
      stableWindowMs: 60_000,
      scaleDownDelayMs: 60_000,
      scaleToZeroAfterMs: 300_000,
      lineDrainMs: 2_000,
    });
    expect(part(["--max-instances", "2"]).scaling).toMatchObject({
      targetUtilization: 0.7,
      requestsPerSecond: null,
      lineDrainMs: null,
    });
    expect(part(["--max-instances", "2", "--scale-memory", "80", "--memory", "1Gi"]).scaling).toMatchObject({
      memoryUtilization: 0.8,
    });
  });

  test("the stable window makes room for a short time to zero, where that matters", () => {
    const quick = ["--scale-to-zero-after", "10s"];
    expect(part(["--min-instances", "0", ...quick]).scaling?.stableWindowMs).toBe(10_000);
    expect(
      part(["--min-instances", "1"], { HEADRACE_SCALE_TO_ZERO_AFTER: "10s" }).scaling?.stableWindowMs,
    ).toBe(60_000);
  });
});

describe("what contradicts itself is one problem", () => {
  test.each([
    [
      ["--instances", "3", "--min-instances", "0"],
      "--instances It keeps a fixed number of instances, --min-instances lets it change.",
    ],
    [
      ["--instances", "3", "--max-instances", "9"],
      "--instances It keeps a fixed number of instances, --max-instances lets it change.",
    ],
    [["--min-instances", "5", "--max-instances", "4"], "--min-instances At least 5 and at most 4 cannot be."],
    [["--target-rps", "5"], "--target-rps It does nothing while the number of instances is fixed."],
    [
      ["--max-instances", "4", "--scale-to-zero-after", "1m"],
      "--scale-to-zero-after With at least 1 nothing goes to zero.",
    ],
    [
      ["--min-instances", "0", "--scale-to-zero-after", "10s", "--stable-window", "30s"],
      "--scale-to-zero-after A service is idle when the stable window of 30s is empty, so it cannot go to zero after 10s.",
    ],
    [["--max-instances", "4", "--stable-window", "2h"], "--stable-window 2h is too long."],
  ])("%j", (argv, problem) => {
    expect(problems(argv)).toEqual([problem]);
  });

  test("a share is a percentage", () => {
    expect(read(["--scale-target", "35"]).values.scaleTarget).toBe(35);
    for (const wrong of ["0%", "101%", "0.7", "much"]) {
      expect(read(["--scale-target", wrong]).problems.map(({ subject }) => subject)).toEqual([
        "--scale-target",
      ]);
    }
  });
});

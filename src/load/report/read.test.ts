import { describe, expect, test } from "bun:test";
import { readResult, UnreadableResult } from "./read.ts";
import { simulate, simulateSteps } from "./testdata.ts";

const result = { ...simulate({ durationS: 5, warmupS: 0 }), steps: simulateSteps(100) };

/** The result with one value replaced, or left out with undefined. */
function with_(path: string, value: unknown): string {
  const copy = JSON.parse(JSON.stringify(result));
  const keys = path.split(".");
  const last = keys.pop()!;
  let at = copy;
  for (const key of keys) at = at[key];
  at[last] = value;
  return JSON.stringify(copy);
}

function wrong(content: string): string {
  try {
    readResult(content);
  } catch (error) {
    expect(error).toBeInstanceOf(UnreadableResult);
    return (error as Error).message;
  }
  throw new Error("it was read");
}

describe("reading a result", () => {
  test("what was written comes back", () => {
    expect(readResult(JSON.stringify(result))).toEqual(result);
    expect(readResult(JSON.stringify({ ...result, server: null })).server).toBeNull();
  });

  test("fields of a later version are let pass", () => {
    expect(readResult(with_("totals.novel", 1)).totals.done).toBe(result.totals.done);
  });

  test("what is no result is called so", () => {
    expect(wrong("")).toBe("it is empty");
    expect(wrong(JSON.stringify(result).slice(0, 900))).toContain("cut off");
    expect(wrong("[1]")).toContain("not a result of headrace load");
    expect(wrong('{"metrics":{}}')).toContain("--json");
    expect(wrong(with_("format", "headrace-load/2"))).toContain(
      '"headrace-load/2", this version reads "headrace-load/1"',
    );
  });

  test.each([
    ["latency.response.p99Ms", undefined, "latency.response.p99Ms: is missing, must be a number"],
    ["latency.response.p99Ms", null, "latency.response.p99Ms: null, must be a number"],
    ["totals.done", -1, "totals.done: -1, must be at least 0"],
    ["series.2.statuses", [], "series[2].statuses: a list, must be an object"],
    ["series.2.statuses", { 200: "x" }, 'series[2].statuses.200: "x", must be a number'],
    ["verdict", "fine", 'verdict: "fine", must be "ok" or "threshold" or "invalid" or "interrupted"'],
    ["plan.model", "semi", "plan.model"],
    ["server.series.0.ready", "2", "server.series[0].ready"],
    ["steps.1.ok", 1, "steps[1].ok: 1, must be true or false"],
    ["latency.service.hdr", "AAAA", "latency.service.hdr: not an HdrHistogram V2"],
    [
      "latency.service.hdr",
      result.latency.service.hdr.slice(0, 60),
      "latency.service.hdr: a damaged HdrHistogram",
    ],
    ["notes", null, "notes: null, must be a list"],
  ])("%s = %p is told with its path", (path, value, message) => {
    expect(wrong(with_(path, value))).toContain(message);
  });

  test("a number beyond all numbers is none", () => {
    const content = JSON.stringify(result).replace(`"done":${result.totals.done},`, '"done":1e999,');
    expect(wrong(content)).toContain("done: Infinity, must be a number");
  });

  test("of many faults the first are told and the others counted", () => {
    const message = wrong(with_("totals", {}));
    expect(message).toStartWith("it is damaged: totals.planned: is missing");
    expect(message).toMatch(/, and \d+ more$/);
  });
});

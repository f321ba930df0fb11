import { describe, expect, test } from "bun:test";
import { judge, type RunFacts } from "./verdict.ts";

const facts: RunFacts = {
  plan: { model: "open", connections: 100, processes: 2 },
  totals: { planned: 10_000, late: 0, blocked: 0, dropped: 0 },
  failures: {},
  peakCpu: 0.3,
  local: false,
  interrupted: false,
};

function saturated(more: Partial<RunFacts>): string | null {
  return judge({ ...facts, ...more }).saturated;
}

const totals = (late: number, blocked: number) => ({ ...facts.totals, late, blocked });

describe("a run is invalid when the generator fell short", () => {
  test("one in a hundred late is borne, more is not", () => {
    expect(saturated({ totals: totals(100, 0) })).toBeNull();
    expect(saturated({ totals: totals(101, 0) })).toContain("late; the machine was busy");
  });

  test("a few late of a short run are a moment of the machine", () => {
    const short = (late: number) => ({ ...facts.totals, planned: 50, late });
    expect(saturated({ totals: short(4) })).toBeNull();
    expect(saturated({ totals: short(5) })).toContain("late; the machine was busy");
  });

  test("what was never begun for want of memory is not said to have waited for a connection", () => {
    const reason = saturated({ totals: { ...totals(300, 400), dropped: 500 } });
    expect(reason).toContain("5.00 % of the requests were never begun");
    expect(reason).not.toContain("connections");
  });

  test("says whose doing it was: its own processor, or the connections", () => {
    expect(saturated({ totals: totals(500, 0), peakCpu: 0.97 })).toContain(
      "97.0 % of a core: try --processes 3",
    );
    expect(saturated({ totals: totals(200, 5_000) })).toContain(
      "50.0 % of the requests waited for one of 100 connections",
    );
  });

  test("a single request without a file or port of its own is one too many", () => {
    expect(saturated({ failures: { files: 1 } })).toContain("no file descriptor left");
    expect(saturated({ failures: { ports: 3 } })).toContain("3 requests were not sent");
  });

  test("failures of the service are not", () => {
    expect(saturated({ failures: { refused: 9_000, timeout: 1_000 } })).toBeNull();
  });

  test("a closed loop keeps no rate", () => {
    expect(saturated({ plan: { ...facts.plan, model: "closed" }, totals: totals(9_999, 0) })).toBeNull();
  });
});

describe("notes", () => {
  const notes = (more: Partial<RunFacts>) => judge({ ...facts, ...more }).notes.join("\n");

  test("a calm run has none", () => expect(notes({})).toBe(""));

  test("say what a reader has to know", () => {
    expect(notes({ plan: { ...facts.plan, model: "closed" } })).toContain("leave out the waiting");
    expect(notes({ local: true })).toContain("share this machine");
    expect(notes({ peakCpu: 0.95 })).toContain("Try --processes 3");
    expect(notes({ interrupted: true })).toContain("interrupted");
  });
});

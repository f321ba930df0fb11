import { describe, expect, test } from "bun:test";
import { Histogram } from "./histogram.ts";
import type { Latencies } from "./result.ts";
import { type Condition, evaluate, evaluateFailIf, readCondition, type Seen } from "./thresholds.ts";

function seen(): Seen {
  const kinds: readonly (keyof Latencies)[] = [
    "response",
    "passed",
    "service",
    "firstByte",
    "connect",
    "lateness",
  ];
  const latency = Object.fromEntries(kinds.map((kind) => [kind, new Histogram()])) as Record<
    keyof Latencies,
    Histogram
  >;
  for (let ms = 1; ms <= 1_000; ms++) latency.response.record(ms * 1_000);
  latency.service.record(5_000);
  return {
    counts: { planned: 2_000, done: 1_000, failed: 10, late: 30 },
    statuses: { "200": 990, "503": 10 },
    failures: { status: 8, timeout: 2 },
    checks: [{ name: "a", passed: 90, failed: 10 }],
    latency,
    passedPerS: 99,
  };
}

function met(text: string): boolean {
  const read = readCondition(text);
  if (!read.ok) throw new Error(read.message);
  return evaluate(read.condition, seen()).met;
}

describe("conditions", () => {
  const cases: readonly (readonly [string, boolean])[] = [
    ["p99>980ms", true],
    ["p99>1s", false],
    ["p99 > 980", true],
    ["p99.9>=999ms", true],
    ["service.max>5001us", false],
    ["service.max>4999us", true],
    ["service.max>4999.5µs", true],
    ["service.max<5.3ms", true],
    ["service.max<4.7ms", false],
    ["p50<501ms", true],
    ["med<500ms", false],
    ["avg>500ms", true],
    ["max>1s", false],
    ["max>=1s", true],
    ["min<=1ms", true],
    ["service.p99<6ms", true],
    ["service.max>5ms", false],
    ["errors>0.9%", true],
    ["errors>1%", false],
    ["errors>=1%", true],
    ["errors>9", true],
    ["errors>10", false],
    ["rate<99.5", true],
    ["rate<99", false],
    ["late>1%", true],
    ["late>2%", false],
    ["status.503>0", true],
    ["status.404>0", false],
    ["status.200<100%", true],
    ["failure.timeout>=0.2%", true],
    ["failure.reset>0", false],
    ["checks<99%", true],
    ["checks<90%", false],
  ];
  for (const [text, wanted] of cases) test(`${text}: ${wanted}`, () => expect(met(text)).toBe(wanted));

  test("what was not measured meets nothing, and says so", () => {
    for (const text of ["connect.p99>0ms", "connect.p99<1s"]) {
      const read = readCondition(text);
      if (!read.ok) throw new Error(read.message);
      expect(evaluate(read.condition, seen())).toEqual({ met: false, was: "nothing measured" });
    }
  });

  describe("a service that answers nothing does not pass for a fast one", () => {
    const condition = (text: string): Condition => {
      const read = readCondition(text);
      if (!read.ok) throw new Error(read.message);
      return read.condition;
    };
    const fails = (text: string, more: Partial<Seen>) =>
      evaluateFailIf(condition(text), { ...seen(), ...more });
    const empty = { ...seen().latency, response: new Histogram(), service: new Histogram() };
    const connected = { ...empty, connect: new Histogram() };
    connected.connect.record(400);

    test("a condition on times is met when no request that was due has one", () => {
      for (const text of ["p99>50ms", "max<1s", "service.p50>1s", "ttfb.p50>1s", "passed.p99>1s"])
        expect(fails(text, { latency: empty })).toEqual({ met: true, was: "nothing measured" });
    });

    test("also of those that passed, when answers came and none passed", () =>
      expect(fails("passed.p99>1s", {}).met).toBe(true));

    test("not when there are times of other kinds only: these may be missing for other reasons", () => {
      expect(fails("connect.p99>1s", {}).met).toBe(false);
      expect(fails("connect.p99>1s", { latency: connected }).was).toBe("400 µs");
    });

    test("not when nothing was due, and not on what is no time", () => {
      const counts = { planned: 0, done: 0, failed: 0, late: 0 };
      expect(fails("p99>50ms", { latency: empty, counts }).met).toBe(false);
      expect(fails("checks<99%", { latency: empty, checks: [] }).met).toBe(false);
    });
  });

  test("says what it was", () => {
    const was = (text: string) => {
      const read = readCondition(text);
      return read.ok ? evaluate(read.condition, seen()).was : read.message;
    };
    expect(was("p50<1s")).toBe("500 ms");
    expect(was("errors>5%")).toBe("1.00 %");
    expect(was("errors>5")).toBe("10");
    expect(was("rate<5")).toBe("99");
  });
});

describe("not a condition", () => {
  for (const [text, hint] of [
    ["p99", "p99>200ms"],
    ["p101>5ms", "p50 to p99.99"],
    ["latency>5", "p50 to p99.99"],
    ["p99>5%", "p99>200ms"],
    ["rate<5%", "rate<1900"],
    ["errors>5ms", "errors>0.1%"],
    ["p99=5", "p99>200ms"],
    ["", "p99>200ms"],
  ] as const) {
    test(JSON.stringify(text), () => {
      const read = readCondition(text);
      expect(read.ok).toBe(false);
      if (!read.ok) expect(read.instead).toContain(hint);
    });
  }
});

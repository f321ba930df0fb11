import { describe, expect, test } from "bun:test";
import { calm, distributionOf, simulate, simulateSteps } from "./report/testdata.ts";
import type { LoadResult } from "./result.ts";
import { summary } from "./summary.ts";

const run = simulate({ ...calm, durationS: 10, server: true, errors: 0.01 });
const crowded: LoadResult = {
  ...run,
  statuses: Object.fromEntries(Array.from({ length: 14 }, (_, n) => [String(200 + n), 123_456])),
  failures: { cut: 1_234, connect_timeout: 1, closed: 123_456 },
  requests: ["GET /a/path/that/is/long/enough/to/be/cut/somewhere/in/the/middle", "POST /b"].map((name) => {
    return { name, done: 1_234_567, failed: 123_456, response: run.latency.response };
  }),
  thresholds: [{ text: "p99>200ms", was: "143 ms", ok: true }],
  steps: simulateSteps(4_000),
  notes: [
    "A note that goes on for quite a while, and says a lot of how the figures came about, which has to be known.",
  ],
};

const widest = (text: string) => Math.max(...text.split("\n").map((line) => line.length));
const shown = (result: LoadResult, columns: number) => summary(result, { color: false, columns });

describe("the summary", () => {
  test("fits the terminal, from 80 columns on", () => {
    expect(widest(shown(crowded, 80))).toBeLessThanOrEqual(80);
    expect(widest(shown(crowded, 40))).toBeLessThanOrEqual(80);
    expect(widest(shown(crowded, 100))).toBeLessThanOrEqual(100);
  });

  test("has the latencies in two lines, below each other", () => {
    expect(shown(run, 200)).toMatch(
      /response time\.+: avg=\S+ +min=\S+ +med=\S+ +p90=\S+\n {32}p95=\S+ +p99=\S+ +p99\.9=\S+ +max=\S+\n/,
    );
  });

  test("says nothing twice and loses nothing", () => {
    const text = shown(crowded, 80).replaceAll(/\s+/g, " ");
    expect(text).toContain("the connection was closed in the middle of an answer");
    expect(text).toContain(crowded.notes[0]!);
    for (const { why } of crowded.steps) expect(text).toContain(why);
  });

  test("leaves a traceback as it is", () => {
    const note = `Users raised an exception.\n  File "${"x".repeat(90)}.py", line 1\n    raise ValueError`;
    expect(shown({ ...run, notes: [note] }, 80)).toContain(note);
  });

  test("has colours only when asked", () => {
    expect(shown(crowded, 80)).not.toContain("\x1b");
    expect(summary(crowded, { color: true, columns: 80 })).toContain("\x1b[31m");
  });
});

const small = simulate({ durationS: 2, warmupS: 0, server: false });
const nothing = distributionOf([]);

function names(result: LoadResult): readonly string[] {
  return [...shown(result, 80).matchAll(/^ {4} *([a-z][^.:]*)\.*: /gm)].map(([, name]) => name!);
}

test("says what was measured", () => {
  expect(names(small)).toEqual(
    expect.arrayContaining(["response time", "service time", "first byte", "connections", "in flight"]),
  );
});

test("leaves out what was not: a zero would be read as a figure", () => {
  // As of Locust, which tells of no connection and no first byte, at a service that answers with 503 only.
  const totals = { ...small.totals, failed: small.totals.done, opened: 0, maxConnections: 0, maxInFlight: 0 };
  const latency = { ...small.latency, passed: nothing, firstByte: nothing, connect: nothing };
  const told = names({ ...small, totals, latency });
  expect(told).toContain("response time");
  for (const name of ["of those that passed", "first byte", "connections", "connecting", "in flight"])
    expect(told).not.toContain(name);
});

test("tells what was sent again, in a closed loop too", () => {
  const totals = { ...small.totals, resent: 3 };
  expect(names({ ...small, totals })).toContain("sent again");
  expect(names({ ...small, totals, plan: { ...small.plan, model: "closed" } })).toContain("sent again");
});

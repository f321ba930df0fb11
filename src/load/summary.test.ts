import { expect, test } from "bun:test";
import { distributionOf, simulate } from "./report/testdata.ts";
import type { LoadResult } from "./result.ts";
import { summary } from "./summary.ts";

const run = simulate({ durationS: 2, warmupS: 0, server: false });
const nothing = distributionOf([]);

function names(result: LoadResult): readonly string[] {
  return [...summary(result, false).matchAll(/^ {4} *([a-z][^.:]*)\.*: /gm)].map(([, name]) => name!);
}

test("says what was measured", () => {
  expect(names(run)).toEqual(
    expect.arrayContaining(["response time", "service time", "first byte", "connections", "in flight"]),
  );
});

test("leaves out what was not: a zero would be read as a figure", () => {
  // As of Locust, which tells of no connection and no first byte, at a service that answers with 503 only.
  const totals = { ...run.totals, failed: run.totals.done, opened: 0, maxConnections: 0, maxInFlight: 0 };
  const latency = { ...run.latency, passed: nothing, firstByte: nothing, connect: nothing };
  const told = names({ ...run, totals, latency });
  expect(told).toContain("response time");
  for (const name of ["of those that passed", "first byte", "connections", "connecting", "in flight"])
    expect(told).not.toContain(name);
});

test("tells what was sent again, in a closed loop too", () => {
  const totals = { ...run.totals, resent: 3 };
  expect(names({ ...run, totals })).toContain("sent again");
  expect(names({ ...run, totals, plan: { ...run.plan, model: "closed" } })).toContain("sent again");
});

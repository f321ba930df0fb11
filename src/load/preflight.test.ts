import { describe, expect, test } from "bun:test";
import type { Limits } from "./machine.ts";
import { allowance, preflight, type Wanted } from "./preflight.ts";

const limits: Limits = { files: 20_000, firstPort: 32_768, ports: 28_232, cpus: 2 };
const wanted: Wanted = {
  connections: 64,
  connectionsMayShrink: false,
  rate: 0,
  processes: null,
  destinations: 1,
  loopback: true,
};

function plan(more: Partial<Wanted>, own: Partial<Limits> = {}) {
  return preflight({ ...wanted, ...more }, { ...limits, ...own });
}

test("few connections need one process and nothing special", () => {
  expect(plan({})).toEqual({ ok: true, processes: 1, connections: 64, sources: [] });
});

test("processes by files: each may open so many", () => {
  expect(plan({ connections: 19_744 })).toMatchObject({ processes: 1 });
  expect(plan({ connections: 19_745 })).toMatchObject({ processes: 2 });
  expect(plan({ connections: 60_000 })).toMatchObject({ processes: 4, connections: 60_000 });
});

test("sources by ports, on loopback only", () => {
  expect(plan({ connections: 25_408 })).toMatchObject({ sources: [] });
  expect(plan({ connections: 60_000 })).toMatchObject({ sources: ["127.0.0.2", "127.0.0.3", "127.0.0.4"] });
  expect(plan({ connections: 60_000, destinations: 3 })).toMatchObject({ sources: [] });
  expect(plan({ connections: 60_000, loopback: false })).toMatchObject({ ok: false });
});

test("processes by rate, at most one a core", () => {
  expect(plan({ rate: 20_000 })).toMatchObject({ processes: 1 });
  expect(plan({ rate: 20_001 })).toMatchObject({ processes: 2 });
  expect(plan({ rate: 500_000 })).toMatchObject({ processes: 2 });
  expect(plan({ rate: 500_000, processes: 5 })).toMatchObject({ processes: 5 });
});

describe("says what stands in the way, and what would help", () => {
  test("files", () => {
    const refused = plan({ connections: 30_000, processes: 1 });
    expect(refused).toMatchObject({ ok: false });
    if (!refused.ok) {
      expect(refused.message).toContain("30000 connections over 1 process");
      expect(refused.instead).toContain("ulimit -n 30256");
    }
  });

  test("ports", () => {
    const refused = plan({ connections: 30_000, loopback: false });
    if (refused.ok) throw new Error("it should not have been accepted");
    expect(refused.message).toContain("25408 there are");
    expect(refused.instead).toContain("--connect-to");
  });
});

test("the most that an open loop may open shrinks to what there is", () => {
  expect(plan({ connections: 50_000, connectionsMayShrink: true })).toMatchObject({
    processes: 1,
    connections: 19_744,
  });
});

test("says what the machine allows and what a run will take", () => {
  const fit = plan({ connections: 60_000 });
  if (!fit.ok) throw new Error(fit.message);
  expect(allowance(fit, limits, false)).toBe(
    "60,000 connections fit: 4 processes of 20,000 files, 3 addresses of 28,232 ports, about 420 MB of memory.",
  );
  expect(allowance(fit, limits, true)).toContain("840 MB");
});

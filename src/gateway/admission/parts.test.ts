import { describe, expect, test } from "bun:test";
import { joinPairs } from "../../protocol/fields.ts";
import { clientTimeoutMs, coarse } from "../timeout.ts";
import { allowedWaitMs } from "./overload.ts";
import { Ranks } from "./priority.ts";
import { RetryBudget } from "./retry-budget.ts";
import { ServiceTime } from "./service-time.ts";

describe("the service time", () => {
  test("is not known from a few", () => {
    const time = new ServiceTime();
    for (let i = 0; i < 7; i++) time.observe(20);
    expect([time.typicalMs, time.neededMs]).toEqual([0, 0]);
    time.observe(20);
    expect(time.typicalMs).toBeGreaterThan(18);
    expect(time.typicalMs).toBeLessThan(24.1);
  });

  test("of a mixed service is that of most, and what is needed is bounded by it", () => {
    const time = new ServiceTime();
    for (let i = 0; i < 2_000; i++) time.observe(i % 5 === 0 ? 2_000 : 10);
    expect(time.typicalMs).toBeLessThan(13);
    expect(time.neededMs).toBeLessThan(26);
  });

  test("follows a service that changes its pace", () => {
    const time = new ServiceTime();
    for (let i = 0; i < 5_000; i++) time.observe(10);
    for (let i = 0; i < 1_000; i++) time.observe(100);
    expect(time.typicalMs).toBeGreaterThan(80);
    for (let i = 0; i < 1_000; i++) time.observe(5);
    expect(time.typicalMs).toBeLessThan(7);
  });

  test("takes any number", () => {
    const time = new ServiceTime();
    for (const ms of [0, -1, 1e9, 0.01, 5]) for (let i = 0; i < 10; i++) time.observe(ms);
    expect(Number.isFinite(time.neededMs)).toBe(true);
  });
});

test("the wait that is allowed under overload grows with the service time, and with the class", () => {
  expect([0, 1, 2].map((rank) => allowedWaitMs(rank, 0))).toEqual([
    Number.POSITIVE_INFINITY,
    Number.POSITIVE_INFINITY,
    Number.POSITIVE_INFINITY,
  ]);
  expect([0, 1, 2].map((rank) => allowedWaitMs(rank, 1))).toEqual([20, 10, 5]);
  expect([0, 1, 2].map((rank) => allowedWaitMs(rank, 2_000))).toEqual([16_000, 8_000, 4_000]);
});

describe("the retry budget", () => {
  test("is a fifth of what came, and ten a second, over ten seconds", () => {
    const budget = new RetryBudget();
    for (let i = 0; i < 1_000; i++) budget.deposit(5_000);
    let allowed = 0;
    while (budget.withdraw(5_000)) allowed++;
    expect(allowed).toBe(300);
    expect(budget.withdraw(13_000)).toBe(false);
    // All of that is forgotten by now.
    let later = 0;
    while (budget.withdraw(16_000)) later++;
    expect(later).toBe(100);
  });

  test("with a service that fails every request for 20 s the extra load is within its share", () => {
    const budget = new RetryBudget();
    let retries = 0;
    for (let ms = 0; ms < 20_000; ms++) {
      budget.deposit(ms);
      if (budget.withdraw(ms)) retries++;
    }
    expect(retries).toBeLessThanOrEqual(20_000 * 0.2 + 20 * 10 + 100);
    expect(retries).toBeGreaterThan(20_000 * 0.2);
  });
});

describe("ranks", () => {
  const of = (ranks: Ranks, target: string, fields: Record<string, string> = {}) =>
    ranks.of(Buffer.from(target), joinPairs(Object.entries(fields)));

  test("come from the longest path that fits, by whole segments", () => {
    const ranks = new Ranks({
      header: "",
      routes: [
        { path: "/a", priority: "bulk" },
        { path: "/a/%62", priority: "critical" },
      ],
    });
    expect(
      ["/", "/a", "/a?x", "/a/c", "/ab", "/a/b/c?d", "/%61/%62"].map((target) => of(ranks, target)),
    ).toEqual([1, 2, 2, 2, 1, 0, 0]);
  });

  test("come from a header only where one is named, and only by the three words", () => {
    const named = new Ranks({ header: "x-priority", routes: [{ path: "/a", priority: "bulk" }] });
    expect(of(named, "/a", { "x-priority": "Critical" })).toBe(0);
    expect(of(named, "/a", { "x-priority": "urgent" })).toBe(2);
    expect(of(named, "/b")).toBe(1);
    const plain = new Ranks({ header: "", routes: [] });
    expect(plain.plain).toBe(true);
    expect(of(plain, "/b", { "x-priority": "critical" })).toBe(1);
  });
});

describe("the time that a client allows", () => {
  const ms = (fields: Record<string, string>) => clientTimeoutMs(joinPairs(Object.entries(fields)));

  test("is read as each header writes it, and the shortest holds", () => {
    expect(ms({ "x-request-timeout": "1.5" })).toBe(1_500);
    expect(ms({ "x-request-timeout": "250ms" })).toBe(250);
    expect(ms({ "grpc-timeout": "100m" })).toBe(100);
    expect(ms({ "grpc-timeout": "2S", "x-envoy-expected-rq-timeout-ms": "700" })).toBe(700);
    expect(ms({ "grpc-timeout": "5n" })).toBe(1);
  });

  test("that can not be read counts for nothing", () => {
    for (const text of ["", "soon", "-1", "0", "1e9d", "9999999999999"])
      expect(ms({ "x-request-timeout": text })).toBe(0);
    expect(ms({ "grpc-timeout": "1x" })).toBe(0);
  });

  test("is rounded down to two digits", () => {
    expect([0.4, 1, 9, 99, 101, 1_234, 59_999].map(coarse)).toEqual([1, 1, 9, 99, 100, 1_200, 59_000]);
  });
});

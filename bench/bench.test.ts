import { expect, test } from "bun:test";
import { quantile, reaches } from "./part.ts";
import { median } from "./run.ts";
import { scalingText } from "./scaling.ts";
import { growth } from "./soak.ts";
import { readReport } from "./wrk.ts";

test("a report of wrk is read, with its units and errors", () => {
  const text = `Running 2s test @ http://127.0.0.1:18100/
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.55ms    2.24ms  35.07ms   92.31%
  Latency Distribution
     50%  742.00us
     75%    1.61ms
     90%    3.48ms
     99%    1.20s
  115031 requests in 2.10s, 13.60MB read
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 5
Requests/sec:  54791.49
Transfer/sec:      6.48MB`;
  expect(readReport(text)).toEqual({
    requestsPerSecond: 54791.49,
    requests: 115031,
    p50Ms: 0.742,
    p99Ms: 1200,
    errors: 15,
  });
});

test("the median of even and odd numbers of values", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
});

test("a quantile is a value that was measured", () => {
  const values = Array.from({ length: 100 }, (_, n) => 100 - n);
  expect([0.5, 0.99, 1].map((share) => quantile(values, share))).toEqual([51, 100, 100]);
  expect(quantile([7], 0.99)).toBe(7);
});

test("a bar that is missed is shown as missed", () => {
  const figures = [
    { name: "fast", value: 9.5, unit: "ms", bar: { most: 10 } },
    { name: "good", value: 0.85, unit: "x", bar: { least: 0.9 } },
    { name: "seen", value: 3, unit: "", note: "counted" },
  ];
  expect(figures.map(reaches)).toEqual([true, false, null]);
  const text = scalingText("2026-01-02", "A machine.", [{ name: "part", about: "About it.", figures }]);
  expect(text).toContain("| fast | 9.50 ms | at most 10 ms | yes |");
  expect(text).toContain("| good | 0.85 x | at least 0.9 x | **no** |");
  expect(text).toContain("| seen | 3  |  | counted |");
});

test("growth follows the trend, not the last sample", () => {
  const line = Array.from({ length: 11 }, (_, n) => ({ second: n * 10, bytes: 1000 + n * 5 }));
  expect(growth(line)).toBeCloseTo(50);
  const flat = line.map((sample, n) => ({ ...sample, bytes: 1000 + (n % 2) * 10 }));
  expect(Math.abs(growth(flat))).toBeLessThan(5);
});

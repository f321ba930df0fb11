import { expect, test } from "bun:test";
import { readAccessLog } from "./access-log.ts";

const line = (time: string, more: Record<string, unknown> = {}) =>
  JSON.stringify({
    ...{ time, event: "http.server.request", "service.name": "shop", "service.instance.id": "i-1" },
    ...{ duration_ms: 120, queue_ms: 20, ...more },
  });

test("a row a second: what came, and how long slots were held; a pause is one row", () => {
  const read = readAccessLog(
    [
      '{"event":"app.output","message":"http.server.request"}',
      "said by the app: http.server.request",
      // In the order in which they ended.
      line("2026-01-31T10:00:01.500Z", { duration_ms: 300, queue_ms: 0 }),
      line("2026-01-31T10:00:00.900Z"),
      line("2026-01-31T10:00:01.100Z"),
      line("2026-01-31T10:00:09.000Z", { "service.instance.id": undefined, "error.type": "HR_LINE_FULL" }),
      "",
    ].join("\n"),
  );
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  expect(read.trace).toEqual({
    durationMs: 10_000,
    rows: [
      { fromMs: 0, toMs: 1_000, arrivals: 1, counted: true, serviceTimeMs: 100, serviceCv: null },
      { fromMs: 1_000, toMs: 2_000, arrivals: 2, counted: true, serviceTimeMs: 200, serviceCv: 0.5 },
      { fromMs: 2_000, toMs: 9_000, arrivals: 0, counted: true, serviceTimeMs: null, serviceCv: null },
      { fromMs: 9_000, toMs: 10_000, arrivals: 1, counted: true, serviceTimeMs: null, serviceCv: null },
    ],
  });
});

test.each([
  ["{}\n", 1, "It has no line of an access log."],
  [
    `${line("2026-01-31T10:00:00Z")}\n${line("2026-01-31T10:00:00Z", { "service.name": "blog" })}`,
    1,
    "It has requests of several services: blog, shop.",
  ],
  [
    `${line("2025-01-31T10:00:00Z")}\n${line("2026-01-31T10:00:00Z")}`,
    2,
    "The trace is 365 days long, and from here on longer than 92.",
  ],
])("%# is told", (text, at, message) => {
  const read = readAccessLog(text);
  expect(read.ok ? [] : read.problems.map((each) => [each.line, each.message])).toEqual([[at, message]]);
});

import { expect, test } from "bun:test";
import { serverTiming } from "./server-timing.ts";

const phases = { fork: 4, boot: 2, lifespan: 3, listen: 1 };

test("the phases of the start that a request was the reason for add up to its wait", () => {
  const timing = { arrivedAt: 1000, waitMs: 15, appMs: 2, start: { readyAt: 1012.5, phases } };
  expect(serverTiming(timing)).toBe(
    "wait;dur=15, notice;dur=2.5, fork;dur=4, boot;dur=2, lifespan;dur=3, listen;dur=1, connect;dur=2.5, app;dur=2",
  );
});

test("who came during the start has the phases of all of it, and no notice", () => {
  const timing = { arrivedAt: 1008, waitMs: 5, appMs: 2, start: { readyAt: 1012, phases } };
  expect(serverTiming(timing)).toBe(
    "wait;dur=5, fork;dur=4, boot;dur=2, lifespan;dur=3, listen;dur=1, connect;dur=1, app;dur=2",
  );
});

test("who waited for no start has none", () => {
  expect(serverTiming({ arrivedAt: 1000, waitMs: 0.04, appMs: 2.44, start: null })).toBe(
    "wait;dur=0, app;dur=2.4",
  );
});

/** The measured limit on services whose right limit is known, in simulated time, with the traps that such limits fall into. */

import { describe, expect, test } from "bun:test";
import {
  type ConcurrencySettings,
  type ConcurrencyState,
  decideConcurrency,
  startedConcurrency,
} from "./concurrency.ts";
import { seededRandom } from "./simulate/random.ts";

const settings: ConcurrencySettings = { least: 1, most: 1_000, initial: 20 };
const WINDOW_MS = 1_000;

/** A service: how many requests a second it does with so many at a time, and how long one takes. */
interface Service {
  rate(inFlight: number, second: number): number;
}

/** So many at a time in 20 ms each; more only wait. */
const knee = (slots: number, ms: (second: number) => number): Service => ({
  rate: (inFlight, second) => (1_000 * Math.min(inFlight, slots)) / ms(second),
});

/** One processor: two at a time keep it busy, more share it. */
const processor: Service = { rate: (inFlight) => 100 * Math.min(1, inFlight / 2) };

interface Run {
  readonly limits: number[];
  /** Finished over what could have been, after the first 40 s. */
  readonly share: number;
  readonly state: ConcurrencyState;
  /** Longest time in the service over that without load, at the 99th percentile of seconds, after 40 s. */
  readonly slowdown: number;
}

function run(
  service: Service,
  load: (second: number) => number,
  seconds: number,
  more: Partial<ConcurrencySettings & { seed: number; missed: (limit: number) => number }> = {},
): Run {
  const own = { ...settings, ...more };
  const { next: random } = seededRandom(more.seed ?? 1);
  let state = startedConcurrency(own);
  const limits: number[] = [];
  const slow: number[] = [];
  let done = 0;
  let possible = 0;
  let queue = 0;
  for (let second = 0; second < seconds; second++) {
    const best = service.rate(1e9, second);
    const offered = load(second);
    // What arrives and what is finished scatter as counts do.
    const noise = (mean: number) =>
      Math.max(0, mean + (random() + random() + random() - 1.5) * 2 * Math.sqrt(mean));
    const can = noise(service.rate(state.limit, second));
    const arrived = noise(offered) + queue;
    const finished = Math.min(can, arrived);
    queue = Math.min(arrived - finished, 10 * best);
    const busy = queue > 0;
    const inFlight = busy ? state.limit : Math.min(state.limit, (offered / best) * needed(service, second));
    if (second >= 40) {
      done += finished;
      possible += Math.min(best, offered);
      slow.push(inFlight / service.rate(inFlight, second) / (1 / service.rate(1, second)));
    }
    const missed = more.missed?.(state.limit) ?? 0;
    const window = { lengthMs: WINDOW_MS, finished, inFlight, waiting: busy, missed, instances: 1 };
    state = decideConcurrency(state, window, own).state;
    limits.push(state.base);
  }
  slow.sort((a, b) => a - b);
  return { limits, share: done / possible, state, slowdown: slow[Math.floor(slow.length * 0.99)] ?? 0 };
}

/** The fewest at a time with which the most is done. */
function needed(service: Service, second: number): number {
  const best = service.rate(1e9, second);
  for (let n = 1; ; n++) if (service.rate(n, second) >= best * 0.999) return n;
}

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const flat = knee(32, () => 20);
const CAPACITY = 1_600;

describe("a limit for a service that does 32 at a time", () => {
  for (const load of [0.9, 1.2, 2, 5]) {
    test(`settles near 32 at ${load} times what it can do`, () => {
      for (const seed of SEEDS) {
        const { limits, share, slowdown } = run(flat, () => load * CAPACITY, 160, { seed });
        const late = limits.slice(-60);
        expect(Math.min(...late)).toBeGreaterThanOrEqual(0.8 * 32);
        expect(Math.max(...late)).toBeLessThanOrEqual(1.5 * 32);
        expect(share).toBeGreaterThan(0.95);
        expect(slowdown).toBeLessThan(3);
      }
    });
  }

  test("stays where it is while there is less to do than slots", () => {
    const { limits, share } = run(flat, () => 0.3 * CAPACITY, 120);
    expect(new Set(limits)).toEqual(new Set([20]));
    expect(share).toBeGreaterThan(0.97);
  });

  test("does not drift in half an hour of modest overload", () => {
    for (const seed of SEEDS.slice(0, 3)) {
      const { limits } = run(flat, () => 1.2 * CAPACITY, 1_800, { seed });
      const mean = (from: number, to: number) =>
        limits.slice(from, to).reduce((a, b) => a + b, 0) / (to - from);
      expect(mean(1_200, 1_800) / mean(60, 660)).toBeGreaterThan(0.8);
      expect(mean(1_200, 1_800) / mean(60, 660)).toBeLessThan(1.25);
      expect(Math.max(...limits.slice(60))).toBeLessThanOrEqual(1.6 * 32);
    }
  });

  test("comes down from far too many, and does not stay low after a cold start under twice the load", () => {
    for (const seed of SEEDS) {
      const high = run(flat, () => 2 * CAPACITY, 200, { seed, initial: 400 });
      expect(high.limits.at(-1)).toBeLessThanOrEqual(1.5 * 32);
      const low = run(flat, () => 2 * CAPACITY, 200, { seed, initial: 1 });
      expect(low.limits.at(-1)).toBeGreaterThanOrEqual(0.8 * 32);
    }
  });

  test("heals when the service becomes slower and fast again", () => {
    const ms = (second: number) => (second >= 100 && second < 200 ? 40 : 20);
    for (const seed of SEEDS) {
      const { limits } = run(knee(32, ms), () => 2 * CAPACITY, 300, { seed });
      for (const at of [130, 199, 230, 299]) {
        expect(limits[at]!).toBeGreaterThanOrEqual(0.75 * 32);
        expect(limits[at]!).toBeLessThanOrEqual(1.6 * 32);
      }
    }
  });

  test("follows a knee that moves", () => {
    for (const seed of SEEDS) {
      const moving: Service = { rate: (n, second) => 50 * Math.min(n, second < 150 ? 64 : 16) };
      const { limits } = run(moving, () => 10_000, 400, { seed });
      expect(limits[149]!).toBeGreaterThanOrEqual(0.75 * 64);
      expect(limits[399]!).toBeLessThanOrEqual(1.6 * 16);
    }
  });
});

test("a service that has one processor gets few slots, and loses nothing by it", () => {
  for (const seed of SEEDS) {
    const { limits, share } = run(processor, () => 300, 400, { seed });
    expect(Math.max(...limits.slice(-60))).toBeLessThanOrEqual(8);
    expect(share).toBeGreaterThan(0.93);
  }
});

describe("the limit", () => {
  const window = { lengthMs: 1_000, finished: 1_000, inFlight: 20, waiting: true, missed: 0, instances: 1 };
  const step = (state: ConcurrencyState, more: Partial<typeof window> = {}) =>
    decideConcurrency(state, { ...window, ...more }, settings);

  test("is tried for one window between two others, and kept when more is done", () => {
    let outcome = step(startedConcurrency(settings));
    expect(outcome.state.phase).toBe("before");
    outcome = step(outcome.state);
    expect([outcome.state.phase, outcome.state.limit, outcome.state.base]).toEqual(["trying", 24, 20]);
    outcome = step(outcome.state, { finished: 1_190 });
    expect([outcome.state.phase, outcome.state.limit]).toEqual(["after", 20]);
    outcome = step(outcome.state);
    expect([outcome.state.phase, outcome.state.limit, outcome.state.base]).toEqual(["resting", 24, 24]);
    expect(outcome.why).toBe("more slots do more: 1190 requests/s at 24, 1000 at 20");
  });

  test("of a trial during which everything became faster is not kept", () => {
    let { state } = step(startedConcurrency(settings));
    ({ state } = step(state));
    ({ state } = step(state, { finished: 2_000 }));
    const outcome = step(state, { finished: 3_000 });
    expect(outcome.state.base).toBe(20);
  });

  test("falls by a tenth when begun requests miss their deadlines, also in the middle of a trial", () => {
    let { state } = step(startedConcurrency(settings));
    ({ state } = step(state));
    const outcome = step(state, { missed: 100 });
    expect([outcome.state.base, outcome.state.limit, outcome.state.phase]).toEqual([18, 18, "resting"]);
    expect(outcome.why).toBe("requests miss their deadlines: 18 slots instead of 20");
  });

  test("is not judged while instances come and go, or nothing waits", () => {
    let { state } = step(startedConcurrency(settings));
    ({ state } = step(state));
    expect(step(state, { instances: 2 }).state).toMatchObject({ phase: "resting", limit: 20, base: 20 });
    expect(step(state, { waiting: false, inFlight: 10 }).state).toMatchObject({
      phase: "resting",
      limit: 20,
    });
    expect(step(state, { instances: 0 }).state.phase).toBe("resting");
  });

  test("never leaves its bounds", () => {
    const narrow = { least: 4, most: 6, initial: 5 };
    const { limits } = run(
      knee(1_000, () => 20),
      () => 1e6,
      200,
      narrow,
    );
    expect(Math.max(...limits)).toBe(6);
    const low = run(
      knee(1, () => 20),
      () => 1e6,
      200,
      narrow,
    );
    expect(Math.min(...low.limits)).toBe(4);
  });
});

/** What holds whatever happens: thousands of random services, each with random load, deaths and slow starts. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { burst } from "./burst.ts";
import { instancesFor } from "./combine.ts";
import { decide, type InstancesView, type Outcome } from "./decide.ts";
import type { Decision } from "./reasons.ts";
import { decisionText } from "./reasons.ts";
import { type AutoscalerSettings, checkSettings, concurrencyTarget, defaultSettings } from "./settings.ts";
import { type Random, seededRandom } from "./simulate/random.ts";
import { type AutoscalerState, demandOf, freshState, observe, restartedState, type Sample } from "./state.ts";
import { average } from "./window.ts";

// A loaded machine may take its time.
setDefaultTimeout(60_000);

const SERVICES = 80;
const SECONDS = 240;

function someSettings(random: Random): AutoscalerSettings {
  const whole = (least: number, most: number) => least + Math.floor(random.next() * (most - least + 1));
  const minInstances = whole(0, 3);
  const maxInstances = whole(Math.max(1, minInstances), 60);
  const settings = {
    ...defaultSettings,
    minInstances,
    maxInstances,
    initialScale: whole(0, maxInstances),
    activationScale: whole(1, Math.min(4, maxInstances)),
    concurrency: whole(1, 100),
    targetUtilization: 0.1 + 0.9 * random.next(),
    stableWindowMs: whole(6, 90) * 1_000,
    panicWindowPercentage: whole(1, 100),
    panicThresholdPercentage: whole(110, 400),
    maxScaleUpRate: 1.1 + random.exponential(20),
    maxScaleDownRate: 1.1 + random.exponential(2),
    scaleDownDelayMs: random.next() < 0.5 ? 0 : whole(1, 60) * 1_000,
    scaleToZeroGraceMs: whole(0, 40) * 1_000,
    cheapStartMs: random.next() < 0.2 ? 0 : 1_000,
  };
  expect(checkSettings(settings)).toEqual([]);
  return settings;
}

interface Step {
  readonly before: AutoscalerState;
  readonly outcome: Outcome;
  readonly again: () => Outcome;
  readonly settings: AutoscalerSettings;
  readonly there: number;
  /** Largest demand that the decision could know of. */
  readonly demand: number;
}

/** A service over time: demand jumps, goes to nothing and comes back; instances follow, late, and die. */
function* life(seed: number): Generator<Step> {
  const random = seededRandom(seed);
  const settings = someSettings(random);
  const startTimeMs = random.next() < 0.5 ? 100 : 20_000;
  let state =
    random.next() < 0.3 ? restartedState(settings, 0, Math.floor(random.next() * 20)) : freshState(settings);
  let ready = state.desired ?? 0;
  let starting: number[] = [];
  let level = 0;
  for (let second = 1; second <= SECONDS; second += 1) {
    const now = second * 1_000;
    ready += starting.filter((at) => at <= now).length;
    starting = starting.filter((at) => at > now);
    if (random.next() < 0.02 && ready > 0) ready -= 1;
    if (random.next() < 0.04) level = random.next() < 0.4 ? 0 : random.exponential(40 * settings.concurrency);
    const running = Math.min(level, ready * settings.concurrency);
    const sample: Sample = { now, running, waiting: level - running, refused: 0, arrivalsPerSecond: level };
    const silent = Math.floor(second / 20) % 5 === 3 && seed % 3 === 0;
    if (!silent) state = observe(state, sample);
    const there = ready + starting.length;
    const take = (decision: Decision) => {
      const missing = decision.desired - there;
      if (missing > 0) starting = [...starting, ...new Array<number>(missing).fill(now + startTimeMs)];
      for (let surplus = -missing; surplus > 0; surplus -= 1) {
        if (starting.length > 0) starting = starting.slice(0, -1);
        else ready -= 1;
      }
    };
    const known = [
      average(state.concurrency.stable, now),
      average(state.concurrency.panic, now),
      demandOf(sample),
    ];
    const demand = Math.max(0, ...known.map((value) => value ?? 0));
    const view = { now, ready, starting: starting.length, startTimeMs };
    const call = (from: AutoscalerState) =>
      second % 2 === 0 ? decide(from, view, settings) : burst(from, { ...view, ...sample }, settings);
    const before = state;
    const outcome = call(state);
    yield { before, outcome, again: () => call(outcome.state), settings, there, demand };
    state = outcome.state;
    take(outcome.decision);
  }
}

/** @param holds whether the rule holds at this step */
function everyStep(holds: (step: Step) => boolean): void {
  for (let seed = 1; seed <= SERVICES; seed += 1) {
    for (const step of life(seed)) {
      if (holds(step)) continue;
      const { decision } = step.outcome;
      throw new Error(`seed ${seed}, at ${decision.at}: ${decisionText(decision)}`);
    }
  }
}

describe("every decision", () => {
  test("is a whole number within min and max, and zero only where min is zero", () => {
    let zeros = 0;
    everyStep(({ outcome, settings }) => {
      const { desired } = outcome.decision;
      if (desired === 0) zeros += 1;
      const within = desired >= settings.minInstances && desired <= settings.maxInstances;
      return Number.isInteger(desired) && within;
    });
    expect(zeros).toBeGreaterThan(100);
  });

  test("asks for no more than demand, what there is or was wanted, or a floor justifies", () => {
    let grew = 0;
    everyStep(({ before, outcome, settings, there, demand }) => {
      const { desired } = outcome.decision;
      const panicMost = before.panic.mode === "panicking" ? before.panic.most : 0;
      const delayed = Math.max(0, ...before.delay.maxima.map(({ value }) => value));
      if (desired > there) grew += 1;
      const justified = Math.max(
        instancesFor(demand, concurrencyTarget(settings)),
        settings.minInstances,
        demand > 0 ? settings.activationScale : 0,
        before.desired ?? settings.initialScale,
        there,
        panicMost,
        delayed,
      );
      return desired <= justified;
    });
    expect(grew).toBeGreaterThan(300);
  });

  test("asked for again at once is the same, and leaves the same state", () => {
    everyStep(({ outcome, again }) => {
      const second = again();
      const { panic, idle, delay, desired } = outcome.state;
      return (
        second.decision.desired === outcome.decision.desired &&
        second.state.desired === desired &&
        Bun.deepEquals(second.state.panic, panic) &&
        Bun.deepEquals(second.state.idle, idle) &&
        Bun.deepEquals(second.state.delay, delay)
      );
    });
  });

  test("names the rule that spoke, and adds up", () => {
    const rules = new Set<string>();
    everyStep(({ outcome, there }) => {
      const { rule, reasons, action, count, desired } = outcome.decision;
      rules.add(rule);
      const change = action === "start" ? count : action === "stop" ? -count : 0;
      return reasons.some((reason) => reason.rule === rule) && there + change === desired;
    });
    for (const rule of ["requests", "no_data", "panic_hold", "panic_window", "idle", "zero", "burst"]) {
      expect([...rules]).toContain(rule);
    }
    for (const rule of ["max_scale_down_rate", "max_instances", "min_instances", "scale_down_delay"]) {
      expect([...rules]).toContain(rule);
    }
  });
});

describe("more demand", () => {
  /** The same service at the same moment, with this much in the newest sample. */
  function at(
    base: AutoscalerState,
    settings: AutoscalerSettings,
    view: InstancesView,
    load: number,
  ): number {
    const sample = { now: view.now, running: load, waiting: 0, refused: 0, arrivalsPerSecond: 0 };
    return decide(observe(base, sample), view, settings).decision.desired;
  }

  test("never wants fewer, at a tick or in a line", () => {
    for (let seed = 1; seed <= SERVICES; seed += 1) {
      const random = seededRandom(seed + 10_000);
      const settings = someSettings(random);
      let state = freshState(settings);
      for (let second = 1; second < 40; second += 1) {
        const load = random.next() < 0.5 ? 0 : random.exponential(10 * settings.concurrency);
        const sample = { running: load, waiting: 0, refused: 0, arrivalsPerSecond: 0 };
        state = observe(state, { now: second * 1_000, ...sample });
      }
      const ready = Math.floor(random.next() * 10);
      const starting = Math.floor(random.next() * 3);
      const startTimeMs = 100;
      state = { ...state, desired: ready + starting };
      const loads = Array.from({ length: 12 }, () => random.exponential(30 * settings.concurrency));
      loads.push(0);
      loads.sort((a, b) => a - b);
      const view = { now: 40_000, ready, starting, startTimeMs };
      const ticks = loads.map((load) => at(state, settings, view, load));
      expect([seed, ticks]).toEqual([seed, ticks.toSorted((a, b) => a - b)]);
      const lines = loads.map((waiting) => {
        const seen = { now: 40_000, ready, starting, running: 5, waiting, refused: 0, startTimeMs };
        return burst(state, seen, settings).decision.desired;
      });
      expect([seed, lines]).toEqual([seed, lines.toSorted((a, b) => a - b)]);
    }
  });
});

test("nothing that is handed in is changed", () => {
  const freeze = <T>(value: T): T => {
    if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
      Object.freeze(value);
      for (const part of Object.values(value)) freeze(part);
    }
    return value;
  };
  const settings = freeze({ ...defaultSettings, scaleDownDelayMs: 10_000, cpuUtilization: 0.5 });
  let state = freeze(freshState(settings));
  for (let second = 1; second < 100; second += 1) {
    const now = second * 1_000;
    const running = (second * 37) % 500;
    state = freeze(observe(state, freeze({ now, running, waiting: 3, refused: 1, arrivalsPerSecond: 9 })));
    const view = { now, ready: 3, starting: 1, startTimeMs: 50 };
    state = freeze(burst(state, freeze({ ...view, running, waiting: 60, refused: 0 }), settings).state);
    const usage = freeze({ ...view, cpu: [0.4, 0.9, null] });
    state = freeze(decide(state, usage, settings).state);
  }
  expect(state.desired).toBeGreaterThan(0);
});

/** The measured limit and the autoscaler together, in simulated time: each changes what the other sees. */

import { describe, expect, test } from "bun:test";
import { burst, burstWants } from "./burst.ts";
import {
  type ConcurrencySettings,
  type ConcurrencyState,
  decideConcurrency,
  startedConcurrency,
} from "./concurrency.ts";
import { decide } from "./decide.ts";
import { type AutoscalerSettings, defaultSettings } from "./settings.ts";
import { seededRandom } from "./simulate/random.ts";
import { type AutoscalerState, observe, startedState } from "./state.ts";

const limits: ConcurrencySettings = { least: 1, most: 1_000, initial: 20 };

/** Requests per second that one instance does with so many at a time. */
type Service = (inFlight: number) => number;

const knee =
  (slots: number, ms: number): Service =>
  (inFlight) =>
    (1_000 * Math.min(inFlight, slots)) / ms;
const processor: Service = (inFlight) => 100 * Math.min(1, inFlight / 2);

interface Moment {
  readonly base: number;
  readonly instances: number;
  readonly waiting: number;
}

/** Clients that ask again as soon as they are answered, so many, for a second each window. */
class World {
  readonly moments: Moment[] = [];
  state: ConcurrencyState = startedConcurrency(limits);
  #scaler: AutoscalerState;
  #settings: AutoscalerSettings;
  #instances = 1;
  readonly #service: Service;
  readonly #random: () => number;

  constructor(service: Service, seed: number, more: Partial<AutoscalerSettings> = {}) {
    this.#service = service;
    this.#random = seededRandom(seed).next;
    this.#settings = { ...defaultSettings, minInstances: 1, maxInstances: 50, concurrency: 20, ...more };
    this.#scaler = startedState(this.#settings, 0, 1);
  }

  run(clients: (second: number) => number, seconds: number): this {
    for (let second = 0; second < seconds; second++) this.#second((second + 1) * 1_000, clients(second));
    return this;
  }

  /** Those of the moments from one second to another. */
  bases(from: number, to?: number): number[] {
    return this.moments.slice(from, to).map(({ base }) => base);
  }

  #second(now: number, clients: number): void {
    const there = this.#instances;
    const active = this.state.active === 0 ? there : Math.min(there, this.state.active);
    const running = Math.min(clients, active * this.state.limit);
    const waiting = clients - running;
    const inFlight = running / active;
    const finished = this.#noise(active * this.#service(inFlight));
    this.#scale(now, { running, waiting, refused: 0 });
    const before = this.state.base;
    this.state = decideConcurrency(
      this.state,
      {
        ...{ lengthMs: 1_000, finished, inFlight, waiting: waiting > 0, missed: 0 },
        ...{ instances: this.#instances, packable: true, crowded: active < there && waiting > 0 },
      },
      limits,
    ).state;
    if (this.state.base !== before) this.#settings = { ...this.#settings, concurrency: this.state.base };
    this.moments.push({ base: this.state.base, instances: this.#instances, waiting });
  }

  #scale(now: number, seen: { running: number; waiting: number; refused: number }): void {
    this.#scaler = observe(this.#scaler, { now, ...seen, arrivalsPerSecond: 0 });
    const view = { now, ready: this.#instances, starting: 0, startTimeMs: 50 };
    const desired = this.#scaler.desired ?? this.#instances;
    if (seen.waiting > 0 && burstWants({ ...view, ...seen }, this.#settings) > desired) {
      this.#scaler = burst(this.#scaler, { ...view, ...seen }, this.#settings).state;
    } else if (now % this.#settings.tickMs === 0) {
      this.#scaler = decide(this.#scaler, view, this.#settings).state;
    }
    this.#instances = this.#scaler.desired ?? this.#instances;
  }

  /** Counts scatter. */
  #noise(mean: number): number {
    return Math.max(0, mean + (this.#random() + this.#random() + this.#random() - 1.5) * 2 * Math.sqrt(mean));
  }
}

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

describe("with an autoscaler that keeps nobody waiting", () => {
  test("the limit of a service that mostly awaits grows, and fewer instances are kept", () => {
    for (const seed of SEEDS) {
      const world = new World(knee(500, 100), seed).run(() => 100, 600);
      // Eight of 20 slots at 70 % take 100 at a time.
      expect(world.moments[10]!.instances).toBe(8);
      expect(world.bases(60)[0]!).toBeGreaterThan(40);
      expect(world.state.base).toBeGreaterThanOrEqual(90);
      expect(world.moments.at(-1)!.instances).toBeLessThanOrEqual(2);
      // Nobody waits for a measurement: only before the instances are there.
      expect(world.moments.slice(2).filter(({ waiting }) => waiting > 0)).toEqual([]);
    }
  });

  test("it goes to where more in flight bring nothing, and stays there for half an hour", () => {
    for (const [slots, clients] of [
      [8, 100],
      [32, 300],
      [64, 500],
    ] as const) {
      for (const seed of SEEDS.slice(0, 5)) {
        const world = new World(knee(slots, 20), seed).run(() => clients, 1_800);
        const late = world.bases(300);
        expect(Math.min(...late)).toBeGreaterThanOrEqual(0.7 * slots);
        expect(Math.max(...late)).toBeLessThanOrEqual(2 * slots);
      }
    }
  });

  test("a service that has one processor gets few slots", () => {
    for (const seed of SEEDS) {
      const world = new World(processor, seed).run(() => 60, 900);
      expect(Math.max(...world.bases(600))).toBeLessThanOrEqual(10);
    }
  });

  test("while there is little to do, the limit stays", () => {
    for (const more of [{}, { minInstances: 4 }]) {
      const world = new World(knee(500, 100), 1, more).run(() => 6, 300);
      expect(new Set(world.bases(0))).toEqual(new Set([20]));
    }
  });
});

describe("a packed trial", () => {
  const limits = { least: 1, most: 1_000, initial: 20 };
  const window = {
    ...{ lengthMs: 1_000, finished: 700, inFlight: 14, waiting: false, missed: 0, instances: 6 },
    packable: true,
  };
  const step = (state: ConcurrencyState, more: Partial<typeof window> & { crowded?: boolean } = {}) =>
    decideConcurrency(state, { ...window, ...more }, limits);
  const told = ({ phase, limit, active, base }: ConcurrencyState) => [phase, limit, active, base];

  test("leaves a sixth of the instances out, with as many slots as before, and compares what one does", () => {
    let outcome = step(startedConcurrency(limits));
    expect(told(outcome.state)).toEqual(["before", 20, 6, 20]);
    outcome = step(outcome.state);
    expect(told(outcome.state)).toEqual(["trying", 24, 5, 20]);
    outcome = step(outcome.state, { inFlight: 16.8 });
    expect(told(outcome.state)).toEqual(["after", 20, 6, 20]);
    outcome = step(outcome.state);
    expect(told(outcome.state)).toEqual(["resting", 21, 0, 21]);
    expect(outcome.why).toBe(
      "more slots do more: 140 requests/s of an instance with 17 in flight, 117 with 14",
    );
  });

  test("that brings nothing takes slots away, and one that brings too little changes nothing", () => {
    for (const [finished, base, said] of [
      [584, 17, /^fewer slots do as much: /],
      [618, 20, /^20 slots stay: /],
    ] as const) {
      let { state } = step(startedConcurrency(limits));
      ({ state } = step(state));
      ({ state } = step(state, { inFlight: 16.8, finished }));
      const outcome = step(state);
      expect([outcome.state.base, outcome.state.limit]).toEqual([base, base]);
      expect(outcome.why).toMatch(said);
    }
  });

  test("ends when requests come to wait, when an instance comes, and when there is less to do", () => {
    let { state } = step(startedConcurrency(limits));
    ({ state } = step(state));
    for (const more of [{ crowded: true }, { instances: 7 }, { inFlight: 3 }]) {
      expect(told(step(state, more).state)).toEqual(["resting", 20, 0, 20]);
    }
  });

  test("is not begun with one instance, nor where each request has an instance of its own", () => {
    for (const more of [{ instances: 1 }, { packable: false }]) {
      expect(told(step(startedConcurrency(limits), more).state)).toEqual(["resting", 20, 0, 20]);
    }
  });
});

/** The line under floods, in simulated time: what is served in time, at loads far above what can be done. */

import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SlotTable } from "../table.ts";
import { type Dismissal, Line, type Place, type Waiting } from "./line.ts";
import { ServiceTime } from "./service-time.ts";

const dir = mkdtempSync(join(tmpdir(), "flood-"));
afterAll(() => rmSync(dir, { recursive: true }));

const SLOTS = 8;
const SERVICE_MS = 20;
const CAPACITY = (SLOTS * 1_000) / SERVICE_MS;
const DEADLINE_MS = 1_000;

interface Outcome {
  offered: number;
  /** Answered within their deadline. */
  good: number;
  /** Begun, and answered too late. */
  late: number;
  refused: Partial<Record<Dismissal, number>>;
  criticalOffered: number;
  criticalGood: number;
}

/** Reproducible: mulberry32. */
function randomFrom(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

let files = 0;

/** A gateway with one instance of eight slots; clients give up at their deadline, so a line forgets them then. */
class World {
  now = 1_000;
  readonly random: () => number;
  readonly line: Line;
  readonly bySecond: Outcome[] = [];
  readonly #serviceTime = new ServiceTime();
  readonly #events: { at: number; run: () => void }[] = [];
  #free = SLOTS;

  constructor(shed: boolean, seed: number) {
    this.random = randomFrom(seed);
    const table = SlotTable.create(join(dir, `t${files++}`), { rows: 1, columns: 1 });
    const serviceTime = shed ? this.#serviceTime : null;
    this.line = new Line({
      table,
      column: 0,
      depth: 100_000,
      waitMs: 10_000,
      call: () => {},
      now: () => this.now,
      serviceTime,
    });
  }

  at(at: number, run: () => void): void {
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#events[middle]!.at > at) low = middle + 1;
      else high = middle;
    }
    this.#events.splice(low, 0, { at, run });
  }

  /** Poisson arrivals at `rate(ms since the start)` a second. */
  offer(untilMs: number, rate: (ms: number) => number, rank: () => number = () => 1): void {
    const start = this.now;
    const next = (): void => {
      const ms = this.now - start;
      if (ms > untilMs) return;
      this.#arrive(rank());
      this.at(this.now + (-Math.log(1 - this.random()) * 1_000) / rate(ms), next);
    };
    next();
  }

  run(): void {
    for (let event = this.#events.pop(); event !== undefined; event = this.#events.pop()) {
      this.now = event.at;
      event.run();
    }
  }

  #second(at: number): Outcome {
    const index = Math.floor((at - 1_000) / 1_000);
    this.bySecond[index] ??= {
      offered: 0,
      good: 0,
      late: 0,
      refused: {},
      criticalOffered: 0,
      criticalGood: 0,
    };
    return this.bySecond[index]!;
  }

  #arrive(rank: number): void {
    const arrived = this.now;
    const outcome = this.#second(arrived);
    outcome.offered++;
    if (rank === 0) outcome.criticalOffered++;
    const request: Waiting = {
      place: null as Place | null,
      rank,
      remaining: (now) => arrived + DEADLINE_MS - now,
      dismissed: (why) => {
        outcome.refused[why] = (outcome.refused[why] ?? 0) + 1;
      },
    };
    const finish = (): void => {
      const inTime = this.now <= arrived + DEADLINE_MS;
      if (inTime) outcome.good++;
      else outcome.late++;
      if (inTime && rank === 0) outcome.criticalGood++;
    };
    if (!this.line.busy && this.#free > 0) this.#begin(finish);
    else {
      this.line.enter(request, this.now);
      this.at(arrived + DEADLINE_MS, () => Line.leave(request));
      this.#starts.set(request, finish);
      this.#serve();
    }
  }

  readonly #starts = new Map<Waiting, () => void>();

  #begin(finish: () => void): void {
    this.#free--;
    const ms = SERVICE_MS * (0.8 + 0.4 * this.random());
    this.at(this.now + ms, () => {
      this.#serviceTime.observe(ms);
      this.#free++;
      finish();
      this.#serve();
    });
  }

  #serve(): void {
    this.line.serve<true>({
      free: () => this.#free > 0,
      take: () => (this.#free > 0 ? true : null),
      start: (owner) => this.#begin(this.#starts.get(owner)!),
    });
  }
}

function sum(world: World, from: number, to: number, pick: (outcome: Outcome) => number): number {
  return world.bySecond
    .slice(from, to)
    .reduce((total, outcome) => total + (outcome === undefined ? 0 : pick(outcome)), 0);
}

function steady(load: number, shed: boolean, seed: number): World {
  const world = new World(shed, seed);
  world.offer(20_000, () => load * CAPACITY);
  world.run();
  return world;
}

describe("with shedding", () => {
  for (const load of [0.5, 0.9, 1.2, 2, 5, 10]) {
    test(`at ${load} times what can be done, goodput is kept and nothing begun is late`, () => {
      for (const seed of [1, 2]) {
        const world = steady(load, true, seed);
        const goodput = sum(world, 3, 19, ({ good }) => good) / 16;
        expect(goodput / (Math.min(1, load) * CAPACITY)).toBeGreaterThan(0.95);
        expect(sum(world, 0, 20, ({ late }) => late)).toBe(0);
      }
    });
  }

  test("a burst that can be worked off in time is refused nothing", () => {
    const world = new World(true, 3);
    world.offer(0.5, () => 600_000);
    world.run();
    const [first] = world.bySecond;
    expect(first!.offered).toBeGreaterThan(150);
    expect(first!.good).toBe(first!.offered);
  });

  test("it is normal again at once when a flood is over", () => {
    const world = flood(true);
    expect(
      sum(world, 36, 55, ({ good }) => good) / sum(world, 36, 55, ({ offered }) => offered),
    ).toBeGreaterThan(0.99);
    expect(sum(world, 0, 60, ({ late }) => late)).toBe(0);
  });

  test("the critical class gets through where bulk is most of three times what can be done", () => {
    const world = new World(true, 5);
    world.offer(
      20_000,
      () => 3 * CAPACITY,
      () => (world.random() < 0.7 ? 2 : world.random() < 0.34 ? 0 : 1),
    );
    world.run();
    const offered = sum(world, 1, 20, ({ criticalOffered }) => criticalOffered);
    expect(offered).toBeGreaterThan(1_000);
    expect(sum(world, 1, 20, ({ criticalGood }) => criticalGood) / offered).toBeGreaterThan(0.99);
  });
});

/** Thirty seconds at five times what can be done, then eight tenths. */
function flood(shed: boolean): World {
  const world = new World(shed, 4);
  world.offer(60_000, (ms) => (ms < 30_000 ? 5 : 0.8) * CAPACITY);
  world.run();
  return world;
}

test("without shedding the same flood leaves little that is in time, which shows that these tests can fail", () => {
  const world = flood(false);
  const goodput = sum(world, 3, 29, ({ good }) => good) / 26;
  expect(goodput / CAPACITY).toBeLessThan(0.5);
  expect(sum(world, 0, 60, ({ late }) => late)).toBeGreaterThan(1_000);
});

/** What both models share: the counters of the simulated service, and what is measured on them. */

import type { AutoscalerSettings } from "../settings.ts";
import { Histogram } from "./histogram.ts";

export type ModelName = "events" | "fluid";

export interface SimulationOptions {
  readonly settings: AutoscalerSettings;
  /** Mean time a request holds its slot, where the trace does not say. */
  readonly serviceTimeMs: number;
  /** Standard deviation of that time over its mean; 0: always the same. */
  readonly serviceCv: number;
  /** From asking for an instance to its being ready. */
  readonly startTimeMs: number;
  /** Requests that may wait; auto: 10 x concurrency x instances, at least one instance's. */
  readonly lineDepth: number | "auto";
  readonly lineWaitMs: number;
  readonly seed: number;
  /** Requests come at even distances instead of by chance. */
  readonly even: boolean;
  /** Each request by itself, or amounts of them. auto: by itself while there are at most {@link MOST_EVENTS}. */
  readonly model: "auto" | ModelName;
  /** Length of a row of the timeline; null: such that there are about 30. */
  readonly intervalMs: number | null;
}

/** Requests that are simulated one by one when nobody says how: a few seconds of work. */
export const MOST_EVENTS = 1_000_000;

/** Samples go to the autoscaler this often. */
export const SAMPLE_MS = 1_000;

/** A rate is not told from a shorter time than this. */
const LEAST_RATE_MS = 100;

/** The counters of the moment, and totals. Requests are whole in events and parts in a fluid. */
export class World {
  now = 0;
  /** Requests in instances, draining ones included. */
  running = 0;
  waiting = 0;
  ready = 0;
  starting = 0;
  draining = 0;
  arrived = 0;
  /** Requests that got a slot. */
  admitted = 0;
  refusedFull = 0;
  refusedLate = 0;
  starts = 0;
  stops = 0;

  get refused(): number {
    return this.refusedFull + this.refusedLate;
  }

  /** Instances that there are or will be. */
  get instances(): number {
    return this.ready + this.starting;
  }
}

/** One row of the timeline. */
export interface TimelineRow {
  readonly fromMs: number;
  readonly toMs: number;
  /** Requests per second that came. */
  readonly arrivalsPerSecond: number;
  /** Means over the row. */
  readonly running: number;
  readonly waiting: number;
  readonly ready: number;
  /** Most instances at a time, those that start or drain included. */
  readonly mostInstances: number;
  /** Instances wanted at the row's end. */
  readonly desired: number;
  /** Instances that Little's law asks for, in the mean. */
  readonly needed: number;
  readonly waitP50Ms: number;
  readonly waitP99Ms: number;
  readonly refused: number;
  readonly instanceSeconds: number;
}

/** Amounts over time, in units x milliseconds. */
interface Integrals {
  running: number;
  waiting: number;
  ready: number;
  /** All instances that cost something: starting, ready, draining. */
  alive: number;
}

const none = (): Integrals => ({ running: 0, waiting: 0, ready: 0, alive: 0 });

/** Integrates a {@link World} over time, for samples, rows and totals. */
export class Meter {
  readonly world: World;
  readonly total = none();
  readonly waits = new Histogram();
  readonly rows: TimelineRow[] = [];
  mostInstances = 0;
  readonly #rowWaits = new Histogram();
  readonly #needed: (fromMs: number, toMs: number) => number;
  #sample = { at: 0, arrived: 0, refused: 0, running: 0, waiting: 0 };
  #row = { at: 0, arrived: 0, refused: 0, most: 0, ...none() };

  /** @param needed mean instances that Little's law asks for between two times */
  constructor(world: World, needed: (fromMs: number, toMs: number) => number) {
    this.world = world;
    this.#needed = needed;
  }

  /** Time passes; the counters stand as they are until then. */
  advance(to: number): void {
    const { world, total } = this;
    const ms = to - world.now;
    if (ms <= 0) return;
    const alive = world.ready + world.starting + world.draining;
    total.running += world.running * ms;
    total.waiting += world.waiting * ms;
    total.ready += world.ready * ms;
    total.alive += alive * ms;
    if (alive > this.#row.most) this.#row.most = alive;
    if (alive > this.mostInstances) this.mostInstances = alive;
    world.now = to;
  }

  /** A request got its slot after this wait. */
  waited(ms: number, weight = 1): void {
    this.waits.add(ms, weight);
    this.#rowWaits.add(ms, weight);
  }

  /** Requests per second that came and were not refused since the last sample, once there is enough time to tell; else 0. */
  admittedPerSecond(): number {
    const { world } = this;
    const ms = world.now - this.#sample.at;
    if (ms < LEAST_RATE_MS) return 0;
    return (1_000 * (world.arrived - this.#sample.arrived - world.refused + this.#sample.refused)) / ms;
  }

  /** What came since the last sample. */
  takeSample(): { overMs: number; running: number; waiting: number; refused: number; arrived: number } {
    const { world, total } = this;
    const before = this.#sample;
    this.#sample = {
      at: world.now,
      arrived: world.arrived,
      refused: world.refused,
      running: total.running,
      waiting: total.waiting,
    };
    const overMs = world.now - before.at;
    return {
      overMs,
      running: (total.running - before.running) / overMs,
      waiting: (total.waiting - before.waiting) / overMs,
      refused: world.refused - before.refused,
      arrived: world.arrived - before.arrived,
    };
  }

  /** Ends a row of the timeline. */
  endRow(desired: number): void {
    const { world, total } = this;
    const before = this.#row;
    const ms = world.now - before.at;
    if (ms > 0) {
      this.rows.push({
        fromMs: before.at,
        toMs: world.now,
        arrivalsPerSecond: (1_000 * (world.arrived - before.arrived)) / ms,
        running: (total.running - before.running) / ms,
        waiting: (total.waiting - before.waiting) / ms,
        ready: (total.ready - before.ready) / ms,
        mostInstances: before.most,
        desired,
        needed: this.#needed(before.at, world.now),
        waitP50Ms: this.#rowWaits.percentile(0.5),
        waitP99Ms: this.#rowWaits.percentile(0.99),
        refused: world.refused - before.refused,
        instanceSeconds: (total.alive - before.alive) / 1_000,
      });
    }
    this.#rowWaits.clear();
    this.#row = { at: world.now, arrived: world.arrived, refused: world.refused, most: 0, ...total };
  }
}

/**
 * The service as a fluid: amounts of requests in small steps of time. For loads that are too large to follow each request; the
 * number of instances costs nothing. Chance and the spread of service times are left out: service ends at a rate, waits come from
 * the line alone.
 */

import type { ModelRun } from "./events.ts";
import { Scaler } from "./scaler.ts";
import type { Trace, TraceRow } from "./trace.ts";
import { Meter, SAMPLE_MS, type SimulationOptions, World } from "./world.ts";

/** Short enough to see a start. */
const STEP_MS = 50;
/** While nothing changes, a step is as long as the clocks allow. Requests in flight that are so near to where they go stand still. */
const STILL = 1e-3;

/** Less of a request than this is none. */
const NOTHING = 1e-9;

/** Runs a trace to its end. */
export function runFluid(
  trace: Trace,
  options: SimulationOptions,
  plan: { readonly rowMs: number; readonly needed: (fromMs: number, toMs: number) => number },
): ModelRun {
  const model = new FluidModel(options, plan.needed);
  let sampleAt = SAMPLE_MS;
  let tickAt = options.settings.tickMs;
  let rowAt = plan.rowMs;
  model.scale(model.scaler.tick(model.world));
  for (const row of trace.rows) {
    for (let at = row.fromMs; at < row.toMs; ) {
      // Steps end where something is due, so that the clocks are exact.
      const longest = model.still(row) ? Number.POSITIVE_INFINITY : STEP_MS;
      const to = Math.min(at + longest, row.toMs, sampleAt, tickAt, rowAt);
      model.step(row, to);
      at = to;
      if (to >= trace.durationMs) break;
      if (to >= sampleAt) {
        model.sample();
        sampleAt += SAMPLE_MS;
      }
      if (to >= tickAt) {
        model.scale(model.scaler.tick(model.world));
        tickAt += options.settings.tickMs;
      }
      if (to >= rowAt) {
        model.meter.endRow(model.scaler.desired);
        rowAt += plan.rowMs;
      }
    }
  }
  model.meter.endRow(model.scaler.desired);
  return { meter: model.meter, scaler: model.scaler };
}

/** Requests that joined the line in one step. */
interface Cohort {
  readonly at: number;
  amount: number;
}

/** Instances that were asked for together. */
interface Start {
  readonly readyAt: number;
  count: number;
}

class FluidModel {
  readonly world = new World();
  readonly meter: Meter;
  readonly scaler: Scaler;
  readonly #options: SimulationOptions;
  /** Requests in ready instances; the rest of those that run are in draining ones. */
  #running = 0;
  /** Draining instances, with the requests that they had. */
  #draining = { instances: 0, requests: 0, left: 0 };
  #starts: Start[] = [];
  readonly #line: Cohort[] = [];
  /** Of {@link #line}: before this one all have left. */
  #head = 0;
  #serviceTimeMs: number;

  constructor(options: SimulationOptions, needed: (fromMs: number, toMs: number) => number) {
    this.#options = options;
    this.#serviceTimeMs = options.serviceTimeMs;
    this.meter = new Meter(this.world, needed);
    this.scaler = new Scaler(options);
  }

  sample(): void {
    this.scaler.sample(this.meter, this.#serviceTimeMs);
  }

  /** Whether what a row brings will only go on: nobody waits, no instance comes or goes, as many requests end as come. */
  still(row: TraceRow): boolean {
    const { world } = this;
    if (world.waiting > 0 || world.starting > 0 || world.draining > 0) return false;
    const steady =
      (row.arrivals / (row.toMs - row.fromMs)) * (row.serviceTimeMs ?? this.#options.serviceTimeMs);
    const slots = world.ready * this.#options.settings.concurrency;
    return steady <= slots && Math.abs(steady - this.#running) <= STILL * Math.max(1, steady);
  }

  /** One step of time: instances become ready, requests end, come, are served, wait, give up. */
  step(row: TraceRow, to: number): void {
    const { world } = this;
    const ms = to - world.now;
    this.#serviceTimeMs = row.serviceTimeMs ?? this.#options.serviceTimeMs;
    this.meter.advance(to);
    this.#ready(to);
    this.#drain(ms);
    const arriving = (row.arrivals * ms) / (row.toMs - row.fromMs);
    world.arrived += arriving;
    this.#serve(arriving, ms, to);
    this.#giveUp(to);
    world.running = this.#running + this.#draining.left;
    if (world.waiting > NOTHING) this.scale(this.scaler.line(this.meter, this.#serviceTimeMs));
  }

  #ready(now: number): void {
    while (this.#starts.length > 0 && this.#starts[0]!.readyAt <= now) {
      const { count } = this.#starts.shift()!;
      this.world.starting -= count;
      this.world.ready += count;
    }
  }

  /** Draining instances go as their requests end. */
  #drain(ms: number): void {
    const draining = this.#draining;
    if (draining.instances === 0) return;
    draining.left *= Math.exp(-ms / this.#serviceTimeMs);
    if (draining.left < 0.5) this.#draining = { instances: 0, requests: 0, left: 0 };
    this.world.draining = Math.ceil(
      this.#draining.instances * (this.#draining.left / Math.max(this.#draining.requests, NOTHING)),
    );
  }

  /**
   * Serves what waits and what arrives, as far as slots go. With a steady inflow the running requests move to inflow x service time
   * exponentially; where that is more than the slots, these stay full and their ends let in what they can.
   */
  #serve(arriving: number, ms: number, now: number): void {
    const { world } = this;
    const slots = world.ready * this.#options.settings.concurrency;
    const offered = world.waiting + arriving;
    const decay = Math.exp(-ms / this.#serviceTimeMs);
    const steady = (offered / ms) * this.#serviceTimeMs;
    const free = steady + (this.#running - steady) * decay;
    let admitted = offered;
    if (free <= slots) this.#running = free;
    else {
      const ends = ((this.#running + slots) / 2) * (ms / this.#serviceTimeMs);
      admitted = Math.min(offered, Math.max(0, slots - this.#running + ends));
      this.#running = Math.min(slots, Math.max(0, this.#running + admitted - ends));
    }
    world.admitted += admitted;
    const direct = Math.max(0, admitted - this.#admitFromLine(admitted, now));
    if (direct > 0) this.meter.waited(0, direct);
    this.#join(arriving - direct, now - ms / 2);
  }

  /** Those who wait come first; answers how many of them got in. */
  #admitFromLine(most: number, now: number): number {
    let admitted = 0;
    while (this.#head < this.#line.length && most - admitted > NOTHING) {
      const cohort = this.#line[this.#head]!;
      const amount = Math.min(cohort.amount, most - admitted);
      this.meter.waited(Math.max(0, now - cohort.at), amount);
      admitted += amount;
      cohort.amount -= amount;
      if (cohort.amount > NOTHING) break;
      this.#head += 1;
    }
    this.#settle(admitted);
    return admitted;
  }

  #join(amount: number, at: number): void {
    if (amount <= NOTHING) return;
    const { world } = this;
    const { lineDepth, settings } = this.#options;
    const depth = lineDepth === "auto" ? 10 * settings.concurrency * Math.max(1, world.instances) : lineDepth;
    const room = Math.max(0, Math.min(amount, depth - world.waiting));
    if (room > NOTHING) this.#line.push({ at, amount: room });
    world.waiting += room;
    world.refusedFull += amount - room;
  }

  #giveUp(now: number): void {
    let late = 0;
    while (this.#head < this.#line.length && this.#line[this.#head]!.at + this.#options.lineWaitMs <= now) {
      late += this.#line[this.#head]!.amount;
      this.#head += 1;
    }
    this.world.refusedLate += late;
    this.#settle(late);
  }

  /** Takes what left the line off the count, and the places that are empty off the list. */
  #settle(amount: number): void {
    if (this.#line.length === 0) return;
    const empty = this.#head >= this.#line.length;
    this.world.waiting = empty ? 0 : Math.max(0, this.world.waiting - amount);
    if (empty || this.#head > 4_096) {
      this.#line.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** Starts or stops what is too few or too many: first those that have not started, then ready ones, which drain. */
  scale(desired: number): void {
    const { world } = this;
    const missing = desired - world.instances;
    if (missing > 0) {
      this.#starts.push({ readyAt: world.now + this.#options.startTimeMs, count: missing });
      world.starting += missing;
      world.starts += missing;
      return;
    }
    let surplus = -missing;
    world.stops += surplus;
    while (surplus > 0 && this.#starts.length > 0) {
      const last = this.#starts.at(-1)!;
      const count = Math.min(surplus, last.count);
      last.count -= count;
      surplus -= count;
      world.starting -= count;
      if (last.count === 0) this.#starts.pop();
    }
    if (surplus === 0) return;
    const leaving = world.ready === 0 ? 0 : this.#running * (surplus / world.ready);
    this.#running -= leaving;
    world.ready -= surplus;
    const left = this.#draining.left + leaving;
    this.#draining = { instances: world.draining + surplus, requests: left, left };
    world.draining = left < 0.5 ? 0 : this.#draining.instances;
  }
}

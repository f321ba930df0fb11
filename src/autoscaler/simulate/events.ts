/** The service request by request: discrete events. For up to some millions of requests. */

import { Arrivals } from "./arrivals.ts";
import { Fleet } from "./fleet.ts";
import { Agenda, Fifo } from "./queues.ts";
import { type Random, seededRandom } from "./random.ts";
import { Scaler } from "./scaler.ts";
import type { Trace } from "./trace.ts";
import { Meter, SAMPLE_MS, type SimulationOptions, World } from "./world.ts";

/** A line that goes on is looked at again after this long, as a platform bundles the calls of its gateways. */
const LINE_LOOK_MS = 10;

export interface ModelRun {
  readonly meter: Meter;
  readonly scaler: Scaler;
}

/** Runs a trace to its end. */
export function runEvents(
  trace: Trace,
  options: SimulationOptions,
  plan: { readonly rowMs: number; readonly needed: (fromMs: number, toMs: number) => number },
): ModelRun {
  return new EventModel(trace, options, plan).run();
}

class EventModel {
  readonly #options: SimulationOptions;
  readonly #random: Random;
  readonly #world = new World();
  readonly #meter: Meter;
  readonly #scaler: Scaler;
  readonly #fleet: Fleet;
  readonly #arrivals: Arrivals;
  readonly #endMs: number;
  readonly #rowMs: number;
  /** Ends of service, each with its instance. */
  readonly #ends = new Agenda();
  /** When instances become ready. All starts take as long, so they stay in order. */
  readonly #starts = new Fifo();
  /** Arrival times of those that wait. All may wait as long, so the first is the first to give up. */
  readonly #line = new Fifo();
  #lookAt = Number.POSITIVE_INFINITY;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #sampleAt = SAMPLE_MS;
  #tickAt: number;
  #rowAt: number;
  #serviceTimeMs: number;

  constructor(
    trace: Trace,
    options: SimulationOptions,
    plan: { readonly rowMs: number; readonly needed: (fromMs: number, toMs: number) => number },
  ) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#meter = new Meter(this.#world, plan.needed);
    this.#scaler = new Scaler(options);
    this.#fleet = new Fleet(options.settings.concurrency);
    this.#arrivals = new Arrivals(trace, this.#random, options.even);
    this.#endMs = trace.durationMs;
    this.#rowMs = plan.rowMs;
    this.#rowAt = plan.rowMs;
    this.#tickAt = options.settings.tickMs;
    this.#serviceTimeMs = trace.rows[0]!.serviceTimeMs ?? options.serviceTimeMs;
  }

  run(): ModelRun {
    this.#scale(this.#scaler.tick(this.#world));
    for (;;) {
      const request = Math.min(
        this.#ends.next,
        this.#starts.peek(),
        this.#line.peek() + this.#options.lineWaitMs,
        this.#arrivals.next,
      );
      const clock = Math.min(this.#lookAt, this.#sampleAt, this.#tickAt, this.#rowAt);
      const at = Math.min(request, clock);
      if (at >= this.#endMs) break;
      this.#meter.advance(at);
      if (request <= clock) this.#request(at);
      else this.#clock(at);
    }
    this.#meter.advance(this.#endMs);
    this.#meter.endRow(this.#scaler.desired);
    return { meter: this.#meter, scaler: this.#scaler };
  }

  /** The request or instance that is due. */
  #request(at: number): void {
    if (this.#starts.peek() <= at) this.#started();
    else if (this.#ends.next <= at) this.#ended();
    else if (this.#line.peek() + this.#options.lineWaitMs <= at) {
      this.#line.shift();
      this.#world.waiting -= 1;
      this.#world.refusedLate += 1;
    } else this.#arrived(at);
  }

  /** The sample, decision or row that is due. */
  #clock(at: number): void {
    if (this.#sampleAt <= at) {
      this.#sampleAt += SAMPLE_MS;
      this.#scaler.sample(this.#meter, this.#serviceTimeMs);
    } else if (this.#tickAt <= at) {
      this.#tickAt += this.#options.settings.tickMs;
      this.#scale(this.#scaler.tick(this.#world));
    } else if (this.#rowAt <= at) {
      this.#rowAt += this.#rowMs;
      this.#meter.endRow(this.#scaler.desired);
    } else {
      this.#lookAt = Number.POSITIVE_INFINITY;
      this.#lookedAt = at;
      if (this.#line.length > 0) this.#scale(this.#scaler.line(this.#meter, this.#serviceTimeMs));
    }
  }

  #arrived(at: number): void {
    const world = this.#world;
    const { row } = this.#arrivals;
    this.#serviceTimeMs = row.serviceTimeMs ?? this.#options.serviceTimeMs;
    world.arrived += 1;
    this.#arrivals.advance();
    const instance = this.#line.length === 0 ? this.#fleet.take() : -1;
    if (instance !== -1) {
      this.#begin(instance, 0, row.serviceCv);
      return;
    }
    if (this.#line.length >= this.#depth()) world.refusedFull += 1;
    else {
      this.#line.push(at);
      world.waiting += 1;
    }
    if (this.#lookAt === Number.POSITIVE_INFINITY) this.#lookAt = Math.max(at, this.#lookedAt + LINE_LOOK_MS);
  }

  #depth(): number {
    const { lineDepth, settings } = this.#options;
    return lineDepth === "auto" ? 10 * settings.concurrency * Math.max(1, this.#world.instances) : lineDepth;
  }

  #begin(instance: number, waitedMs: number, cv: number | null): void {
    this.#world.running += 1;
    this.#world.admitted += 1;
    this.#meter.waited(waitedMs);
    const ms = this.#random.positive(this.#serviceTimeMs, cv ?? this.#options.serviceCv);
    this.#ends.add(this.#world.now + ms, instance);
  }

  #ended(): void {
    const again = this.#fleet.release(this.#ends.take());
    this.#world.running -= 1;
    this.#world.draining = this.#fleet.draining;
    if (again) this.#serve();
  }

  #started(): void {
    this.#starts.shift();
    this.#fleet.add();
    this.#world.starting -= 1;
    this.#world.ready += 1;
    this.#serve();
  }

  /** Free slots go to those who wait. */
  #serve(): void {
    while (this.#line.length > 0) {
      const instance = this.#fleet.take();
      if (instance === -1) return;
      const waited = this.#world.now - this.#line.shift();
      this.#world.waiting -= 1;
      this.#begin(instance, waited, this.#arrivals.row.serviceCv);
    }
  }

  /** Starts or stops what is too few or too many: first those that have not started, then the idlest. */
  #scale(desired: number): void {
    const world = this.#world;
    for (; world.instances < desired; world.starting += 1) {
      this.#starts.push(world.now + this.#options.startTimeMs);
      world.starts += 1;
    }
    for (; world.instances > desired; world.stops += 1) {
      if (world.starting > 0) {
        this.#starts.pop();
        world.starting -= 1;
      } else {
        this.#fleet.remove();
        world.ready -= 1;
      }
    }
    world.draining = this.#fleet.draining;
  }
}

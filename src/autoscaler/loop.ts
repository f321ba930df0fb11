/**
 * The autoscaler at work, and the only file of this room that is not pure: it keeps the state, reads what the gateways count, asks
 * the pure functions, and has the pool follow them.
 *
 *   every 100 ms  read the counts
 *   every second  observe: one sample, zero too
 *   every tick    decide
 *   a line forms  burst, at once
 *
 * Samples have fixed times, so that a busy machine leaves no second out: a second without a sample counts as zero.
 */

import type { Clock } from "../base/clock.ts";
import type { ScalingReport } from "../model/scaling.ts";
import { type BurstView, burst, burstWants } from "./burst.ts";
import { decide, type Outcome } from "./decide.ts";
import { DemandMeter } from "./demand.ts";
import type { Counts, LoopPorts, PoolView } from "./ports.ts";
import { type Decision, isNews } from "./reasons.ts";
import { type AutoscalerSettings, lineDrainMs, panicWindowMs } from "./settings.ts";
import { type AutoscalerState, observe, startedState } from "./state.ts";
import { Wakes } from "./wakes.ts";

const READING_MS = 100;
const SAMPLE_MS = 1_000;
/** Weight of the newest start in the mean start time. */
const NEWEST = 0.5;

/** Starts that are remembered. */
const STARTS_KEPT = 8;

export class AutoscalerLoop {
  readonly wakes = new Wakes();
  #settings: AutoscalerSettings;
  readonly #ports: LoopPorts;
  readonly #clock: Clock;
  readonly #demand: DemandMeter;
  #state: AutoscalerState;
  #startTimeMs: number | null = null;
  /** When the next sample and the next decision are due. */
  #sampleAt: number;
  #tickAt: number;
  readonly #starts: number[] = [];
  #told: { tick: Decision | undefined; burst: Decision | undefined } = { tick: undefined, burst: undefined };
  #cancel = () => {};
  #stopped = false;

  /** Begins beside the instances that there are, and keeps them until there is history. Settings must be right, see checkSettings. */
  constructor(settings: AutoscalerSettings, ports: LoopPorts) {
    this.#settings = settings;
    this.#ports = ports;
    this.#clock = ports.clock;
    const now = ports.clock.now();
    const { ready, starting } = ports.pool();
    this.#state = startedState(settings, now, ready + starting);
    this.#demand = new DemandMeter(() => lineDrainMs(settings, this.#startTimeMs), now, ports.totals());
    this.#sampleAt = now + SAMPLE_MS;
    this.#tickAt = now + settings.tickMs;
  }

  /** Starts to look. */
  start(): void {
    this.#cancel = this.#clock.after(READING_MS, () => this.#beat());
  }

  /** Nothing is decided any more. A second call does nothing. */
  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  /**
   * Requests wait or were refused: starts what they justify, without waiting for the tick.
   * @param since when the first of them came, on the loop's clock
   */
  lineFormed(since: number): void {
    if (this.#stopped) return;
    const pool = this.#ports.pool();
    if (pool.ready === 0) this.wakes.waited(since);
    const desired = this.#state.desired ?? pool.ready + pool.starting;
    // Under a flood this is called all the time.
    if (desired >= this.#settings.maxInstances) return;
    const counts = this.#ports.counts();
    if (counts === null) return;
    const view = this.#burstView(counts, pool);
    if (burstWants(view, this.#settings) <= desired) return;
    this.#follow(burst(this.#state, view, this.#settings), pool);
  }

  /** An instance has become ready, so long after it was asked for. */
  instanceReady(startMs: number): void {
    this.#startTimeMs =
      this.#startTimeMs === null ? startMs : NEWEST * startMs + (1 - NEWEST) * this.#startTimeMs;
    this.#starts.push(startMs);
    if (this.#starts.length > STARTS_KEPT) this.#starts.shift();
    this.wakes.ready(this.#clock.now());
  }

  /** An instance has so many slots from now on. */
  setConcurrency(concurrency: number): void {
    this.#settings = { ...this.#settings, concurrency };
  }

  /** What holds now. */
  report(): ScalingReport {
    const { minInstances, maxInstances } = this.#settings;
    const { ready, starting } = this.#ports.pool();
    return {
      minInstances,
      maxInstances,
      desired: this.#state.desired ?? ready + starting,
      panicking: this.#state.panic.mode === "panicking",
    };
  }

  #beat(): void {
    if (this.#stopped) return;
    const now = this.#clock.now();
    const counts = this.#ports.counts();
    if (counts !== null) this.#demand.read(counts);
    if (now >= this.#sampleAt) this.#observe(now);
    if (now >= this.#tickAt) this.#tick(now);
    this.#cancel = this.#clock.after(READING_MS, () => this.#beat());
  }

  /** One sample, for each second that is over. After a pause as long as the panic window nobody knows what they were like. */
  #observe(now: number): void {
    const sample = this.#demand.sample(now, this.#ports.totals());
    const late = now - this.#sampleAt;
    if (late >= panicWindowMs(this.#settings)) this.#sampleAt += Math.floor(late / SAMPLE_MS) * SAMPLE_MS;
    for (; this.#sampleAt <= now; this.#sampleAt += SAMPLE_MS) {
      if (sample !== null) this.#state = observe(this.#state, { now: this.#sampleAt, ...sample });
    }
  }

  #tick(now: number): void {
    const { tickMs } = this.#settings;
    this.#tickAt += Math.max(1, Math.ceil((now - this.#tickAt) / tickMs)) * tickMs;
    const pool = this.#ports.pool();
    const usage = this.#ports.usage();
    const view = { now, ...pool, ...usage, startTimeMs: this.#startTimeMs };
    this.#follow(decide(this.#state, view, this.#settings), pool);
  }

  #burstView(counts: Counts, pool: PoolView): BurstView {
    const seen = this.#demand.moment(counts, this.#ports.totals());
    // The quickest of the last ones: what a start takes by itself, without what else the machine had to do.
    const startTimeMs = this.#starts.length === 0 ? null : Math.min(...this.#starts);
    return { now: this.#clock.now(), ...pool, ...seen, startTimeMs };
  }

  #follow({ state, decision }: Outcome, pool: PoolView): void {
    this.#state = state;
    const { trigger, desired } = decision;
    // Each is compared with its own kind: where starts are slow, bursts that say so and ticks take turns.
    const news = isNews(decision, this.#told[trigger]);
    this.#told[trigger] = decision;
    if (desired !== pool.ready + pool.starting) this.#ports.scale(desired);
    this.#ports.decided(decision, news);
  }
}

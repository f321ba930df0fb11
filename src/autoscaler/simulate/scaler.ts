/** The autoscaler as both models call it: the same functions that a platform calls, with the simulated time. */

import { burst, burstWants } from "../burst.ts";
import { decide, type Outcome } from "../decide.ts";
import { type Decision, isNews } from "../reasons.ts";
import { lineDrainMs } from "../settings.ts";
import { type AutoscalerState, freshState, observe, refusedSlots, waitingSlots } from "../state.ts";
import type { Meter, SimulationOptions, World } from "./world.ts";

export class Scaler {
  /** Those that are worth a line. */
  readonly decisions: Decision[] = [];
  directionChanges = 0;
  readonly #options: SimulationOptions;
  #state: AutoscalerState;
  #refusedPerMs = 0;
  #admittedPerSecond = 0;
  #direction = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#state = freshState(options.settings);
  }

  get desired(): number {
    return this.#state.desired ?? 0;
  }

  /** Tells the autoscaler what came since the last sample. */
  sample(meter: Meter, serviceTimeMs: number): void {
    const { overMs, running, waiting, refused, arrived } = meter.takeSample();
    if (overMs <= 0) return;
    this.#refusedPerMs = refused / overMs;
    this.#admittedPerSecond = (1_000 * (arrived - refused)) / overMs;
    const { settings, startTimeMs } = this.#options;
    const line = { running, admittedPerSecond: this.#admittedPerSecond, serviceTimeMs };
    this.#state = observe(this.#state, {
      now: meter.world.now,
      running,
      waiting: waitingSlots(waiting, { ...line, drainMs: lineDrainMs(settings, startTimeMs) }),
      refused: refusedSlots(refused, overMs, serviceTimeMs),
      arrivalsPerSecond: (1_000 * arrived) / overMs,
    });
  }

  /** The decision of a tick: instances that there should be. */
  tick(world: World): number {
    const view = {
      now: world.now,
      ready: world.ready,
      starting: world.starting,
      startTimeMs: this.#options.startTimeMs,
    };
    return this.#take(decide(this.#state, view, this.#options.settings));
  }

  /** The decision for a line: instances that there should be. */
  line(meter: Meter, serviceTimeMs: number): number {
    const { now, ready, starting, running } = meter.world;
    const refused = this.#refusedPerMs * serviceTimeMs;
    const { startTimeMs, settings } = this.#options;
    const admittedPerSecond = Math.max(this.#admittedPerSecond, meter.admittedPerSecond());
    const line = { running, admittedPerSecond, serviceTimeMs, drainMs: lineDrainMs(settings, startTimeMs) };
    const waiting = waitingSlots(meter.world.waiting, line);
    const view = { now, ready, starting, running, waiting, refused, startTimeMs };
    if (burstWants(view, settings) <= this.desired) return this.desired;
    return this.#take(burst(this.#state, view, settings));
  }

  #take({ state, decision }: Outcome): number {
    const before = this.#state.desired ?? 0;
    this.#state = state;
    const direction = Math.sign(decision.desired - before);
    if (direction !== 0) {
      if (this.#direction !== 0 && direction !== this.#direction) this.directionChanges += 1;
      this.#direction = direction;
    }
    if (isNews(decision, this.decisions.at(-1))) this.decisions.push(decision);
    return decision.desired;
  }
}

/**
 * From readings to samples: what the gateways count becomes one sample a second. Pure but for what it remembers.
 *
 * Requests in instances are read several times a second. What comes and goes between two readings is not seen by them, so the time
 * that finished requests held their slots counts as well: a service with a request of 5 ms now and then is not idle.
 */

import type { Counts, Totals } from "./ports.ts";
import { refusedSlots, type Sample, waitingSlots } from "./state.ts";

/** Weight of the newest in the mean service time. */
const NEWEST = 0.3;

const noCounters: Totals = { arrived: 0, refused: 0, finished: 0, slotMs: 0 };

export class DemandMeter {
  readonly #lineDrainMs: () => number;
  #running = 0;
  #waiting = 0;
  #readings = 0;
  #totals: Totals;
  #at: number;
  /** Mean time a request holds a slot; null before the first has finished. */
  #serviceMs: number | null = null;
  #admittedPerSecond = 0;

  constructor(lineDrainMs: () => number, now: number, totals: Totals) {
    this.#lineDrainMs = lineDrainMs;
    this.#at = now;
    this.#totals = totals;
  }

  /** Takes a reading. */
  read(counts: Counts): void {
    this.#running += counts.running;
    this.#waiting += counts.waiting;
    this.#readings++;
  }

  /** What was seen since the last sample; null when nothing was read. */
  sample(now: number, totals: Totals): Omit<Sample, "now"> | null {
    const elapsed = Math.max(1, now - this.#at);
    const since = difference(totals, this.#totals);
    const readings = this.#readings;
    const seen = { running: this.#running / readings, waiting: this.#waiting / readings };
    this.#running = this.#waiting = this.#readings = 0;
    this.#totals = totals;
    this.#at = now;
    if (readings === 0) return null;
    this.#learn(since);
    this.#admittedPerSecond = (1_000 * Math.max(0, since.arrived - since.refused)) / elapsed;
    // A request counts for the time that it was there: for no longer than the sample, however long it ran before.
    const finished = Math.min(since.slotMs, since.finished * elapsed) / elapsed;
    const running = Math.max(seen.running, finished);
    return {
      running,
      waiting: this.#slotsOfLine({ ...seen, running }),
      refused: refusedSlots(since.refused, elapsed, this.#serviceMs),
      arrivalsPerSecond: (1_000 * since.arrived) / elapsed,
    };
  }

  /** This moment, as a burst wants it: counts, and what was refused since the last sample. */
  moment(counts: Counts, totals: Totals): Omit<Sample, "now" | "arrivalsPerSecond"> {
    const { refused } = difference(totals, this.#totals);
    return {
      running: counts.running,
      waiting: this.#slotsOfLine(counts),
      // Within less than a second, one after the other may have had the same slot.
      refused: Math.min(refused, refusedSlots(refused, 1_000, this.#serviceMs)),
    };
  }

  #slotsOfLine({ running, waiting }: Counts): number {
    return waitingSlots(waiting, {
      running,
      admittedPerSecond: this.#admittedPerSecond,
      serviceTimeMs: this.#serviceMs,
      drainMs: this.#lineDrainMs(),
    });
  }

  #learn({ finished, slotMs }: Totals): void {
    if (finished === 0) return;
    const mean = slotMs / finished;
    this.#serviceMs = this.#serviceMs === null ? mean : NEWEST * mean + (1 - NEWEST) * this.#serviceMs;
  }
}

/** What was added. A gateway that died takes what it had in hand with it: less than nothing is nothing. */
function difference(now: Totals, before: Totals): Totals {
  const result: { -readonly [K in keyof Totals]: number } = { ...noCounters };
  for (const key of Object.keys(result) as (keyof Totals)[])
    result[key] = Math.max(0, now[key] - before[key]);
  return result;
}

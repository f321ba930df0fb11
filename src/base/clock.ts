/** Time as an argument: real in the program, manual in tests. */
export interface Clock {
  /** Milliseconds on a clock that never goes back. For durations and deadlines. */
  now(): number;
  /** Unix time in milliseconds. For people and logs. */
  wall(): number;
  /** Calls back once after `ms`, never when that is infinite (a deadline that there is none of); answers how to cancel it. */
  after(ms: number, callback: () => void): () => void;
}

/** setTimeout fires at once when it is given more than this. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(ms, callback) {
    if (ms === Number.POSITIVE_INFINITY) return () => {};
    const timer = setTimeout(callback, Math.min(Math.max(0, ms), LONGEST_TIMER_MS));
    return () => clearTimeout(timer);
  },
};

/** A clock that only {@link ManualClock.advance} moves. For tests. */
export class ManualClock implements Clock {
  #now = 0;
  readonly #epoch: number;
  #timers: { readonly at: number; readonly callback: () => void }[] = [];

  /** @param epoch Unix milliseconds at `now() === 0` */
  constructor(epoch = 0) {
    this.#epoch = epoch;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#epoch + this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms), callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Moves time and runs the timers that are due, in their order, each at its own time. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.#now = due.at;
      due.callback();
    }
    this.#now = end;
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.length;
  }
}

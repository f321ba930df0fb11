/** Binds the measured limit to the shared table: reads what is done with it, and gives out the next. */

import {
  type ConcurrencySettings,
  type ConcurrencyState,
  decideConcurrency,
  startedConcurrency,
} from "../autoscaler/concurrency.ts";
import type { Clock } from "../base/clock.ts";
import type { MeterReader } from "../gateway/meter.ts";
import type { SlotTable } from "../gateway/table.ts";
import type { Pool } from "../instances/index.ts";

const READING_MS = 50;
/** A window is over after a second, if enough was finished for the comparison; at the latest after ten. */
const WINDOW_MS = 1_000;
const LONGEST_WINDOW_MS = 10_000;
const ENOUGH = 100;
/** Threads of a WSGI app: more of them cost more than they bring. */
const MOST_THREADS = 128;

export interface ConcurrencyParts {
  readonly clock: Clock;
  readonly table: SlotTable;
  readonly meter: MeterReader;
  readonly pool: Pool;
  readonly settings: ConcurrencySettings;
  /** A limit holds from now on. `why` is empty for one that is only tried. */
  readonly changed: (limit: number, why: string) => void;
}

interface Window {
  readonly since: number;
  readonly finished: number;
  readonly missed: number;
  inFlight: number;
  readings: number;
  waiting: boolean;
}

export class ConcurrencyControl {
  readonly #parts: ConcurrencyParts;
  #state: ConcurrencyState;
  #why = "";
  #window: Window;
  #stopped = false;
  #cancel = () => {};

  constructor(parts: ConcurrencyParts) {
    this.#parts = parts;
    this.#state = startedConcurrency(parts.settings);
    this.#window = this.#open();
    this.#next();
  }

  /** The limit that holds now. */
  get limit(): number {
    return this.#state.limit;
  }

  /** The limit that trials start from, and why it is this one; empty while nothing was concluded. */
  get report(): { readonly limit: number; readonly why: string } {
    return { limit: this.#state.base, why: this.#why };
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #next(): void {
    if (this.#stopped) return;
    this.#cancel = this.#parts.clock.after(READING_MS, () => {
      this.#read();
      this.#next();
    });
  }

  #open(): Window {
    const { clock, meter } = this.#parts;
    const { finished, missed } = meter.demand();
    return { since: clock.now(), finished, missed, inFlight: 0, readings: 0, waiting: true };
  }

  #read(): void {
    const { clock, table, meter, pool } = this.#parts;
    const window = this.#window;
    const instances = pool.counts.ready;
    window.readings++;
    window.inFlight += table.running() / Math.max(1, instances);
    window.waiting &&= table.waiting() > 0;
    const lengthMs = clock.now() - window.since;
    const total = meter.demand();
    const finished = total.finished - window.finished;
    if (lengthMs < WINDOW_MS || (finished < ENOUGH && lengthMs < LONGEST_WINDOW_MS)) return;
    this.#window = this.#open();
    const { waiting, readings } = window;
    const missed = total.missed - window.missed;
    this.#decide({ lengthMs, finished, inFlight: window.inFlight / readings, waiting, missed, instances });
  }

  #decide(seen: Parameters<typeof decideConcurrency>[1]): void {
    const { settings, pool, changed } = this.#parts;
    const threads = pool.status.interface === "wsgi";
    const most = threads ? Math.min(MOST_THREADS, settings.most) : settings.most;
    const before = this.#state;
    const { state, why } = decideConcurrency(before, seen, { ...settings, most });
    this.#state = state;
    if (why !== "") this.#why = why;
    if (state.limit !== before.limit || state.base !== before.base) {
      changed(state.limit, state.base === before.base ? "" : why);
    }
  }
}

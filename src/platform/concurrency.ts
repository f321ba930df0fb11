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
/** Readings in a row at which requests wait for instances that were left without: then they get some at once. */
const CROWDED = 4;
/** Threads of a WSGI app: more of them cost more than they bring. */
const MOST_THREADS = 128;

export interface ConcurrencyParts {
  readonly clock: Clock;
  readonly table: SlotTable;
  readonly meter: MeterReader;
  readonly pool: Pool;
  readonly settings: ConcurrencySettings;
  /** Whether instances may be left without requests for a window: not where requests have an instance that they belong to. */
  readonly packable: boolean;
  /** A limit was concluded and holds from now on. */
  readonly changed: (limit: number, why: string) => void;
}

interface Window {
  readonly since: number;
  /** The instances that take requests; null: all. */
  readonly rows: readonly number[] | null;
  readonly finished: number;
  readonly missed: number;
  inFlight: number;
  readings: number;
  waiting: boolean;
  /** Readings in a row at which requests waited. */
  crowd: number;
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

  /** The limit that holds now, on instances that take requests. */
  get limit(): number {
    return this.#state.limit;
  }

  /** The limit that trials start from, and why it is this one; empty while nothing was concluded. */
  get report(): { readonly limit: number; readonly why: string } {
    return { limit: this.#state.base, why: this.#why };
  }

  /** Nothing is measured any more; what was only tried is taken back. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#cancel();
    this.#parts.table.setLimits(this.#state.base);
  }

  #next(): void {
    if (this.#stopped) return;
    this.#cancel = this.#parts.clock.after(READING_MS, () => {
      this.#read();
      this.#next();
    });
  }

  #open(): Window {
    const { clock, table, meter } = this.#parts;
    const { active } = this.#state;
    const rows = active === 0 ? null : table.openRows().slice(0, active);
    const { missed } = meter.demand();
    const counted = { since: clock.now(), rows, finished: this.#finished(rows), missed };
    return { ...counted, inFlight: 0, readings: 0, waiting: true, crowd: 0 };
  }

  /** Requests that instances have finished. */
  #finished(rows: Window["rows"]): number {
    const { table, meter } = this.#parts;
    return rows === null ? meter.demand().finished : sum(rows, (row) => table.served(row));
  }

  #read(): void {
    const { clock, table, meter, pool, packable } = this.#parts;
    const window = this.#window;
    const { ready: instances, starting } = pool.counts;
    const { rows } = window;
    const waits = table.waiting() > 0;
    const running = rows === null ? table.running() : sum(rows, (row) => table.inFlight(row));
    window.readings++;
    window.inFlight += running / Math.max(1, rows?.length ?? instances);
    window.waiting &&= waits;
    window.crowd = waits ? window.crowd + 1 : 0;
    const lengthMs = clock.now() - window.since;
    const finished = this.#finished(rows) - window.finished;
    // Who waits does not wait for a window to be over, nor for an instance that is gone.
    const crowded = rows !== null && window.crowd >= CROWDED;
    const early = crowded || (rows !== null && instances !== this.#state.instances);
    if (!early && (lengthMs < WINDOW_MS || (finished < ENOUGH && lengthMs < LONGEST_WINDOW_MS))) return;
    const { waiting, readings } = window;
    const missed = meter.demand().missed - window.missed;
    this.#decide({
      ...{ lengthMs, finished, inFlight: window.inFlight / readings, waiting, missed, instances },
      ...{ packable: packable && starting === 0, crowded },
    });
    this.#window = this.#open();
  }

  #decide(seen: Parameters<typeof decideConcurrency>[1]): void {
    const { settings, pool, table, changed } = this.#parts;
    const threads = pool.status.interface === "wsgi";
    const most = threads ? Math.min(MOST_THREADS, settings.most) : settings.most;
    const before = this.#state;
    const { state, why } = decideConcurrency(before, seen, { ...settings, most });
    this.#state = state;
    if (why !== "") this.#why = why;
    if (state.limit !== before.limit || state.active !== before.active)
      table.setLimits(state.limit, state.active === 0 ? undefined : state.active);
    if (state.base !== before.base) changed(state.base, why);
  }
}

function sum(rows: readonly number[], value: (row: number) => number): number {
  return rows.reduce((total, row) => total + value(row), 0);
}

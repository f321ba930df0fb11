/** Binds the autoscaler to the gateways' counters and the pool, and keeps what it decided for `ps --why`. */

import { AutoscalerLoop } from "../autoscaler/loop.ts";
import { type Decision, decisionText, reasonText } from "../autoscaler/reasons.ts";
import type { AutoscalerSettings } from "../autoscaler/settings.ts";
import { type AutoscalerEvent, autoscalerEvents } from "../autoscaler/signals.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import type { MeterReader } from "../gateway/meter.ts";
import type { SlotTable } from "../gateway/table.ts";
import type { Pool } from "../instances/index.ts";
import type { LogSink } from "../model/log.ts";
import type { DecisionReport } from "../model/scaling.ts";
import type { Gateways } from "./gateways.ts";
import { UsageWatch } from "./usage.ts";

/** Decisions that are kept. */
const KEPT = 100;

export interface ScalingParts {
  readonly table: SlotTable;
  readonly meter: MeterReader;
  readonly gateways: Gateways;
  readonly pool: Pool;
  /** Of one instance: cores and bytes, 0 for none. */
  readonly limits: { readonly cpu: number; readonly memory: number };
  readonly log: LogSink;
}

/** A log of decisions: those that were news, and the last one as what holds now. */
export class Decisions {
  readonly #news: DecisionReport[] = [];
  #last: DecisionReport | undefined;

  add(report: DecisionReport, news: boolean): void {
    this.#last = report;
    if (!news) return;
    this.#news.push(report);
    if (this.#news.length > KEPT) this.#news.shift();
  }

  /** Oldest first. */
  list(): readonly DecisionReport[] {
    const last = this.#last;
    return last === undefined || this.#news.at(-1) === last ? [...this.#news] : [...this.#news, last];
  }
}

/** The autoscaler of a running service. */
export class Scaling {
  readonly loop: AutoscalerLoop;
  readonly decisions = new Decisions();
  readonly #usage: UsageWatch | undefined;
  readonly #log: LogSink;
  readonly #clock: Clock = systemClock;

  /** The pool must have started. */
  constructor(settings: AutoscalerSettings, parts: ScalingParts) {
    const { table, meter, gateways, pool, log } = parts;
    this.#log = log;
    const watched = settings.cpuUtilization !== null || settings.memoryUtilization !== null;
    if (watched) this.#usage = new UsageWatch({ clock: this.#clock, pool, limits: parts.limits });
    this.loop = new AutoscalerLoop(settings, {
      clock: this.#clock,
      counts: () =>
        gateways.list().some(({ state }) => state === "ready")
          ? { running: table.running(), waiting: table.waiting() }
          : null,
      totals: () => meter.demand(),
      pool: () => pool.counts,
      usage: () => this.#usage?.view ?? {},
      scale: (count) => void pool.scale(count),
      decided: (decision, news) => this.#decided(decision, news),
    });
  }

  stop(): void {
    this.loop.stop();
    this.#usage?.stop();
  }

  #decided(decision: Decision, news: boolean): void {
    const { trigger, action, count, desired, rule, seen, reasons } = decision;
    const at = this.#clock.wall() - (this.#clock.now() - decision.at);
    const why = reasons.map(reasonText);
    this.decisions.add({ at, trigger, action, count, desired, rule, seen, why }, news);
    if (!news) return;
    const event: AutoscalerEvent = action === "hold" ? "autoscaler.held" : "autoscaler.scaled";
    this.#log({
      time: at,
      level: autoscalerEvents[event].level,
      event,
      message: `Autoscaler: ${decisionText(decision)}`,
      fields: { trigger, action, count, desired, rule, ...seen },
    });
  }
}

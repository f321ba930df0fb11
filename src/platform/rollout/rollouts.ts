/** The rollouts of an application: one at a time for each service, and the last one's outcome until the traffic changes after it. */

import { systemClock } from "../../base/clock.ts";
import type { LogSink } from "../../model/log.ts";
import type { RolloutReport } from "../../model/revision.ts";
import { type Target, trafficText } from "../revisions/traffic.ts";
import { platformEvents } from "../signals.ts";
import { Rollout, type RolloutPlan, type RolloutPorts } from "./rollout.ts";
import { rolloutText } from "./text.ts";

export class Rollouts {
  readonly #log: LogSink;
  readonly #rollouts = new Map<string, Rollout>();

  constructor(log: LogSink) {
    this.#log = log;
  }

  /** The first shares hold already. One that was under way for the service ends. */
  begin(plan: RolloutPlan, ports: Pick<RolloutPorts, "sampler" | "shift" | "back">): RolloutReport {
    const told = (report: RolloutReport) => this.#told(plan, report);
    this.#rollouts.get(plan.service)?.supersede();
    const rollout = new Rollout(plan, { ...ports, clock: systemClock, told });
    this.#rollouts.set(plan.service, rollout);
    return rollout.report;
  }

  /**
   * Somebody else decides about the service's traffic. One that is under way ends, and can still be looked at; one that had ended
   * before is forgotten.
   * @param why a sentence without a full stop; that the traffic was changed, when it is not given
   */
  end(service: string, why?: string): void {
    const rollout = this.#rollouts.get(service);
    if (rollout?.over === true) this.#rollouts.delete(service);
    else rollout?.supersede(why);
  }

  /** The shares that one which is under way brings back as those of before, when it goes back. */
  earlier(service: string): readonly Target[] {
    const rollout = this.#rollouts.get(service);
    return rollout === undefined || rollout.over ? [] : rollout.earlier;
  }

  report(service: string): RolloutReport | null {
    return this.#rollouts.get(service)?.report ?? null;
  }

  /** The application stops. */
  stop(): void {
    for (const rollout of this.#rollouts.values()) rollout.stop();
  }

  #told(plan: RolloutPlan, report: RolloutReport): void {
    const bad = report.state === "went-back" || report.state === "failed";
    const event = bad ? "platform.rollout_failed" : "platform.rollout";
    const { level } = platformEvents[event];
    const { revision, state, weight, why } = report;
    const message = rolloutText(plan.service, report, trafficText(plan.before));
    const fields = { "service.name": plan.service, "service.version": revision, state, weight, why };
    this.#log({ time: Date.now(), level, event, message, fields });
  }
}

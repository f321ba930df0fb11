/** Whether a run says something of the service, or of the generator. Pure. */

import { percentText } from "./figures.ts";
import { failures, ownFailures } from "./messages.ts";
import type { PlanFacts, Totals } from "./result.ts";

/** More of the arrivals late than this, and the schedule was not kept. */
const LATE_SHARE = 0.01;
/** Fewer than this are a moment of the machine, whatever share of a short run they are. */
const LATE_LEAST = 5;
/** A process that used more of a processor than this had none to spare. */
const BUSY = 0.9;

export interface RunFacts {
  readonly plan: Pick<PlanFacts, "model" | "connections" | "processes">;
  readonly totals: Pick<Totals, "planned" | "late" | "blocked" | "dropped">;
  readonly failures: Readonly<Record<string, number>>;
  readonly peakCpu: number;
  readonly local: boolean;
  readonly interrupted: boolean;
}

export interface Judgement {
  /** Why the generator fell short; null when it kept up. */
  readonly saturated: string | null;
  readonly notes: readonly string[];
}

/** Judges the generator, never the service. */
export function judge(facts: RunFacts): Judgement {
  const notes: string[] = [];
  if (facts.plan.model === "closed")
    notes.push(
      "Closed loop: each connection waits for its answer before it asks again, so latencies leave out the waiting of users who come anyway.",
    );
  if (facts.local) notes.push("The generator and the service share this machine: the figures are relative.");
  const reason = saturation(facts);
  if (reason === null && facts.peakCpu > BUSY && facts.plan.model !== "hold")
    notes.push(
      `A generator process used ${percentText(Math.min(1, facts.peakCpu))} of a core: it may have been the limit. Try --processes ${facts.plan.processes + 1}.`,
    );
  if (facts.interrupted) notes.push("The run was interrupted: the figures are those of its part.");
  return { saturated: reason, notes };
}

/** Whether so many arrivals were begun late that the schedule was not kept. */
export function tooLate({ late, planned }: Pick<Totals, "late" | "planned">): boolean {
  return late >= LATE_LEAST && late > LATE_SHARE * planned;
}

function saturation({ plan, totals, failures: failed, peakCpu }: RunFacts): string | null {
  for (const own of ownFailures) {
    const count = failed[own] ?? 0;
    if (count > 0) return `${count} requests were not sent: ${failures[own]}.`;
  }
  if (plan.model !== "open" || totals.planned === 0) return null;
  const { planned } = totals;
  const late = tooLate(totals) ? totals.late / planned : 0;
  const blocked = totals.blocked / planned;
  const dropped = totals.dropped / planned;
  if (Math.max(late, blocked, dropped) <= LATE_SHARE) return null;
  if (dropped > Math.max(late, blocked))
    return `${percentText(dropped)} of the requests were never begun: too many were waiting already for the generator to keep more. The rate is beyond it, or beyond the service.`;
  if (blocked > late)
    return `${percentText(blocked)} of the requests waited for one of ${plan.connections} connections: the service answers too slowly for this rate, or --max-connections is too low.`;
  const why =
    peakCpu > BUSY
      ? `a process used ${percentText(Math.min(1, peakCpu))} of a core: try --processes ${plan.processes + 1}, or a lower rate`
      : "the machine was busy with other things, or the rate is beyond it";
  return `${percentText(late)} of the requests were begun more than 10 ms late; ${why}.`;
}

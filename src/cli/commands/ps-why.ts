/** What `headrace ps --why` adds. Pure. */

import { showAmount, showDuration } from "../../base/units.ts";
import type { DecisionReport, ScalingReport } from "../../model/scaling.ts";

/** The autoscaler's decisions for people, oldest first. @param now Unix milliseconds */
export function decisionsText(
  scaling: ScalingReport | null,
  decisions: readonly DecisionReport[],
  now: number,
): string {
  if (scaling === null) return "The number of instances is fixed: nothing is decided.\n";
  if (decisions.length === 0) return "Nothing was decided yet.\n";
  return `\n${decisions.map((decision) => decisionText(decision, now)).join("")}`;
}

function decisionText(decision: DecisionReport, now: number): string {
  const { at, trigger, rule, why } = decision;
  const age = `${showDuration(Math.max(0, now - at))} ago`.padEnd(12);
  const head = `${age} ${done(decision)}  rule ${rule}${trigger === "burst" ? "" : ", at a tick"}\n`;
  const lines = [`saw ${seen(decision)}`, ...why].map((line) => `${" ".repeat(13)}${line}\n`);
  return head + lines.join("");
}

function done({ action, count, desired }: DecisionReport): string {
  return action === "hold" ? `hold ${desired}` : `${action} ${count} -> ${desired}`;
}

function seen({ seen: { ready, starting, running, waiting, refused, panicking } }: DecisionReport): string {
  const instances = `${ready} ready, ${starting} starting`;
  const requests = `${showAmount(running)} running, ${showAmount(waiting)} waiting, ${showAmount(refused)} refused`;
  return `${instances}; ${requests}${panicking ? "; in panic" : ""}`;
}

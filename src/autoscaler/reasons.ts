/** What the autoscaler says of its decisions: for programs as values, for people as sentences. Pure. */

import { showAmount } from "../base/units.ts";

/** What is measured and has a target. */
export type Signal = "concurrency" | "requests_per_second" | "cpu" | "memory";

/** A number of instances that a rule changed. */
interface Step {
  readonly from: number;
  readonly to: number;
}

/** One thing that was seen or done on the way to a decision. */
export type Reason =
  /** What the requests want: averages of both windows over the target of one instance. */
  | {
      readonly rule: "requests";
      readonly signal: "concurrency" | "requests_per_second";
      readonly stable: number;
      readonly panic: number;
      readonly target: number;
      readonly wantStable: number;
      readonly wantPanic: number;
      /** History under the stable average; less than the window when it is young. */
      readonly coverageMs: number;
    }
  /** What CPU or memory wants. */
  | {
      readonly rule: "resource";
      readonly signal: "cpu" | "memory";
      readonly outcome: "scaled" | "within_tolerance" | "direction_unsure" | "no_metrics" | "no_demand";
      /** Mean share of the limit; null without metrics. */
      readonly utilization: number | null;
      readonly target: number;
      /** Instances without metrics: young, or silent. */
      readonly missing: number;
      readonly want: number;
    }
  /** The signal with the largest number, where there are several. */
  | { readonly rule: "largest"; readonly signal: Signal; readonly want: number }
  | ({ readonly rule: "stabilization" | "policy" } & Step)
  | { readonly rule: "no_data"; readonly held: number }
  | { readonly rule: "initial_scale"; readonly to: number }
  | ({ readonly rule: "max_scale_up_rate" | "max_scale_down_rate"; readonly rate: number } & Step)
  | ({ readonly rule: "activation_scale" } & Step)
  | {
      readonly rule: "panic_entered" | "panic_extended";
      /** What the panic window wants over what there is, in percent, and where panic begins. */
      readonly percent: number;
      readonly threshold: number;
    }
  | { readonly rule: "panic_left"; readonly afterMs: number }
  | ({ readonly rule: "panic_window" | "panic_hold" } & Step)
  | ({ readonly rule: "scale_down_delay"; readonly delayMs: number } & Step)
  | ({ readonly rule: "min_instances" | "max_instances" } & Step)
  | { readonly rule: "idle"; readonly remainingMs: number }
  | { readonly rule: "zero" }
  /** Instances for a line, between ticks. */
  | {
      readonly rule: "burst";
      readonly outcome: "woken" | "raised" | "no_line" | "enough" | "starts_not_cheap";
      readonly demand: number;
      readonly target: number;
      readonly want: number;
    };

export type Rule = Reason["rule"];

/** What was looked at. Counts of requests are means since the last sample, or counts at the moment for a burst. */
export interface Seen {
  readonly ready: number;
  readonly starting: number;
  readonly running: number;
  readonly waiting: number;
  /** Slots that refused requests would have held. */
  readonly refused: number;
  readonly panicking: boolean;
}

export interface Decision {
  readonly at: number;
  /** A look at the tick, or for a line between ticks. */
  readonly trigger: "tick" | "burst";
  /** False when there was nothing to decide on: what there is is kept. */
  readonly valid: boolean;
  /** Instances that there should be, those that start included. */
  readonly desired: number;
  /** What that means for those there are. */
  readonly action: "start" | "stop" | "hold";
  /** How many to start or to stop. */
  readonly count: number;
  /** The rule that had the last word on the number. */
  readonly rule: Rule;
  readonly seen: Seen;
  /** In the order in which the rules spoke. */
  readonly reasons: readonly Reason[];
}

/** Rules that only tell what was seen, or change the mode, not the number. */
const QUIET: ReadonlySet<Rule> = new Set(["panic_entered", "panic_extended", "panic_left"]);

/** Finishes a decision. */
export function decided(
  about: Pick<Decision, "at" | "trigger" | "valid" | "desired" | "seen">,
  reasons: readonly Reason[],
): Decision {
  const difference = about.desired - (about.seen.ready + about.seen.starting);
  const action = difference > 0 ? "start" : difference < 0 ? "stop" : "hold";
  const rule = reasons.findLast((reason) => !QUIET.has(reason.rule))?.rule ?? "no_data";
  return { ...about, action, count: Math.abs(difference), rule, reasons };
}

/** Whether a decision is worth a line after the one told before it: it changes something, or another rule spoke. */
export function isNews(decision: Decision, before: Decision | undefined): boolean {
  return decision.action !== "hold" || decision.rule !== before?.rule;
}

const percent = (value: number) => `${Math.round(value * 100)} %`;
const seconds = (ms: number) => `${showAmount(ms / 1_000)} s`;

/** One reason as a sentence without a full stop. */
export function reasonText(reason: Reason): string {
  switch (reason.rule) {
    case "requests":
      return requestsText(reason);
    case "resource":
      return resourceText(reason);
    case "largest":
      return `${reason.signal} wants the most: ${reason.want}`;
    case "stabilization":
      return `CPU and memory are stabilised: ${reason.to} instead of ${reason.from}`;
    case "policy":
      return `CPU and memory may move to ${reason.to}, not to ${reason.from}, in this period`;
    case "no_data":
      return `no data: ${reason.held} kept`;
    case "initial_scale":
      return `nothing measured yet: initial scale ${reason.to}`;
    case "max_scale_up_rate":
      return `at most ${showAmount(reason.rate)} times as many a tick: ${reason.to} instead of ${reason.from}`;
    case "max_scale_down_rate":
      return `at least 1/${showAmount(reason.rate)} is kept a tick: ${reason.to} instead of ${reason.from}`;
    case "activation_scale":
      return `activation scale: ${reason.to} instead of ${reason.from}`;
    case "panic_entered":
      return `panic begins: ${Math.round(reason.percent)} % of what there is, from ${reason.threshold} % on`;
    case "panic_extended":
      return `panic goes on: ${Math.round(reason.percent)} % of what there is`;
    case "panic_left":
      return `panic ends: below the threshold for ${seconds(reason.afterMs)}`;
    case "panic_window":
      return `in panic the short window is followed: ${reason.to} instead of ${reason.from}`;
    case "panic_hold":
      return `nothing shrinks in panic: ${reason.to} kept instead of ${reason.from}`;
    case "scale_down_delay":
      return `${reason.from} not enough for all of the last ${seconds(reason.delayMs)}: ${reason.to}`;
    case "min_instances":
      return `min instances: ${reason.to} instead of ${reason.from}`;
    case "max_instances":
      return `max instances: wanted ${reason.from}, may have ${reason.to}`;
    case "idle":
      return `idle: the last one stays for another ${seconds(reason.remainingMs)}`;
    case "zero":
      return "idle for the grace period: to zero";
    case "burst":
      return burstText(reason);
  }
}

function requestsText(reason: Extract<Reason, { rule: "requests" }>): string {
  const what = reason.signal === "concurrency" ? "requests at a time" : "requests/s";
  const young = `over ${seconds(reason.coverageMs)}`;
  const { stable, panic, target, wantStable, wantPanic } = reason;
  return `${showAmount(stable)} ${what} ${young} want ${wantStable}, ${showAmount(panic)} just now want ${wantPanic}, at ${showAmount(target)} each`;
}

function resourceText(reason: Extract<Reason, { rule: "resource" }>): string {
  const used = reason.utilization === null ? "unknown" : percent(reason.utilization);
  const head = `${reason.signal} ${used} of ${percent(reason.target)}`;
  switch (reason.outcome) {
    case "scaled":
      return `${head} wants ${reason.want}`;
    case "within_tolerance":
      return `${head} is near enough: ${reason.want}`;
    case "direction_unsure":
      return `${head}, but ${reason.missing} without metrics could turn it: ${reason.want}`;
    case "no_metrics":
      return `${head}: ${reason.want} kept`;
    case "no_demand":
      return `${head} does not count without requests`;
  }
}

function burstText(reason: Extract<Reason, { rule: "burst" }>): string {
  const head = `${showAmount(reason.demand)} requests running, waiting or refused, at ${showAmount(reason.target)} each, want ${reason.want}`;
  switch (reason.outcome) {
    case "woken":
      return `${head}: woken from zero`;
    case "raised":
      return `${head}: started without waiting for a tick`;
    case "no_line":
      return `${head}: nobody waits`;
    case "enough":
      return `${head}: there or starting already`;
    case "starts_not_cheap":
      return `${head}: starts are slow, the tick decides`;
  }
}

/** A decision as one line: what was seen, what is done, and why. */
export function decisionText(decision: Decision): string {
  const { seen, action, count, desired, reasons } = decision;
  const there = `${seen.ready} ready${seen.starting > 0 ? ` + ${seen.starting} starting` : ""}`;
  const done = action === "hold" ? `hold ${desired}` : `${action} ${count} -> ${desired}`;
  return `${there}: ${done} (${reasons.map(reasonText).join("; ")})`;
}

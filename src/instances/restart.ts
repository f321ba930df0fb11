/**
 * When to replace an instance that died. Pure: time and chance are arguments.
 *
 * Each seat of a pool remembers its own crashes: the first replacement is immediate, later ones wait base, 2·base, 4·base … up to
 * the maximum, each shortened by chance, by up to a half, until an instance stayed up for `healthyMs`.
 *
 * The pool counts the crashes of all seats to tell a crash loop. What counts is a start that failed, and a crash soon after the one before it:
 * the first one of a seat, of an instance that had been ready, says nothing about its replacement. Crashes with one cause are one.
 */

import { backoffMs } from "../base/backoff.ts";

export interface RestartSettings {
  /** Wait before the second replacement. */
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  /** An instance that was up this long clears its seat's count. */
  readonly healthyMs: number;
  /** This many crashes within `windowMs` are a crash loop. */
  readonly loopCrashes: number;
  readonly windowMs: number;
}

export const restartDefaults: RestartSettings = {
  baseDelayMs: 250,
  maxDelayMs: 30_000,
  healthyMs: 30_000,
  loopCrashes: 5,
  windowMs: 60_000,
};

/** Crashes of one seat since it was last healthy. */
export interface SeatHistory {
  readonly crashes: number;
}

export const freshSeat: SeatHistory = { crashes: 0 };

export interface Crash {
  /** How long the instance had been ready; 0 when it never was. */
  readonly uptimeMs: number;
  /** 0 <= x < 1. */
  readonly random: number;
}

export interface RestartDecision {
  readonly delayMs: number;
  readonly history: SeatHistory;
  /** It speaks for a loop: a start that failed, or a further crash without health between. */
  readonly again: boolean;
  readonly reasons: readonly string[];
}

/** How long to wait before this seat gets its next instance. */
export function decideRestart(seat: SeatHistory, crash: Crash, settings: RestartSettings): RestartDecision {
  const wasHealthy = crash.uptimeMs >= settings.healthyMs;
  const crashes = wasHealthy ? 1 : seat.crashes + 1;
  const again = crashes > 1 || crash.uptimeMs === 0;
  const reasons: string[] = [];
  if (wasHealthy && seat.crashes > 0) {
    reasons.push(`it was up for ${Math.round(crash.uptimeMs)} ms: earlier crashes are forgotten`);
  }
  if (crashes === 1) {
    reasons.push("first crash: replaced at once");
    return { delayMs: 0, history: { crashes }, again, reasons };
  }
  const backoff = { firstMs: settings.baseDelayMs, maxMs: settings.maxDelayMs, factor: 2, jitter: 0.5 };
  const delayMs = backoffMs(backoff, crashes - 1, crash.random);
  reasons.push(`crash ${crashes} without ${settings.healthyMs} ms of health between: waits ${delayMs} ms`);
  return { delayMs, history: { crashes }, again, reasons };
}

/** A crash as the pool counts it. */
export interface Counted {
  readonly now: number;
  /** The zygote that took the instance along, or could not be made for it; empty for a cause of its own. */
  readonly cause: string;
}

/** Crashes of a whole pool that still count. */
export interface LoopHistory {
  readonly crashes: readonly Counted[];
  readonly looping: boolean;
}

export const noLoop: LoopHistory = { crashes: [], looping: false };

export interface LoopDecision {
  readonly history: LoopHistory;
  /** A loop begins with this crash: say so, once. */
  readonly began: boolean;
}

/** Counts one more crash, unless its cause was counted. A loop that began ends when the window has emptied below its limit. */
export function countCrash(history: LoopHistory, crash: Counted, settings: RestartSettings): LoopDecision {
  const recent = history.crashes.filter(({ now }) => crash.now - now < settings.windowMs);
  const known = crash.cause !== "" && recent.some(({ cause }) => cause === crash.cause);
  const crashes = known ? recent : [...recent, crash].slice(-settings.loopCrashes);
  const looping = crashes.length >= settings.loopCrashes;
  return { history: { crashes, looping }, began: looping && !history.looping };
}

/** Whether a loop that was told is still on at `now`. */
export function stillLooping(history: LoopHistory, now: number, settings: RestartSettings): boolean {
  const recent = history.crashes.filter((crash) => now - crash.now < settings.windowMs);
  return recent.length >= settings.loopCrashes;
}

/**
 * When to replace an instance that died. Pure: time and chance are arguments.
 *
 * Each seat of a pool remembers its own crashes: the first replacement is immediate, later ones wait base, 2·base, 4·base … up to
 * the maximum, each shortened by chance, by up to a half, until an instance stayed up for `healthyMs`. The pool counts the crashes of all seats to
 * tell a crash loop.
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
  readonly reasons: readonly string[];
}

/** How long to wait before this seat gets its next instance. */
export function decideRestart(seat: SeatHistory, crash: Crash, settings: RestartSettings): RestartDecision {
  const wasHealthy = crash.uptimeMs >= settings.healthyMs;
  const crashes = wasHealthy ? 1 : seat.crashes + 1;
  const reasons: string[] = [];
  if (wasHealthy && seat.crashes > 0) {
    reasons.push(`it was up for ${Math.round(crash.uptimeMs)} ms: earlier crashes are forgotten`);
  }
  if (crashes === 1) {
    reasons.push("first crash: replaced at once");
    return { delayMs: 0, history: { crashes }, reasons };
  }
  const backoff = { firstMs: settings.baseDelayMs, maxMs: settings.maxDelayMs, factor: 2, jitter: 0.5 };
  const delayMs = backoffMs(backoff, crashes - 1, crash.random);
  reasons.push(`crash ${crashes} without ${settings.healthyMs} ms of health between: waits ${delayMs} ms`);
  return { delayMs, history: { crashes }, reasons };
}

/** Crashes of a whole pool that still count. */
export interface LoopHistory {
  readonly times: readonly number[];
  readonly looping: boolean;
}

export const noLoop: LoopHistory = { times: [], looping: false };

export interface LoopDecision {
  readonly history: LoopHistory;
  /** A loop begins with this crash: say so, once. */
  readonly began: boolean;
}

/** Counts one more crash at `now`. A loop that began ends when the window has emptied below its limit. */
export function countCrash(history: LoopHistory, now: number, settings: RestartSettings): LoopDecision {
  const times = [...history.times.filter((time) => now - time < settings.windowMs), now].slice(
    -settings.loopCrashes,
  );
  const looping = times.length >= settings.loopCrashes;
  return { history: { times, looping }, began: looping && !history.looping };
}

/** Whether a loop that was told is still on at `now`. */
export function stillLooping(history: LoopHistory, now: number, settings: RestartSettings): boolean {
  return history.times.filter((time) => now - time < settings.windowMs).length >= settings.loopCrashes;
}

/** The Server-Timing header (W3C): how long a request waited, how long its app took, and what an instance's start cost it. */

import { joinPairs } from "../protocol/fields.ts";
import type { InstanceStart } from "./upstream.ts";

export interface Timing {
  /** Unix milliseconds. */
  readonly arrivedAt: number;
  readonly waitMs: number;
  /** From the hand-over to the head of the response. */
  readonly appMs: number;
  /** Null for a request that waited for no start. */
  readonly start: InstanceStart | null;
}

type Entry = readonly [string, number];

/** `wait;dur=21.3, notice;dur=0.9, fork;dur=6.1, boot;dur=2.2, lifespan;dur=4, listen;dur=0.3, connect;dur=7.8, app;dur=2.4`. */
export function serverTiming(timing: Timing): string {
  const entries: Entry[] = [["wait", timing.waitMs], ...startPhases(timing), ["app", timing.appMs]];
  return entries.map(([name, ms]) => `${name};dur=${Number(ms.toFixed(1))}`).join(", ");
}

/** The phases of the start that a request waited for. Of the one that it was made for they add up to the wait. */
function startPhases({ arrivedAt, waitMs, start }: Timing): readonly Entry[] {
  if (start === null) return [];
  const phases = Object.entries(start.phases);
  const startMs = phases.reduce((sum, [, ms]) => sum + ms, 0);
  const noticeMs = start.readyAt - startMs - arrivedAt;
  // `readyAt` is in whole milliseconds.
  const notice: Entry[] = noticeMs > -1 ? [["notice", Math.max(0, noticeMs)]] : [];
  return [...notice, ...phases, ["connect", Math.max(0, arrivedAt + waitMs - start.readyAt)]];
}

/** The fields with that header at their end; an app's own one stays. */
export function withServerTiming(fields: Uint8Array, timing: Timing): Uint8Array {
  const pair = joinPairs([["server-timing", serverTiming(timing)]]);
  return fields.length === 0 ? pair : Buffer.concat([fields, NUL, pair]);
}

const NUL = new Uint8Array(1);

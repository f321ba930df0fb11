/** The Server-Timing header (W3C): how long a request waited, how long its app took, and what an instance's start cost it. */

import { joinPairs } from "../protocol/fields.ts";
import type { InstanceStart } from "./upstream.ts";

export interface Timing {
  readonly waitMs: number;
  /** From the hand-over to the head of the response. */
  readonly appMs: number;
  /** Null for a request that waited for no start. */
  readonly start: InstanceStart | null;
}

/** `wait;dur=21.3, fork;dur=3.1, boot;dur=1.2, import;dur=0.1, lifespan;dur=4, app;dur=2.4`. Phases of a start are part of the wait. */
export function serverTiming({ waitMs, appMs, start }: Timing): string {
  const phases = Object.entries(start?.phases ?? {});
  const entries: (readonly [string, number])[] = [["wait", waitMs], ...phases, ["app", appMs]];
  return entries.map(([name, ms]) => `${name};dur=${Number(ms.toFixed(1))}`).join(", ");
}

/** The fields with that header at their end; an app's own one stays. */
export function withServerTiming(fields: Uint8Array, timing: Timing): Uint8Array {
  const pair = joinPairs([["server-timing", serverTiming(timing)]]);
  return fields.length === 0 ? pair : Buffer.concat([fields, NUL, pair]);
}

const NUL = new Uint8Array(1);

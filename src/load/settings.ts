/** What a run is asked to do, after the command line was read. */

import type { Stage } from "./arrivals.ts";
import type { Destination, ExpectPlan } from "./plan.ts";

/** One kind of request, as a user says it. */
export interface TargetRequest {
  readonly method: string;
  /** Absolute: http, https, ws or wss. May hold placeholders in path and query. */
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer | null;
  readonly weight: number;
}

export interface LoadSettings {
  readonly requests: readonly TargetRequest[];
  readonly shape: Shape;
  readonly expect: ExpectPlan;
  readonly timeoutMs: number;
  readonly warmupMs: number;
  readonly seed: number;
  readonly keepAlive: boolean;
  /** null: as many as are needed. */
  readonly processes: number | null;
  readonly insecure: boolean;
  readonly caFile: string | null;
  /** Addresses to connect to instead of those of the URL; empty: those of the URL. */
  readonly connectTo: readonly Destination[];
}

export type Shape =
  | {
      readonly model: "open";
      readonly stages: readonly Stage[];
      readonly poisson: boolean;
      readonly maxConnections: number;
      /** Fewer would do: nobody asked for so many. */
      readonly mayShrink: boolean;
    }
  | {
      readonly model: "closed";
      readonly connections: number;
      /** null: until the requests are done. */
      readonly durationMs: number | null;
      readonly requestLimit: number | null;
    }
  | {
      readonly model: "hold";
      readonly connections: number;
      readonly holdMs: number;
      readonly rate: number;
      readonly openPerS: number;
    };

/** When the last request is begun, in ms since the start; for a hold, as far as it is known. */
export function shapeDurationMs(shape: Shape): number {
  if (shape.model === "open") return shape.stages.at(-1)?.atMs ?? 0;
  if (shape.model === "closed") return shape.durationMs ?? 0;
  return shape.holdMs + (2_000 * shape.connections) / shape.openPerS;
}

/** What one generator process is told to do. Plain data: it travels as JSON. */

import type { Stage } from "./arrivals.ts";
import type { RequestPlan } from "./request.ts";

/** Where connections go. */
export interface OriginPlan {
  readonly tls: TlsPlan | null;
  /** They all lead to the service; connections take turns. */
  readonly destinations: readonly Destination[];
  /** Local addresses to connect from, in turns; empty: the system chooses. */
  readonly sources: readonly string[];
}

export interface Destination {
  readonly host: string;
  readonly port: number;
}

export interface TlsPlan {
  readonly serverName: string;
  /** Takes any certificate. */
  readonly insecure: boolean;
  /** Path of a file with the certificate authorities to trust; null for those of the system. */
  readonly caFile: string | null;
}

/** When an answer counts as good. */
export interface ExpectPlan {
  /** Statuses that are good; empty: all below 400. */
  readonly statuses: readonly number[];
  /** Bytes of the body; null for any. */
  readonly length: number | null;
  /** The body holds this text; null for any. */
  readonly text: string | null;
  /** The body matches this regular expression; null for any. */
  readonly pattern: string | null;
}

interface Common {
  /** This process, of how many. */
  readonly part: { readonly index: number; readonly of: number };
  readonly origins: readonly OriginPlan[];
  readonly requests: readonly RequestPlan[];
  readonly expect: ExpectPlan;
  /** WebSocket messages instead of HTTP requests. */
  readonly webSocket: boolean;
  readonly timeoutMs: number;
  readonly warmupMs: number;
  readonly seed: number;
  /** Connections are used for many requests. */
  readonly keepAlive: boolean;
}

/** Requests begin on a schedule. */
export interface OpenPlan extends Common {
  readonly model: "open";
  /** Of all processes together; the warm-up is in front. */
  readonly stages: readonly Stage[];
  readonly poisson: boolean;
  /** Of this process. */
  readonly maxConnections: number;
}

/** Each connection begins the next request when the last was answered. */
export interface ClosedPlan extends Common {
  readonly model: "closed";
  readonly connections: number;
  /** Of this process; null: until the time is over. */
  readonly requestLimit: number | null;
  /** With the warm-up; null: until the requests are done. */
  readonly durationMs: number | null;
}

/** Connections are opened, each is tried, kept, and tried again at the end. */
export interface HoldPlan extends Common {
  readonly model: "hold";
  readonly connections: number;
  /** New connections per second, of this process. */
  readonly openPerS: number;
  readonly holdMs: number;
  /** Requests over the connections that are held, of all processes together; 0 for none. */
  readonly rate: number;
}

export type GeneratorPlan = OpenPlan | ClosedPlan | HoldPlan;

/** What the instances room needs from the rest of the platform, and what it tells. Bound by platform/. */

import type { Clock } from "../base/clock.ts";
import type { InstanceOrigin, InstanceState } from "../model/instance.ts";
import type { StartFailure } from "./errors.ts";

/** A row of the shared table, taken by one instance for its life. */
export interface RowLease {
  readonly row: number;
  /** Path of the mapped file, for the instance's begun marks; null when there is none. */
  readonly tablePath: string | null;
  /** Byte offset of the row's begun marks in that file. */
  readonly begunOffset: number;
}

/** The shared table of slots. */
export interface Rows {
  /** Takes a row with `slots` slots; undefined when the table is full. */
  acquire(slots: number): RowLease | undefined;
  /** From now on no gateway reserves a slot of this row. Those already reserved stay. */
  close(row: number): void;
  /** Slots of this row that are reserved now, over all gateways. */
  inFlight(row: number): number;
  /** Requests that the row's instance has finished. */
  served(row: number): number;
  /** Gives the row back. The instance is gone and no gateway has it in its list. */
  free(row: number): void;
}

/** One instance as gateways need to know it. */
export interface Route {
  readonly id: string;
  readonly row: number;
  /** Path of the Unix socket it listens on. */
  readonly socket: string;
  readonly generation: number;
  /** Unix milliseconds. */
  readonly readyAt: number;
  /** Milliseconds by phase of its start. */
  readonly phases: Readonly<Record<string, number>>;
}

export interface Routes {
  /**
   * Makes `routes` the whole list of instances that take requests. Resolves when every gateway has acknowledged it: it is
   * connected to the new ones and places nothing on the ones that are gone from the list. Called one at a time.
   */
  publish(routes: readonly Route[]): Promise<void>;
}

/** One line that an instance (or a zygote) wrote. */
export interface OutputLine {
  readonly instance: string;
  readonly stream: "stdout" | "stderr";
  /** Empty when the line was written outside a request. */
  readonly requestId: string;
  readonly line: string;
}

/** How a process ended. Exactly one is not null, unless the system did not say (both null). */
export interface Exit {
  readonly status: number | null;
  /** Name such as "SIGKILL". */
  readonly signal: string | null;
  /** The kernel killed it because its group was over its memory. */
  readonly overMemory?: boolean;
  /** The zygote that took it along when it ended, or that ended before it could fork. */
  readonly zygote?: string;
}

/** What a pool tells while it works. signals.ts says each as a sentence. */
export type PoolEvent =
  | {
      readonly kind: "state";
      readonly instance: string;
      readonly generation: number;
      readonly from: InstanceState;
      readonly to: InstanceState;
      readonly why: string;
    }
  | {
      /** Its process is there. */
      readonly kind: "started";
      readonly instance: string;
      readonly pid: number;
      readonly origin: InstanceOrigin;
    }
  | {
      readonly kind: "ready";
      readonly instance: string;
      readonly pid: number;
      readonly origin: InstanceOrigin;
      readonly startMs: number;
      readonly phases: Readonly<Record<string, number>>;
    }
  | {
      readonly kind: "crashed";
      readonly instance: string;
      readonly pid: number;
      readonly exit: Exit;
      readonly uptimeMs: number;
      /** Last lines of its stderr. */
      readonly output: readonly string[];
    }
  | { readonly kind: "start-failed"; readonly instance: string; readonly failure: StartFailure }
  | {
      readonly kind: "restart";
      readonly seat: number;
      /** The one that is replaced; empty where its start had failed. */
      readonly instance: string;
      readonly delayMs: number;
      readonly reasons: readonly string[];
    }
  | { readonly kind: "crash-loop"; readonly crashes: number; readonly windowMs: number }
  | {
      readonly kind: "preload";
      readonly level: "app" | "imports" | "off";
      readonly reasons: readonly string[];
      readonly startMs: number;
    }
  | {
      readonly kind: "zygote-exited";
      readonly zygote: string;
      readonly exit: Exit;
      /** How many it took along. */
      readonly instances: number;
    }
  | { readonly kind: "reload-started"; readonly generation: number }
  | { readonly kind: "reload-done"; readonly generation: number; readonly ms: number }
  | { readonly kind: "reload-failed"; readonly generation: number; readonly failure: StartFailure }
  | { readonly kind: "recycled"; readonly instance: string; readonly reason: string }
  | { readonly kind: "recycle-failed"; readonly instance: string; readonly failure: StartFailure }
  | { readonly kind: "stuck"; readonly instance: string; readonly reason: string; readonly graceMs: number }
  | {
      readonly kind: "drain-over";
      readonly instance: string;
      readonly inFlight: number;
      readonly drainMs: number;
    }
  | { readonly kind: "killed"; readonly instance: string; readonly pid: number; readonly why: string }
  | { readonly kind: "limit-refused"; readonly why: string }
  | { readonly kind: "publish-failed"; readonly message: string }
  | { readonly kind: "control-refused"; readonly why: string };

/** Everything a pool needs. */
export interface PoolPorts {
  readonly clock: Clock;
  /** 0 <= x < 1, for jitter. */
  readonly random: () => number;
  readonly rows: Rows;
  readonly routes: Routes;
  /** A gateway's connection to this instance has ended and all of its streams there are done. */
  gatewayReleased(instance: string, gateway: number): void;
  /** One line of output. Never throws. */
  output(line: OutputLine): void;
  /** Never throws. */
  event(event: PoolEvent): void;
}

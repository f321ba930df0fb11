/**
 * What the platform and its gateway processes say to each other, over the channel that comes with a child process. Revisions are
 * named by their keys.
 */

import type { FrontSettings, InternalPorts, Routing, ServiceSettings } from "../gateway/settings.ts";
import type { Address } from "../gateway/upstream.ts";
import type { LogRecord } from "../model/log.ts";

/** In the run folder: the counters behind the splits, see gateway/route/turns.ts. */
export const TURNS_FILE = "turns";

/** One revision, as a gateway has to know it. */
export interface RevisionStart {
  readonly settings: ServiceSettings;
  /** Paths of its shared table and of its counters. */
  readonly table: string;
  readonly meter: string;
  readonly routes: readonly Address[];
  readonly failing: boolean;
}

/** To a gateway. What has a `seq` is answered with an ack once it holds. */
export type ToGateway =
  | {
      readonly type: "start";
      readonly front: FrontSettings;
      readonly logLevel: "debug" | "info" | "warn" | "error";
      /** Path of the counters of what belongs to no service. */
      readonly meter: string;
      /** Folder of the bells, see doorbell.ts. */
      readonly runDir: string;
      readonly column: number;
      readonly gateway: number;
      readonly revisions: readonly RevisionStart[];
      readonly routing: Routing;
      readonly internal: InternalPorts;
    }
  /** There is one more revision; no request goes there before the routing says so. */
  | { readonly type: "revision"; readonly seq: number; readonly revision: RevisionStart }
  /** A revision to which the routing sends nothing any more is gone. */
  | { readonly type: "forget"; readonly seq: number; readonly revision: string }
  | {
      readonly type: "routing";
      readonly seq: number;
      readonly routing: Routing;
      readonly internal: InternalPorts;
    }
  /** The instances of a revision. */
  | {
      readonly type: "routes";
      readonly seq: number;
      readonly revision: string;
      readonly routes: readonly Address[];
    }
  /** Instances fail to start: nobody is made to wait for one. */
  | { readonly type: "failing"; readonly revision: string; readonly failing: boolean }
  /** Nothing runs any more on the instance of what came over a lost connection of this gateway. */
  | { readonly type: "released"; readonly revision: string; readonly instance: string }
  /** Slots may have become free: serve the line. */
  | { readonly type: "look" }
  /** Take no more connections, finish what is there. */
  | { readonly type: "drain" }
  /** Cut what is left and exit. */
  | { readonly type: "stop" };

/** From a gateway. */
export type FromGateway =
  /** It listens, and is connected to the instances it was started with. */
  | { readonly type: "ready"; readonly port: number }
  /** It cannot listen. */
  | { readonly type: "failed"; readonly code: string; readonly message: string }
  | { readonly type: "ack"; readonly seq: number }
  | {
      readonly type: "stuck";
      readonly revision: string;
      readonly instance: string;
      readonly requestId: string;
    }
  | {
      readonly type: "instance-lost";
      readonly revision: string;
      readonly instance: string;
      readonly protocolError: string;
    }
  /** Requests wait or were refused, the first of them since (Unix milliseconds); rate limited. Only where instances come and go. */
  | { readonly type: "waits"; readonly revision: string; readonly since: number }
  /** After drain: no connection is left. */
  | { readonly type: "drained" }
  | { readonly type: "log"; readonly record: LogRecord };

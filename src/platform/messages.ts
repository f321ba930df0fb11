/** What the platform and its gateway processes say to each other, over the channel that comes with a child process. */

import type { GatewaySettings } from "../gateway/settings.ts";
import type { Address } from "../gateway/upstream.ts";
import type { LogRecord } from "../model/log.ts";

/** To a gateway. */
export type ToGateway =
  | {
      readonly type: "start";
      readonly settings: GatewaySettings;
      readonly logLevel: "debug" | "info" | "warn" | "error";
      /** Paths of the shared table and of the counters. */
      readonly table: string;
      readonly meter: string;
      /** Folder of the bells, see doorbell.ts. */
      readonly runDir: string;
      readonly column: number;
      readonly gateway: number;
      readonly routes: readonly Address[];
      readonly failing: boolean;
    }
  | { readonly type: "routes"; readonly seq: number; readonly routes: readonly Address[] }
  /** Instances fail to start: nobody is made to wait for one. */
  | { readonly type: "failing"; readonly failing: boolean }
  /** Nothing runs any more on the instance of what came over a lost connection of this gateway. */
  | { readonly type: "released"; readonly instance: string }
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
  | { readonly type: "routes-ack"; readonly seq: number }
  | { readonly type: "stuck"; readonly instance: string; readonly requestId: string }
  | { readonly type: "instance-lost"; readonly instance: string; readonly protocolError: string }
  /** Requests wait or were refused, the first of them since (Unix milliseconds); rate limited. Only where instances come and go. */
  | { readonly type: "waits"; readonly since: number }
  /** After drain: no connection is left. */
  | { readonly type: "drained" }
  | { readonly type: "log"; readonly record: LogRecord };

/** How an instance's process comes to be: spawned, or forked by a zygote. */

import type { InstanceOrigin } from "../../model/instance.ts";
import type { StartFailure } from "../errors.ts";
import type { Exit, OutputLine } from "../ports.ts";
import type { Boot } from "./messages.ts";

/** A process that has been started. */
export interface Running {
  readonly pid: number;
  readonly origin: InstanceOrigin;
  /** Milliseconds that the spawn or fork itself took. */
  readonly launchMs: number;
  readonly exited: Promise<Exit>;
  /** The pipes it was started with have ended. */
  readonly outputEnded: Promise<void>;
}

export type LaunchResult =
  | { readonly kind: "running"; readonly running: Running }
  | { readonly kind: "failed"; readonly failure: StartFailure };

export interface Launcher {
  /** Preload level that holds. */
  readonly level: "app" | "imports" | "off";
  /** Why it is not a higher one, or what is risky about it. */
  readonly reasons: readonly string[];
  /** Starts a process. `line` takes what it writes before it uses the log socket. */
  launch(boot: Boot, line: (line: OutputLine) => void): Promise<LaunchResult>;
  /** Nothing more will be launched and everything launched is gone. Idempotent. */
  close(): Promise<void>;
}

/** Sends a signal to a process and to those it started in its process group. A process that is gone is no error. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    signalProcess(pid, signal);
  }
}

/** Sends a signal to one process. A process that is gone is no error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone.
  }
}

/** What a pool is told at its start: plain values, durations in milliseconds, sizes in bytes. */

import type { RecycleSettings } from "./recycle.ts";

export type Preload = "auto" | "app" | "imports" | "off";

export interface PoolSpec {
  /** Names, for logs and the instance's environment. */
  readonly service: string;
  readonly revision: string;
  /** Target as the user wrote it: file.py, file.py:attr, module:attr. */
  readonly app: string;
  readonly interface: "auto" | "asgi" | "wsgi" | "function";
  /** Whether the attribute is called to get the app. */
  readonly factory: boolean;
  /** functions-framework's options, or null. */
  readonly signatureType: string | null;
  readonly target: string | null;
  /** Folder put first on sys.path and made the working directory. */
  readonly appDir: string;
  /** Folders of the app's code, and what is kept of them: that is imported. Empty: what is on disk. */
  readonly sources: readonly { readonly folder: string; readonly kept: string }[];
  /** Path of the Python interpreter, as `findInterpreter` found it. */
  readonly python: string;
  /** Folder that holds the `headrace` Python package. */
  readonly packageDir: string;
  /** Environment of every instance, complete. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder for sockets, owned by this process and private to its user. Short: a socket path has 107 bytes. */
  readonly runDir: string;
  readonly instances: number;
  readonly preload: Preload;
  /** Keeps the imports zygote over reloads, so that a changed app starts without importing its dependencies again. */
  readonly keepImports: boolean;
  readonly workerClass: "auto" | "gevent";
  readonly loop: "auto" | "asyncio" | "uvloop";
  readonly lifespan: "auto" | "on" | "off";
  /** Slots of one instance. */
  readonly concurrency: number;
  /** Credit granted to gateways per stream. */
  readonly window: number;
  /** What an instance may use; 0 for as much as there is. */
  readonly limits: { readonly cpu: number; readonly memory: number };
  readonly recycling: RecycleSettings;
  readonly rootPath: string;
  readonly wsMaxSize: number;
  /** From the launch of an instance or zygote to ready. */
  readonly startupTimeoutMs: number;
  /** For lifespan shutdown. */
  readonly shutdownTimeoutMs: number;
  /** For requests in flight when an instance is retired by a reload, a recycle or a smaller scale; may be without end. */
  readonly patienceMs: number;
  /** Meanwhile, for WebSockets and responses that have begun: after this time, and at most twice of it, they are told to end. */
  readonly drainMs: number;
}

/** Timings that no user sets. */
export const timings = {
  /** After `disconnect`, for apps to end what they were told is over. */
  disconnectGraceMs: 2_000,
  /** Between SIGTERM and SIGKILL. */
  termGraceMs: 2_000,
  /** What lasts is told to end no oftener than this. */
  lastingLeastMs: 100,
  /** A stuck instance's other requests may finish this long. */
  stuckGraceMs: 5_000,
  /** A process that has failed, or left its control connection, has this long to exit by itself. */
  exitGraceMs: 8_000,
  /** After a process ended: its last lines and control messages may take this long. */
  lastWordsMs: 1_000,
  /** A process that ended before a connection of it was seen may still have one in the listener's queue. */
  connectGraceMs: 400,
  /** While draining with slots still reserved: how often the table is read. It has no events. */
  drainCheckMs: 20,
} as const;

/** Lines of stderr that are kept to explain a failed start or a crash. */
export const keptLines = 60;

/** Longest output line in bytes; longer ones are split. */
export const maxLineBytes = 64 * 1024;

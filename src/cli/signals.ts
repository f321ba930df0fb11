import { constants } from "node:os";
import { HeadraceError, messageOf } from "../base/errors.ts";
import type { LogSink } from "../model/log.ts";
import { type cliEvents, cliRecord } from "./events.ts";

/** What signals act upon. */
export interface Stoppable {
  stop(reason: string, options?: { readonly force?: boolean }): Promise<void>;
  reload(): Promise<void>;
}

export interface Signals {
  /** Resolves with an exit code when a signal comes before {@link Signals.serve}. */
  readonly early: Promise<number>;
  /** From now on signals act on `running`. */
  serve(running: Stoppable): void;
  close(): void;
}

type Name = "SIGTERM" | "SIGINT" | "SIGHUP";

/**
 * ```
 *  starting ──SIGTERM, SIGINT──▶ ended early
 *     │ serve()
 *     ▼
 *  serving ──SIGTERM, SIGINT──▶ draining ──SIGTERM, SIGINT──▶ forced
 *     └──SIGHUP──▶ serving (reload)
 * ```
 */
export function listenToSignals(log: LogSink): Signals {
  const early = Promise.withResolvers<number>();
  let running: Stoppable | null = null;
  let state: "starting" | "serving" | "draining" | "forced" = "starting";

  const say = (event: keyof typeof cliEvents, message: string) => log(cliRecord(event, message));

  const end = (name: Name) => {
    if (running === null) {
      say("cli.stopped_early", `${name} came before the app was ready: nothing was served.`);
      early.resolve(128 + constants.signals[name]);
    } else if (state === "serving") {
      state = "draining";
      void running.stop(name);
      say("cli.draining", "Requests in flight may finish; a second signal cuts them.");
    } else if (state === "draining") {
      state = "forced";
      say("cli.forced", `A second ${name}: stopping at once.`);
      void running.stop(name, { force: true });
    }
  };
  const reload = () => {
    if (state !== "serving") return;
    say("cli.reload", "SIGHUP: the app is loaded anew.");
    running?.reload().catch((error: unknown) => {
      // The pool has told why a reload of the app failed, traceback and all; anything else would be silent.
      if (!(error instanceof HeadraceError))
        say("cli.reload_failed", `The reload failed: ${messageOf(error)}`);
    });
  };
  const listeners: readonly (readonly [Name, () => void])[] = [
    ["SIGTERM", () => end("SIGTERM")],
    ["SIGINT", () => end("SIGINT")],
    ["SIGHUP", reload],
  ];
  for (const [name, listener] of listeners) process.on(name, listener);
  return {
    early: early.promise,
    serve(started) {
      running = started;
      state = "serving";
    },
    close() {
      for (const [name, listener] of listeners) process.off(name, listener);
    },
  };
}

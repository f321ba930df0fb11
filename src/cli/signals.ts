import { constants } from "node:os";
import { type Clock, systemClock } from "../base/clock.ts";
import { HeadraceError, messageOf } from "../base/errors.ts";
import type { LogSink } from "../model/log.ts";
import { type cliEvents, cliRecord } from "./events.ts";

/** What signals act upon. */
export interface Stoppable {
  stop(reason: string, options?: { readonly force?: boolean }): Promise<void>;
  reload(): Promise<void>;
}

export interface Signals {
  /** Aborted by a signal that comes before {@link Signals.serve}; its reason is the exit code. */
  readonly cancel: AbortSignal;
  /** Resolves with the exit code when a second one comes before the start is given up in order. */
  readonly early: Promise<number>;
  /** From now on signals act on `running`. */
  serve(running: Stoppable): void;
  /** Does what a first SIGTERM would while it serves. Asked for again, or at any other time, nothing. */
  readonly stop: (reason: string) => void;
  close(): void;
}

type Name = "SIGTERM" | "SIGINT" | "SIGHUP";

/**
 * Some callers signal a process and then its whole group (timeout, npm): what comes within this time is one request to stop,
 * not two. People are slower.
 */
const SAME_REQUEST_MS = 200;

/**
 * ```
 *  starting ──SIGTERM, SIGINT──▶ cancelled ──SIGTERM, SIGINT──▶ ended early
 *     │ serve()
 *     ▼
 *  serving ──SIGTERM, SIGINT, stop()──▶ draining ──SIGTERM, SIGINT──▶ forced
 *     └──SIGHUP──▶ serving (reload)
 * ```
 */
export function listenToSignals(log: LogSink, clock: Pick<Clock, "now"> = systemClock): Signals {
  const early = Promise.withResolvers<number>();
  let running: Stoppable | null = null;
  let stopAsked = 0;
  const cancel = new AbortController();
  let state: "starting" | "cancelled" | "serving" | "draining" | "forced" = "starting";

  const say = (event: keyof typeof cliEvents, message: string) => log(cliRecord(event, message));

  const drain = (reason: string) => {
    state = "draining";
    stopAsked = clock.now();
    void running?.stop(reason);
    say("cli.draining", "Requests in flight may finish; a second signal cuts them.");
  };
  const end = (name: Name) => {
    const again = clock.now() - stopAsked >= SAME_REQUEST_MS;
    if (state === "starting") {
      state = "cancelled";
      stopAsked = clock.now();
      say("cli.stopped_early", `${name} came before the app was ready: nothing was served.`);
      cancel.abort(128 + constants.signals[name]);
    } else if (state === "cancelled" && again) {
      early.resolve(128 + constants.signals[name]);
    } else if (state === "serving") drain(name);
    else if (state === "draining" && again) {
      state = "forced";
      say("cli.forced", `A second ${name}: stopping at once.`);
      void running?.stop(name, { force: true });
    }
  };
  const reload = () => {
    if (state !== "serving") return;
    say("cli.reload", "SIGHUP: the app is loaded anew.");
    running?.reload().catch((error: unknown) => {
      // What is refused, or does not start, has told why, traceback and all; anything else would be silent.
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
    cancel: cancel.signal,
    early: early.promise,
    serve(started) {
      running = started;
      // A signal that came just when the start was done could not give it up any more.
      if (state === "cancelled") {
        state = "draining";
        void running.stop("a signal during the start");
      } else state = "serving";
    },
    stop(reason) {
      if (state === "serving") drain(reason);
    },
    close() {
      for (const [name, listener] of listeners) process.off(name, listener);
    },
  };
}

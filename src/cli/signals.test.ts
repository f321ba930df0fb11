import { afterEach, expect, test } from "bun:test";
import { ManualClock } from "../base/clock.ts";
import { HeadraceError } from "../base/errors.ts";
import type { LogRecord } from "../model/log.ts";
import { listenToSignals, type Signals } from "./signals.ts";

let signals: Signals | undefined;
afterEach(() => signals?.close());

function listen() {
  const logged: LogRecord[] = [];
  const calls: string[] = [];
  const clock = new ManualClock();
  signals = listenToSignals((record) => logged.push(record), clock);
  let reload: () => Promise<void> = () => Promise.resolve();
  const running = {
    stop(reason: string, options?: { readonly force?: boolean }) {
      calls.push(`stop ${reason}${options?.force === true ? " forced" : ""}`);
      return Promise.resolve();
    },
    reload() {
      calls.push("reload");
      return reload();
    },
  };
  const events = () => logged.map(({ event }) => event);
  return {
    clock,
    signals,
    running,
    calls,
    logged,
    events,
    onReload: (how: () => Promise<void>) => (reload = how),
  };
}

test("the first signal drains, the second forces, more do nothing", () => {
  const { clock, signals, running, calls, events } = listen();
  signals.serve(running);
  for (const name of ["SIGTERM", "SIGINT", "SIGTERM"] as const) {
    process.emit(name, name);
    clock.advance(1_000);
  }
  expect(calls).toEqual(["stop SIGTERM", "stop SIGINT forced"]);
  expect(events()).toEqual(["cli.draining", "cli.forced"]);
});

test("a process and its group are signalled at once: that is one request", () => {
  const { clock, signals, running, calls } = listen();
  signals.serve(running);
  process.emit("SIGTERM", "SIGTERM");
  clock.advance(50);
  process.emit("SIGTERM", "SIGTERM");
  expect(calls).toEqual(["stop SIGTERM"]);
  clock.advance(500);
  process.emit("SIGTERM", "SIGTERM");
  expect(calls).toEqual(["stop SIGTERM", "stop SIGTERM forced"]);
});

test("what is asked for otherwise is a first signal, and never a second", () => {
  const { clock, signals, running, calls, events } = listen();
  signals.stop("too early");
  signals.serve(running);
  signals.stop("POST /v1/stop");
  clock.advance(1_000);
  signals.stop("POST /v1/stop");
  expect(calls).toEqual(["stop POST /v1/stop"]);
  process.emit("SIGTERM", "SIGTERM");
  expect(calls.slice(1)).toEqual(["stop SIGTERM forced"]);
  expect(events()).toEqual(["cli.draining", "cli.forced"]);
});

test("SIGHUP reloads while it serves, and not while it stops", () => {
  const { signals, running, calls } = listen();
  process.emit("SIGHUP", "SIGHUP");
  signals.serve(running);
  process.emit("SIGHUP", "SIGHUP");
  process.emit("SIGINT", "SIGINT");
  process.emit("SIGHUP", "SIGHUP");
  expect(calls).toEqual(["reload", "stop SIGINT"]);
});

test("a reload that fails is told, unless the pool has told it", async () => {
  const { signals, running, logged, onReload } = listen();
  signals.serve(running);
  onReload(() => Promise.reject(new HeadraceError("app_import_failed", "no")));
  process.emit("SIGHUP", "SIGHUP");
  onReload(() => Promise.reject(new Error("odd")));
  process.emit("SIGHUP", "SIGHUP");
  await new Promise((resolve) => setImmediate(resolve));
  expect(logged.filter(({ level }) => level === "warn").map(({ message }) => message)).toEqual([
    "The reload failed: odd",
  ]);
});

test("a signal before it serves gives the start up, a second one does not wait for that", async () => {
  const { clock, signals, events } = listen();
  process.emit("SIGINT", "SIGINT");
  clock.advance(1_000);
  expect([signals.cancel.aborted, signals.cancel.reason]).toEqual([true, 130]);
  process.emit("SIGTERM", "SIGTERM");
  expect(await signals.early).toBe(143);
  expect(events()).toEqual(["cli.stopped_early"]);
});

test("a signal just when the start is done stops what was started", () => {
  const { clock, signals, running, calls } = listen();
  process.emit("SIGTERM", "SIGTERM");
  signals.serve(running);
  expect(calls).toEqual(["stop a signal during the start"]);
  clock.advance(1_000);
  process.emit("SIGTERM", "SIGTERM");
  expect(calls.slice(1)).toEqual(["stop SIGTERM forced"]);
});

test("closed, it hears nothing", () => {
  const { signals, running, calls } = listen();
  signals.serve(running);
  signals.close();
  expect(process.listenerCount("SIGHUP")).toBe(0);
  process.emit("SIGHUP", "SIGHUP");
  expect(calls).toEqual([]);
});

/** What starting one service and starting many have in common. */

import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import { HeadraceError } from "../base/errors.ts";
import type { ReleaseStack } from "../base/release.ts";
import type { LogSink } from "../model/log.ts";
import type { GatewaysPorts } from "./gateways.ts";

/** Columns beyond one a gateway: those of gateways that died stay taken while their requests still run. */
export const SPARE_COLUMNS = 14;

/** A folder of our own for sockets and shared memory: only this user can enter it, and its path is short enough for sockets. */
export function makeRunDir(release: ReleaseStack): string {
  const base = process.env["XDG_RUNTIME_DIR"] ?? tmpdir();
  const runDir = mkdtempSync(join(base.length > 40 ? "/tmp" : base, "headrace-"));
  chmodSync(runDir, 0o700);
  release.push(() => rmSync(runDir, { recursive: true, force: true }));
  return runDir;
}

/** What gateways have to tell that is about no service. */
export function gatewaysPorts(log: LogSink): GatewaysPorts {
  return {
    log,
    died: (gateway, pid, status, delayMs) => {
      const when = delayMs === 0 ? "now" : `in ${delayMs} ms`;
      const message = `Gateway ${gateway} ended (${status}); a new one starts ${when}`;
      const fields = { gateway, pid, status, delay_ms: delayMs };
      log({ time: Date.now(), level: "error", event: "platform.gateway_died", message, fields });
    },
  };
}

/** Resolves with the promise, or when the time is over. */
export async function within(ms: number, promise: Promise<unknown>): Promise<void> {
  const timer = Promise.withResolvers<void>();
  const cancel = systemClock.after(ms, timer.resolve);
  await Promise.race([promise, timer.promise]);
  cancel();
}

/**
 * A start that can be given up.
 * @throws HeadraceError start_cancelled
 */
export async function unlessCancelled<T>(starting: Promise<T>, cancel: AbortSignal): Promise<T> {
  // What is released under its feet ends it with errors that nobody needs any more.
  starting.catch(() => {});
  const cancelled = Promise.withResolvers<never>();
  const give = () => cancelled.reject(new HeadraceError("start_cancelled", "The start was given up."));
  if (cancel.aborted) give();
  cancel.addEventListener("abort", give, { once: true });
  try {
    return await Promise.race([starting, cancelled.promise]);
  } finally {
    cancel.removeEventListener("abort", give);
  }
}

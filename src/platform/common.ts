/** What starting one service and starting many have in common. */

import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import { HeadraceError } from "../base/errors.ts";
import type { ReleaseStack } from "../base/release.ts";
import { startTicks, stillRuns } from "../config/rundir.ts";
import type { LogSink } from "../model/log.ts";
import type { GatewaysPorts } from "./gateways.ts";

/** Columns beyond one a gateway: those of gateways that died stay taken while their requests still run. */
export const SPARE_COLUMNS = 14;

/** In each run folder: whose it is. */
const OWNER = "owner.json";

interface Owner {
  readonly pid: number;
  readonly startTicks: number;
  /** Of the process numbers: in containers that share a folder the same number is another process. Empty where that cannot be known. */
  readonly namespace: string;
}

/**
 * A folder of our own for sockets and shared memory: only this user can enter it, and its path is short enough for sockets. Those of
 * processes that were killed go.
 */
export function makeRunDir(release: ReleaseStack): string {
  const base = process.env["XDG_RUNTIME_DIR"] ?? tmpdir();
  const place = base.length > 40 ? "/tmp" : base;
  const namespace = pidNamespace();
  removeLeft(place, namespace);
  const runDir = mkdtempSync(join(place, "headrace-"));
  chmodSync(runDir, 0o700);
  release.push(() => rmSync(runDir, { recursive: true, force: true }));
  const { pid } = process;
  const owner: Owner = { pid, startTicks: startTicks(pid) ?? 0, namespace };
  writeFileSync(join(runDir, OWNER), JSON.stringify(owner), { mode: 0o600 });
  return runDir;
}

/** A folder that names no owner may be anybody's, and stays. */
function removeLeft(place: string, namespace: string): void {
  for (const name of namesIn(place)) {
    if (!/^headrace-\w{6}$/.test(name)) continue;
    const folder = join(place, name);
    try {
      const info = lstatSync(folder);
      if (!info.isDirectory() || info.uid !== process.getuid?.()) continue;
      const owner = JSON.parse(readFileSync(join(folder, OWNER), "utf8")) as Partial<Owner>;
      const { pid, startTicks: ticks } = owner;
      if (owner.namespace !== namespace || typeof pid !== "number" || typeof ticks !== "number") continue;
      if (!stillRuns({ pid, startTicks: ticks })) rmSync(folder, { recursive: true, force: true });
    } catch {
      // Without an owner, or removed by another start just now.
    }
  }
}

/** Where all may write, not all may look. */
function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function pidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
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

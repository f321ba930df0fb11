import { constants } from "node:os";
import { join } from "node:path";
import { messageOf } from "../../base/errors.ts";
import { plainFailure } from "../errors.ts";
import type { Exit, OutputLine } from "../ports.ts";
import type { PoolSpec } from "../settings.ts";
import type { Launcher, LaunchResult } from "./launcher.ts";
import { readPipe } from "./logs.ts";
import type { Boot } from "./messages.ts";

/** What a spawned worker is told through its environment; it removes it before it imports the app. */
const BOOT_VARIABLE = "HEADRACE_BOOT";

/** Spawns the interpreter with the worker's entry, in a process group of its own. */
export function spawnWorker(spec: PoolSpec, boot: Boot, line: (line: OutputLine) => void): LaunchResult {
  const began = performance.now();
  const { promise: exited, resolve } = Promise.withResolvers<Exit>();
  try {
    const child = Bun.spawn([spec.python, join(spec.packageDir, "headrace", "worker", "__main__.py")], {
      env: { ...spec.env, [BOOT_VARIABLE]: JSON.stringify(boot) },
      stdio: ["ignore", "pipe", "pipe"],
      // A session of its own: a terminal's Ctrl-C reaches the platform only, which then drains.
      detached: true,
      onExit: (_, status, signal) => resolve({ status, signal: signalName(signal) }),
    });
    const outputEnded = Promise.all([
      readPipe(child.stdout, boot.id, "stdout", line),
      readPipe(child.stderr, boot.id, "stderr", line),
    ]).then(() => {});
    const launchMs = performance.now() - began;
    return { kind: "running", running: { pid: child.pid, origin: "spawn", launchMs, exited, outputEnded } };
  } catch (error) {
    return { kind: "failed", failure: plainFailure("spawn_failed", `${spec.python}: ${messageOf(error)}`) };
  }
}

/** One process for each instance. */
export function spawnLauncher(spec: PoolSpec, reasons: readonly string[]): Launcher {
  return {
    level: "off",
    reasons,
    launch: async (boot, line) => spawnWorker(spec, boot, line),
    close: async () => {},
  };
}

const signalNames = new Map(
  Object.entries(constants.signals).map(([name, number]) => [number as number, name]),
);

/** Signals come as numbers from some sources and as names from others. */
export function signalName(signal: number | string | null): string | null {
  if (signal === null || typeof signal === "string") return signal;
  return signalNames.get(signal) ?? `signal ${signal}`;
}

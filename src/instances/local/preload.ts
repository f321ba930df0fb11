import type { StartFailure } from "../errors.ts";
import type { Host } from "../member.ts";
import type { Launcher } from "./launcher.ts";
import { spawnLauncher } from "./spawn.ts";

export type OpenedLauncher =
  | { readonly kind: "opened"; readonly launcher: Launcher; readonly ms: number }
  | { readonly kind: "failed"; readonly failure: StartFailure };

/**
 * Opens what instances are started with.
 * @param kept the launcher of the generation before, when it may be used again
 */
export async function openLauncher(host: Host, kept: Launcher | undefined): Promise<OpenedLauncher> {
  if (kept !== undefined && kept.level !== "app") return { kind: "opened", launcher: kept, ms: 0 };
  return { kind: "opened", launcher: spawnLauncher(host.spec, []), ms: 0 };
}

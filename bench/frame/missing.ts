/** Peers that could not be had, by name with the reason. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Missing, PartResult } from "./model.ts";
import { ROOT } from "./places.ts";

/** Written by install.ts: what could not be installed, and why. */
export const INSTALL_REPORT = join(ROOT, "bench/.venv/missing.json");

/** Those that the parts asked for in vain; where the installation said why, that is the reason. */
export function missingPeers(parts: readonly PartResult[]): Missing[] {
  const installing: Missing[] = existsSync(INSTALL_REPORT)
    ? JSON.parse(readFileSync(INSTALL_REPORT, "utf8"))
    : [];
  const found = new Map(installing.map(({ name, why }) => [name, why]));
  for (const { samples, absent } of parts) {
    for (const { stack, why } of absent) {
      const measured = samples.some((sample) => sample.stack === stack);
      if (!measured && !found.has(stack)) found.set(stack, why);
    }
  }
  return [...found].map(([name, why]) => ({ name, why }));
}

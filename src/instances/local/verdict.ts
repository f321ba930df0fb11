/** Which preload level `headrace run` ends up at, from what a scratch process found. Pure; preload.ts does the same with zygotes. */

import type { PreloadLevel } from "../../model/doctor.ts";
import type { PoolSpec } from "../settings.ts";
import type { Finding } from "./messages.ts";
import { explain, keptImports, noZygote } from "./preload.ts";

/** What was found at one level, and the level that holds. */
export interface Looked {
  readonly level: PreloadLevel;
  readonly findings: readonly Finding[];
}

export interface Verdict {
  readonly level: PreloadLevel;
  readonly reasons: readonly string[];
}

type Asked = Pick<PoolSpec, "preload" | "keepImports" | "workerClass">;

/** Whether the verdict depends on what is found at level imports. */
export function needsImports(asked: Asked, app: Looked): boolean {
  if (asked.preload === "off" || asked.preload === "app" || noZygote(asked.workerClass) !== undefined)
    return false;
  return asked.preload === "imports" || asked.keepImports || app.level === "imports";
}

/** @param imports what was found at level imports; needed where {@link needsImports} says so */
export function verdict(asked: Asked, app: Looked, imports: Looked | null): Verdict {
  if (asked.preload === "off") return { level: "off", reasons: ["--preload off was asked for"] };
  const impossible = noZygote(asked.workerClass);
  if (impossible !== undefined) return { level: "off", reasons: [impossible] };
  const reasons: string[] = [];
  if (asked.preload === "app" || (asked.preload === "auto" && !asked.keepImports)) {
    reasons.push(...app.findings.map((finding) => explain("app", finding)));
    if (app.findings.length === 0 || asked.preload === "app") return { level: "app", reasons };
  }
  if (imports === null) return { level: "off", reasons };
  if (asked.preload === "auto" && asked.keepImports) reasons.push(keptImports);
  reasons.push(...imports.findings.map((finding) => explain("imports", finding)));
  const kept = imports.findings.length === 0 || asked.preload === "imports";
  return { level: kept ? "imports" : "off", reasons };
}

import { Exit } from "../../base/errors.ts";
import { VERSION } from "../../model/version.ts";
import type { Io } from "../io.ts";

/** `headrace version`: the version, and what it runs on. */
export function version(_argv: readonly string[], io: Io): number {
  io.out(`headrace ${VERSION} (Bun ${Bun.version}, ${process.platform} ${process.arch})\n`);
  return Exit.OK;
}

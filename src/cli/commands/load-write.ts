/** Writes what a load has to report where it is asked for. */

import { writeFileSync } from "node:fs";
import { Exit, HeadraceError, messageOf } from "../../base/errors.ts";
import { absolute } from "../../config/resolve.ts";
import type { Io } from "../io.ts";

/** @param path empty: nowhere; `-`: stdout */
export function writeReport(path: string, text: () => string, io: Io): void {
  if (path === "") return;
  if (path === "-") {
    io.out(text());
    return;
  }
  try {
    writeFileSync(absolute(path, io.cwd), text());
    io.err(`  written: ${path}\n`);
  } catch (error) {
    throw new HeadraceError("load_invalid", `${path} cannot be written: ${messageOf(error)}.`, {
      exit: Exit.SYSTEM,
    });
  }
}

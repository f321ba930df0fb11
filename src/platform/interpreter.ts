import { dirname } from "node:path";
import { findInterpreter, type Interpreter } from "../instances/index.ts";

/**
 * The interpreter for a file of Python, found as that of an app is.
 * @param python `--python`; empty for none
 * @throws HeadraceError when there is none that works
 */
export function interpreterFor(
  file: string,
  where: {
    readonly python: string;
    readonly cwd: string;
    readonly env: Readonly<Record<string, string | undefined>>;
  },
): Promise<Interpreter> {
  return findInterpreter({
    python: where.python === "" ? null : where.python,
    appDir: dirname(file),
    cwd: where.cwd,
    env: where.env,
  });
}

import { systemClock } from "../base/clock.ts";
import type { RunConfig } from "../config/run-config.ts";
import { revisionName } from "../config/service.ts";
import { examine, findInterpreter, type OutputLine } from "../instances/index.ts";
import type { DoctorReport } from "../model/doctor.ts";
import { appFolder, poolSpec } from "./pool-spec.ts";

/**
 * Imports the app in a scratch process, as `start` with the same config would, and reports on it. Leaves nothing running.
 * @param output takes the lines that the app writes meanwhile
 * @throws HeadraceError when there is no interpreter, or the app cannot be imported
 */
export async function diagnose(config: RunConfig, output: (line: OutputLine) => void): Promise<DoctorReport> {
  const interpreter = await findInterpreter({
    python: config.python === "" ? null : config.python,
    appDir: appFolder(config),
    cwd: config.cwd,
    env: process.env,
  });
  const { path, source } = interpreter;
  const revision = revisionName(1);
  const spec = poolSpec(config, { python: path, runDir: "", revision, sources: [] });
  const { python: version, ...report } = await examine(spec, { clock: systemClock, output });
  return { ...report, python: { path, version, source } };
}

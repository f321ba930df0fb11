import { join } from "node:path";
import { Exit, messageOf } from "../../base/errors.ts";
import { ReleaseStack } from "../../base/release.ts";
import type { ConfigErrorCode } from "../../config/errors.ts";
import { loadRun } from "../../config/load.ts";
import type { RunConfig } from "../../config/run-config.ts";
import { ensureRunDir } from "../../config/rundir.ts";
import { revisionName } from "../../config/service.ts";
import { stateDirPath } from "../../config/statedir.ts";
import type { RunLogs } from "../../platform/run-logs.ts";
import type { Running } from "../../platform/start.ts";
import { adminPorts } from "../admin-ports.ts";
import { cliRecord } from "../events.ts";
import { factsOf } from "../facts.ts";
import { tellFaults } from "../faults.ts";
import { runHelp } from "../help.ts";
import type { Io } from "../io.ts";
import {
  exitCodeOf,
  explained,
  noteRun,
  openAdmin,
  openTelling,
  type Telling,
  withoutTraceback,
} from "../serving.ts";
import { listenToSignals } from "../signals.ts";
import { startedRecord, startedText } from "../started.ts";
import { tellError, tellProblems } from "../tell.ts";

/** Problems of people who may not know what there is. */
const HELPED: ReadonlySet<ConfigErrorCode> = new Set(["unknown_flag", "missing_value", "app_missing"]);

/** `headrace run`: serves an app until a signal ends it. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const loaded = loadRun(argv, io.env, factsOf(io));
  if (loaded.kind === "help") {
    io.out(runHelp(io.columns));
    return Exit.OK;
  }
  if (loaded.kind === "problems") {
    tellProblems(io, loaded.problems, loaded.notices);
    if (loaded.problems.some(({ code }) => HELPED.has(code)))
      io.err("headrace run --help lists all flags.\n");
    return Exit.USAGE;
  }
  tellProblems(io, [], loaded.notices);
  const { config } = loaded;
  const about = { "service.name": config.service, "service.version": revisionName(1) };
  const telling = openTelling({ config, folder: logFolder(config, io), about, io });
  const { log, flushNow } = telling.logs;
  const deaf = tellFaults({ log, flushNow, exit: process.exit });
  try {
    return await serve(config, io, telling);
  } finally {
    deaf();
    await telling.close();
  }
}

/** One for each app and address, so that lines do not mix. Null for a free port: another start would not be at the same one. */
function logFolder({ service, cwd, app, uds, host, port }: RunConfig, io: Io): string | null {
  if (uds === "" && port === 0) return null;
  const file = `${cwd}/${app}@${uds === "" ? `${host}:${port}` : uds}`;
  return join(stateDirPath(io.env, { name: service, file }), "logs");
}

async function serve(config: RunConfig, io: Io, telling: Telling): Promise<number> {
  const { logs } = telling;
  const release = new ReleaseStack();
  let running: Running | null = null;
  const signals = listenToSignals(logs.log);
  release.push(() => signals.close());
  try {
    const runDir = ensureRunDir(io.env);
    const ports = adminPorts(config.service, { running: () => running, stop: signals.stop });
    const admin = openAdmin(config, { ports, ...telling, runDir }, io.env);
    release.push(() => admin?.stop());
    // Loaded here, so that help and wrong flags are answered without it.
    const { start } = await import("../../platform/start.ts");
    const starting = start(config, {
      log: (record) => logs.log(running === null ? withoutTraceback(record) : record),
      output: logs.output(config.service, revisionName(1)),
      gatewayCommand: [process.execPath, ...process.execArgv, Bun.main, "__gateway"],
      cancel: signals.cancel,
    });
    const started = await Promise.race([
      starting.catch((error: unknown) => exitCodeOf(error, signals)),
      signals.early,
    ]);
    if (typeof started === "number") return started;
    running = started;
    signals.serve(running);
    release.push(noteRun(runDir, config, { url: running.url, admin }));
    await announce(config, running, admin?.url ?? "", logs);
    return await running.done;
  } catch (error) {
    throw explained(error, { config, io });
  } finally {
    await release.release().catch((error: unknown) => tellError(io, error));
  }
}

async function announce(config: RunConfig, running: Running, adminUrl: string, logs: RunLogs): Promise<void> {
  try {
    const status = await running.status();
    if (config.logFormat === "text") logs.text(startedText(status, adminUrl, logs.paint));
    else logs.log(startedRecord(status, adminUrl));
  } catch (error) {
    const message = `Serving on ${running.url}, but the status could not be read: ${messageOf(error)}`;
    logs.log(cliRecord("cli.status_failed", message));
  }
}

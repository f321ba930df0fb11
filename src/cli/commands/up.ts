import { join } from "node:path";
import type { AdminServer } from "../../admin/server.ts";
import { Exit, HeadraceError } from "../../base/errors.ts";
import { ReleaseStack } from "../../base/release.ts";
import type { ApplicationConfig } from "../../config/file/config.ts";
import { type LoadedFile, loadFile } from "../../config/file/load.ts";
import { type Environment, parse } from "../../config/parse.ts";
import { absolute, type Facts } from "../../config/resolve.ts";
import { ensureRunDir } from "../../config/rundir.ts";
import { stateDirPath } from "../../config/statedir.ts";
import type { RunningApplication } from "../../platform/application.ts";
import type { Ledger } from "../../platform/revisions/ledger.ts";
import type { ApplicationWatch } from "../../platform/watch-application.ts";
import { applicationPorts } from "../admin-ports.ts";
import { cliRecord } from "../events.ts";
import { factsOf } from "../facts.ts";
import { tellFaults } from "../faults.ts";
import { commandHelp } from "../help.ts";
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
import { applicationRecord, applicationText } from "../started.ts";
import { problemLine, tellError, tellProblems } from "../tell.ts";
import { placed, problemTree } from "./check-text.ts";
import { upOptions } from "./up-options.ts";

const HELP = `Serves all services of headrace.yaml, until a signal ends it.

Usage
  headrace up [flags]

  SIGHUP applies the file as it is then: what is new starts, the routes are exchanged, the old finishes. A file
  with problems, or a service that does not start, changes nothing.
`;

/** `headrace up`: serves the services of a file. */
export async function up(argv: readonly string[], io: Io): Promise<number> {
  const parsed = parse(upOptions, argv, io.env);
  if (parsed.help) {
    io.out(commandHelp(HELP, upOptions, io.columns));
    return Exit.OK;
  }
  const tooMuch = parsed.positionals.map((word) => {
    const message = `${JSON.stringify(word)} is too much.`;
    return { code: "unexpected_argument", subject: "", message, instead: "Write headrace up." } as const;
  });
  if (parsed.problems.length + tooMuch.length > 0) {
    tellProblems(io, [...parsed.problems, ...tooMuch], []);
    return Exit.USAGE;
  }
  const facts = factsOf(io);
  const loaded = await loadChecked(parsed.values.file, io.env, facts);
  if (!loaded.ok) {
    io.err(problemTree(loaded.file, loaded.problems));
    return Exit.USAGE;
  }
  tellProblems(io, [], loaded.notices.map(placed));
  const { application } = loaded;
  const config = application.services[0]!.run;
  const { stateDir: given } = parsed.values;
  const stateDir = given === "" ? stateDirPath(io.env, application) : absolute(given, facts.cwd);
  const { Ledger } = await import("../../platform/revisions/ledger.ts");
  // First of all: where another one has the state, its logs are none of ours.
  const ledger = new Ledger(stateDir);
  const telling = openTelling({ config, folder: join(stateDir, "logs"), about: {}, io });
  const { log, flushNow } = telling.logs;
  const deaf = tellFaults({ log, flushNow, exit: process.exit });
  try {
    const around = { io, ...telling, facts, env: io.env, ledger, fresh: parsed.values.fresh };
    return await new Up(application, around).serve(parsed.values.watch);
  } finally {
    deaf();
    await telling.close();
    ledger.close();
  }
}

/** Reads the file, and looks for what it names. */
async function loadChecked(file: string, env: Environment, facts: Facts): Promise<LoadedFile> {
  const { preflight } = await import("../../platform/preflight.ts");
  return preflight(loadFile(file, env, facts), env, "start");
}

interface Surroundings extends Telling {
  readonly io: Io;
  readonly facts: Facts;
  readonly env: Environment;
  readonly ledger: Ledger;
  readonly fresh: boolean;
}

class Up {
  readonly #application: ApplicationConfig;
  readonly #around: Surroundings;
  readonly #release = new ReleaseStack();
  #running: RunningApplication | null = null;
  #watching: ApplicationWatch | null = null;

  constructor(application: ApplicationConfig, around: Surroundings) {
    this.#application = application;
    this.#around = around;
  }

  async serve(watch: boolean): Promise<number> {
    const { io, logs } = this.#around;
    const release = this.#release;
    const signals = listenToSignals(logs.log);
    release.push(() => signals.close());
    try {
      const runDir = ensureRunDir(io.env);
      const admin = this.#openAdmin(runDir, signals.stop);
      const { startApplication } = await import("../../platform/application.ts");
      const starting = startApplication(this.#application, {
        ledger: this.#around.ledger,
        fresh: this.#around.fresh,
        log: (record) => logs.log(this.#running === null ? withoutTraceback(record) : record),
        output: logs.output,
        gatewayCommand: [process.execPath, ...process.execArgv, Bun.main, "__gateway"],
        cancel: signals.cancel,
      });
      const started = await Promise.race([
        starting.catch((error: unknown) => exitCodeOf(error, signals)),
        signals.early,
      ]);
      if (typeof started === "number") return started;
      this.#running = started;
      signals.serve({ stop: (...how) => started.stop(...how), reload: () => this.#apply() });
      const { name, file } = this.#application;
      release.push(noteRun(runDir, { service: name, app: file }, { url: started.url, admin }));
      if (watch) await this.#watch();
      await this.#announce(admin?.url ?? "");
      return await started.done;
    } catch (error) {
      throw explained(error, { config: this.#application.services[0]!.run, io }, true);
    } finally {
      await release.release().catch((error: unknown) => tellError(io, error));
    }
  }

  #openAdmin(runDir: string, stop: (reason: string) => void): AdminServer | null {
    const reload = (client: AbortSignal) => this.#apply(client);
    const ports = applicationPorts({ running: () => this.#running, reload, stop });
    const { env } = this.#around;
    const admin = openAdmin(this.#application.services[0]!.run, { ports, ...this.#around, runDir }, env);
    this.#release.push(() => admin?.stop());
    return admin;
  }

  /**
   * Reads the file again and makes it what runs.
   * @param client aborted when nobody waits for it any more
   * @throws HeadraceError when it has problems, or what is new does not start: nothing has changed then
   */
  async #apply(client?: AbortSignal): Promise<void> {
    const { env, facts, logs } = this.#around;
    const loaded = await loadChecked(this.#application.file, env, facts);
    if (loaded.ok) {
      await this.#running?.apply(loaded.application, client);
      this.#watching?.follow(loaded.application);
      return;
    }
    for (const problem of loaded.problems) {
      const where = `${loaded.file}:${problem.place.line}:${problem.place.column}`;
      logs.log(cliRecord("cli.file_wrong", `${where}: ${problemLine(problem)}`));
    }
    const message = `${loaded.file} has problems, the log says which; what runs goes on.`;
    throw new HeadraceError("file_invalid", message, { exit: Exit.USAGE });
  }

  async #watch(): Promise<void> {
    const { ApplicationWatch } = await import("../../platform/watch-application.ts");
    const watching = new ApplicationWatch(this.#application, {
      log: this.#around.logs.log,
      apply: () => this.#apply(),
      renew: async (service) => {
        await this.#running?.renew(service);
      },
    });
    this.#watching = watching;
    this.#release.push(() => watching.close());
  }

  async #announce(adminUrl: string): Promise<void> {
    const { logs } = this.#around;
    const services = await this.#running!.services();
    const about = { application: this.#application, url: this.#running!.url, adminUrl, services };
    if (this.#application.services[0]!.run.logFormat === "text")
      logs.text(applicationText(about, logs.paint));
    else logs.log(applicationRecord(about));
  }
}

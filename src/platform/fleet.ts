/** The revisions that run: made, started, and, when nothing is routed to them any more, let finish and stopped. */

import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { systemClock } from "../base/clock.ts";
import { Exit, HeadraceError } from "../base/errors.ts";
import type { ApplicationConfig, ServiceConfig } from "../config/file/config.ts";
import { revisionName } from "../config/service.ts";
import type { OutputLine } from "../instances/index.ts";
import type { LogSink } from "../model/log.ts";
import type { Gateways } from "./gateways.ts";
import { appFolder } from "./pool-spec.ts";
import { Reporter } from "./report.ts";
import { Revision } from "./revision.ts";
import { isKept, keepCode, sourcesOf } from "./revisions/code.ts";
import { type RevisionRecord, revisionConfig, runConfig } from "./revisions/record.ts";
import { readSecrets, type SecretMask } from "./secrets.ts";
import { serviceLog } from "./service-log.ts";

export interface FleetOptions {
  readonly runDir: string;
  /** Where the code of revisions is kept. */
  readonly codeDir: string;
  readonly columns: number;
  readonly gateways: Gateways;
  readonly log: LogSink;
  readonly output: (service: string, revision: string) => (line: OutputLine) => void;
  /** Is told of the values of secrets before anything runs with them. */
  readonly mask: Pick<SecretMask, "learn">;
}

/** One revision that runs. */
export interface Live {
  readonly number: number;
  readonly revision: Revision;
  readonly reporter: Reporter;
  /**
   * The first step of its start, see {@link Revision.prepare}.
   * @throws HeadraceError revision_code_missing, or when there is no interpreter
   */
  prepare(): Promise<void>;
  /**
   * Replaces its instances. The values of its secrets are read anew.
   * @throws HeadraceError restart_failed, secret_missing, secret_unusable; what was not replaced yet stays
   */
  restart(): Promise<void>;
}

/** How often a revision that gets no more requests is looked at: its last ones have no event. */
const IDLE_CHECK_MS = 20;

/** How a revision is made. */
export interface How {
  /** It was recorded just now: what is on disk is its code. */
  readonly fresh: boolean;
  /** How many it begins with, where their number may change; undefined: as its config says. */
  readonly instances?: number | undefined;
  /** Where the application answers; known once a gateway listens. */
  readonly url: () => string;
}

export class Fleet {
  /** Those that are not gone: those that serve, those that start, those that finish. */
  readonly all = new Set<Revision>();
  readonly #options: FleetOptions;
  readonly #retiring = new WeakMap<Revision, Promise<void>>();
  #made = 0;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /**
   * The record of a new revision, with its code as it is now.
   * @param known digests by folders, of services that were looked at just now: those that share folders have the same code
   */
  async record(
    service: ServiceConfig,
    number: number,
    known: Map<string, Promise<string>> = new Map(),
  ): Promise<Omit<RevisionRecord, "madeBy">> {
    const folders = foldersOf(service.run);
    const name = folders.join("\0");
    const kept = known.get(name) ?? keepCode(this.#options.codeDir, folders);
    known.set(name, kept);
    const code = await kept;
    return { number, createdAt: Date.now(), config: revisionConfig(service), secrets: service.secrets, code };
  }

  /**
   * Makes a revision that can be started.
   * @throws HeadraceError secret_missing, secret_unusable
   */
  make(application: ApplicationConfig, service: ServiceConfig, record: RevisionRecord, how: How): Live {
    const { runDir, codeDir, columns, gateways, log, output, mask } = this.#options;
    const read = () => {
      const values = readSecrets(record.secrets, dirname(application.file), process.env);
      mask.learn(Object.values(values));
      return values;
    };
    let secrets = read();
    const run = runConfig(record, service);
    // Python tells fresh bytecode by whole seconds and the size of the source: a revision that follows quickly would run the older one.
    const calls = gateways.reserve(application.services.map(({ name }) => name));
    const env = { PYTHONDONTWRITEBYTECODE: "1", ...calls, ...run.env };
    const config = { ...run, env: { ...env, ...secrets } };
    const name = revisionName(record.number);
    // A revision that comes back may find its predecessor still at its last requests.
    const key = `${service.name}-${record.number}.${++this.#made}`;
    const ownDir = join(runDir, String(this.#made));
    mkdirSync(ownDir, { recursive: true, mode: 0o700 });
    const revision = new Revision({
      ...{ config, name, key, runDir: ownDir, columns, gateways },
      log: serviceLog(log, service.name, name),
      sources: sourcesOf(codeDir, record.code, foldersOf(record.config)),
      ...(how.instances === undefined ? {} : { instances: how.instances }),
      output: output(service.name, name),
    });
    this.all.add(revision);
    return {
      number: record.number,
      revision,
      reporter: new Reporter({ revision, url: how.url, gateways }),
      prepare: async () => {
        if (!how.fresh) await this.#checkCode(service.name, record);
        await revision.prepare();
      },
      restart: async () => {
        const now = read();
        // What was forked has the environment of what it was forked from: other values need another import of the app.
        if (Bun.deepEquals(now, secrets)) return revision.restartAll();
        await revision.restartWith({ ...env, ...now });
        secrets = now;
      },
    };
  }

  /** A power cut, or somebody's hand, may have taken something of it. */
  async #checkCode(service: string, { number, code, config }: RevisionRecord): Promise<void> {
    if (code !== "" && (await isKept(this.#options.codeDir, code, foldersOf(config)))) return;
    const message = `${revisionName(number)} of ${service} cannot be started: its code is not kept, or not as it was.`;
    throw new HeadraceError("revision_code_missing", message, { exit: Exit.USAGE, hint: "Deploy it anew." });
  }

  /**
   * Nothing is routed to it any more: lets it finish what it has, what waits in its line included, then it is gone. A second call waits
   * for the first.
   */
  retire(revision: Revision, drainMs: number): Promise<void> {
    const known = this.#retiring.get(revision);
    if (known !== undefined) return known;
    const retiring = this.#retire(revision, drainMs);
    this.#retiring.set(revision, retiring);
    return retiring;
  }

  async #retire(revision: Revision, drainMs: number): Promise<void> {
    const deadline = systemClock.now() + drainMs;
    while (revision.waiting() && systemClock.now() < deadline) await Bun.sleep(IDLE_CHECK_MS);
    await revision.stop(Math.max(0, deadline - systemClock.now()));
    await this.#options.gateways.forget(revision.key);
    this.all.delete(revision);
    rmSync(revision.runDir, { recursive: true, force: true });
  }
}

function foldersOf(run: Parameters<typeof appFolder>[0]): readonly string[] {
  return [appFolder(run), run.appDir];
}

/** What `run` and `up` have in common around what they serve. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EventFeed, FEED } from "../admin/feed.ts";
import type { AdminPorts } from "../admin/ports.ts";
import { type AdminServer, startAdmin } from "../admin/server.ts";
import { readToken } from "../admin/token.ts";
import { Exit, HeadraceError } from "../base/errors.ts";
import type { Undo } from "../base/release.ts";
import { keyOfFlag } from "../config/file/translate.ts";
import type { Environment } from "../config/parse.ts";
import type { RunConfig } from "../config/run-config.ts";
import {
  listRunStates,
  type RunState,
  removeRunState,
  runDirPath,
  socketPath,
  startTicks,
  writeRunState,
} from "../config/rundir.ts";
import type { LogRecord } from "../model/log.ts";
import { type LogStore, openLogs, openStore, type RunLogs, shared } from "../platform/run-logs.ts";
import type { Io } from "./io.ts";
import type { Signals } from "./signals.ts";

/** What tells of what happens. */
export interface Telling {
  readonly logs: RunLogs;
  readonly feed: EventFeed;
  /** Null where no lines are kept. */
  readonly store: LogStore | null;
  close(): Promise<void>;
}

export interface TellingOptions {
  readonly config: Pick<RunConfig, "logFormat" | "logLevel" | "logKeep">;
  /** Where the last lines are kept; null: in a folder that goes at the end. */
  readonly folder: string | null;
  /** Fields that all records get which do not have them. */
  readonly about: LogRecord["fields"];
  readonly io: Io;
}

/** Opens the logs, the feed of events and the store of the last lines; what is logged goes to all of them. */
export function openTelling({ config, folder, about, io }: TellingOptions): Telling {
  const feed = new EventFeed({ ...FEED, run: Date.now().toString(36) });
  const plain = openLogs(config, io);
  const place = folder ?? mkdtempSync(join(tmpdir(), "headrace-logs-"));
  const store = openStore(place, config.logKeep, plain.log);
  const more = (record: LogRecord) => ({ ...record, fields: { ...about, ...record.fields } });
  const logs = shared(plain, {
    own: (record) => feed.add(more(record)),
    all: (record) => store?.add(more(record)),
  });
  return {
    ...{ logs, feed, store },
    async close() {
      store?.close();
      if (folder === null) rmSync(place, { recursive: true, force: true });
      await logs.close();
    },
  };
}

/** Opens the admin API as the flags have it. Null when it is off. @throws HeadraceError when it cannot be had */
export function openAdmin(
  config: RunConfig,
  about: Telling & { readonly ports: AdminPorts; readonly runDir: string },
  env: Environment,
): AdminServer | null {
  if (!config.admin) return null;
  return startAdmin({
    host: config.adminHost,
    port: config.adminPort,
    portGiven: config.adminPortGiven,
    listen: config.adminListen,
    socket: socketPath(about.runDir, process.pid),
    token: readToken(config.adminTokenFile, env),
    ports: about.ports,
    feed: about.feed,
    store: about.store,
    log: about.logs.log,
  });
}

/**
 * Why a start failed, as its command puts it: who has the port, where that is another Headrace of this user, and under `headrace up` the
 * keys instead of the flags.
 */
export function explained(
  error: unknown,
  about: { readonly config: RunConfig; readonly io: Io },
  keys = false,
) {
  if (!(error instanceof HeadraceError) || error.exit !== Exit.USAGE) return error;
  const { code, exit, hint, detail, cause } = error;
  const holder = holderOf(code, about.config, about.io);
  const message =
    holder === null
      ? error.message
      : `${error.message} It is headrace ${holder.service} (pid ${holder.pid}).`;
  const words = keys ? keyOfFlag : (text: string) => text;
  return new HeadraceError(code, words(message), { exit, hint: words(hint), detail, cause });
}

function holderOf(code: string, { port, adminPort }: RunConfig, io: Io): RunState | null {
  const wanted = code === "port_taken" ? port : code === "admin_port_taken" ? adminPort : 0;
  if (wanted === 0) return null;
  const has = (url: string) => URL.parse(url)?.port === String(wanted);
  const all = listRunStates(runDirPath(io.env, process.getuid?.() ?? 0));
  return all.find(({ url, adminUrl }) => has(url) || has(adminUrl)) ?? null;
}

/** A start that was given up is no failure. */
export function exitCodeOf(error: unknown, signals: Signals): number {
  if (signals.cancel.aborted) return signals.cancel.reason as number;
  throw error;
}

/** A start that fails ends the command, and the error that it ends with shows the traceback, as Python wrote it. */
export function withoutTraceback(record: LogRecord): LogRecord {
  if (record.event !== "instance.start_failed") return record;
  const { traceback: _, ...fields } = record.fields;
  return { ...record, fields };
}

/** Leaves the note that `headrace ps` reads; answers how to take it away. */
export function noteRun(
  runDir: string,
  config: { readonly service: string; readonly app: string },
  urls: { readonly url: string; readonly admin: AdminServer | null },
): Undo {
  const { pid } = process;
  const { service, app } = config;
  writeRunState(runDir, {
    pid,
    startTicks: startTicks(pid) ?? 0,
    service,
    app,
    url: urls.url,
    adminUrl: urls.admin?.url ?? "",
    adminSocket: urls.admin?.socket ?? "",
    startedAt: Date.now(),
  });
  return () => removeRunState(runDir, pid);
}

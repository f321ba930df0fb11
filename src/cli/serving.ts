/** What `run` and `up` have in common around what they serve. */

import { EventFeed, FEED } from "../admin/feed.ts";
import type { Undo } from "../base/release.ts";
import { removeRunState, startTicks, writeRunState } from "../config/rundir.ts";
import type { LogRecord } from "../model/log.ts";
import type { RunLogs } from "../platform/run-logs.ts";
import type { Signals } from "./signals.ts";

/** The events of this run. */
export function newFeed(): EventFeed {
  return new EventFeed({ ...FEED, run: Date.now().toString(36) });
}

/** Logs whose records are events as well. @param about fields that the events have beside their own */
export function fed(logs: RunLogs, feed: EventFeed, about: LogRecord["fields"] = {}): RunLogs {
  return {
    ...logs,
    log(record) {
      logs.log(record);
      feed.add({ ...record, fields: { ...about, ...record.fields } });
    },
  };
}

/** A start that was given up is no failure. */
export function exitCodeOf(error: unknown, signals: Signals): number {
  if (signals.cancel.aborted) return signals.cancel.reason as number;
  throw error;
}

/** A start that fails ends the command, and the error that it ends with shows the traceback, as Python wrote it. */
export function withoutTraceback(record: LogRecord): LogRecord {
  if (!("traceback" in record.fields)) return record;
  const { traceback: _, ...fields } = record.fields;
  return { ...record, fields };
}

/** Leaves the note that `headrace ps` reads; answers how to take it away. */
export function noteRun(
  runDir: string,
  config: { readonly service: string; readonly app: string },
  urls: { readonly url: string; readonly adminUrl: string },
): Undo {
  const { pid } = process;
  const { service, app } = config;
  writeRunState(runDir, {
    pid,
    startTicks: startTicks(pid) ?? 0,
    service,
    app,
    ...urls,
    startedAt: Date.now(),
  });
  return () => removeRunState(runDir, pid);
}

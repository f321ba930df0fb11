/** The supervisor's own lines and those of the app, on stdout and stderr. */

import { messageOf } from "../base/errors.ts";
import type { RunConfig } from "../config/run-config.ts";
import type { OutputLine } from "../instances/index.ts";
import type { EventReport } from "../model/event.ts";
import type { LogRecord, LogSink } from "../model/log.ts";
import { LINGER_MS, type LogQuery, LogStore } from "../telemetry/log-store.ts";
import { appRecord, createLogger, jsonLogs, textLogs } from "../telemetry/logs.ts";
import { type Paint, paintFor } from "../telemetry/paint.ts";
import { lineWriter } from "../telemetry/writer.ts";
import { platformEvents } from "./signals.ts";

export type { LogStore };

/** Whoever reads our output and takes nothing for so long does not get the last lines. */
const CLOSE_MS = 2_000;

/** The streams of a running Headrace. */
export interface RunLogs {
  readonly log: LogSink;
  readonly paint: Paint;
  output(service: string, revision: string): (line: OutputLine) => void;
  /** Text for people, in order with the log lines. */
  text(text: string): void;
  /** Writes what readers take at once. For the last moment before the process dies. */
  flushNow(): void;
  close(): Promise<void>;
}

/** Logs that others are given as well. @param to `own` takes all of Headrace's own records, `all` those worth keeping and the lines of apps */
export function shared(logs: RunLogs, to: { readonly own: LogSink; readonly all: LogSink }): RunLogs {
  return {
    ...logs,
    log(record) {
      logs.log(record);
      to.own(record);
      if (record.level !== "debug") to.all(record);
    },
    output(service, revision) {
      const write = logs.output(service, revision);
      return (line) => {
        write(line);
        to.all(appRecord({ time: Date.now(), service, revision, ...line }));
      };
    },
  };
}

/** What the terminal and the environment say. */
export interface LogSurroundings {
  readonly stderrIsTerminal: boolean;
  readonly env: { readonly [name: string]: string | undefined };
}

/** How records that come from elsewhere are shown to people. */
export function lineFormat(about: {
  readonly terminal: boolean;
  readonly env: LogSurroundings["env"];
}): (record: LogRecord) => string {
  return textLogs(paintFor(about.terminal, about.env));
}

/** Lines that a Headrace that is gone has kept, oldest first. */
export async function readKept(folder: string, query: LogQuery): Promise<readonly EventReport[]> {
  const store = new LogStore({ folder, bytes: 0, lingerMs: LINGER_MS, failed: () => {} });
  return store.read(query);
}

/** The store of the last lines. @param tell says that there is none, or none any more */
export function openStore(folder: string, bytes: number, tell: LogSink): LogStore | null {
  if (bytes === 0) return null;
  const failed = (why: string) => {
    const event = "log.not_kept";
    const message = `Log lines are not kept for headrace logs: ${why}`;
    tell({ time: Date.now(), level: platformEvents[event].level, event, message, fields: {} });
  };
  try {
    return new LogStore({ folder, bytes, lingerMs: LINGER_MS, failed });
  } catch (error) {
    failed(messageOf(error));
    return null;
  }
}

/** Opens stdout and stderr for lines, in the format and from the level that the config says. */
export function openLogs(config: Pick<RunConfig, "logFormat" | "logLevel">, io: LogSurroundings): RunLogs {
  const json = config.logFormat === "json";
  const paint = paintFor(io.stderrIsTerminal && !json, io.env);
  const dropped = (count: number) =>
    json
      ? `${JSON.stringify({ time: new Date().toISOString(), level: "warn", event: "log.dropped", count })}\n`
      : `${count} log lines were dropped: whoever reads them was too slow.\n`;
  const stdout = lineWriter(1, { lingerMs: 0, dropped });
  const stderr = lineWriter(2, { lingerMs: 0, dropped });
  const encode = json ? jsonLogs() : textLogs(paint);
  const logger = createLogger({ level: config.logLevel, encode, stdout, stderr });
  return {
    log: logger.log,
    paint,
    output: (service, revision) => (line) => logger.app({ time: Date.now(), service, revision, ...line }),
    text: (text) => stderr.write(text),
    flushNow() {
      stdout.flushNow();
      stderr.flushNow();
    },
    async close() {
      await Promise.all([stdout.close(CLOSE_MS), stderr.close(CLOSE_MS)]);
    },
  };
}

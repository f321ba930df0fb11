/** The supervisor's own lines and those of the app, on stdout and stderr. */

import type { RunConfig } from "../config/run-config.ts";
import type { OutputLine } from "../instances/index.ts";
import type { LogRecord, LogSink } from "../model/log.ts";
import { createLogger, jsonLogs, textLogs } from "../telemetry/logs.ts";
import { type Paint, paintFor } from "../telemetry/paint.ts";
import { lineWriter } from "../telemetry/writer.ts";

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

/** What the terminal and the environment say. */
export interface LogSurroundings {
  readonly stderrIsTerminal: boolean;
  readonly env: { readonly [name: string]: string | undefined };
}

/** How records are shown that come from elsewhere. */
export function lineFormat(
  format: "text" | "json",
  about: { readonly terminal: boolean; readonly env: LogSurroundings["env"] },
): (record: LogRecord) => string {
  return format === "json" ? jsonLogs() : textLogs(paintFor(about.terminal, about.env));
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

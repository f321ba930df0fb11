/** Log records as lines: for people, or one JSON object each. */

import type { Level, LogRecord, LogSink } from "../model/log.ts";
import { type Paint, plainPaint } from "./paint.ts";
import { APP_OUTPUT } from "./signals.ts";
import { Timestamps } from "./time.ts";
import type { LineWriter } from "./writer.ts";

/** Writes one record as one line (for people it may be several), with its line feed. */
export type LogEncoder = (record: LogRecord) => string;

const WEIGHT: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** One line that the app wrote. */
export interface AppLine {
  /** Unix milliseconds. */
  readonly time: number;
  readonly service: string;
  readonly revision: string;
  readonly instance: string;
  readonly stream: "stdout" | "stderr";
  /** Empty when the line was written outside a request. */
  readonly requestId: string;
  readonly line: string;
}

export interface LoggerOptions {
  /** Records below it are dropped. Lines of the app are never dropped. */
  readonly level: Level;
  readonly encode: LogEncoder;
  /** Where Headrace's own lines go, and what apps write to stderr. */
  readonly stderr: LineWriter;
  /** Where goes what apps write to stdout. */
  readonly stdout: LineWriter;
}

export interface Logger {
  readonly log: LogSink;
  app(line: AppLine): void;
}

/** Binds levels, an encoder and the two streams. */
export function createLogger(options: LoggerOptions): Logger {
  const least = WEIGHT[options.level];
  return {
    log(record) {
      if (WEIGHT[record.level] >= least) options.stderr.write(options.encode(record));
    },
    app(line) {
      (line.stream === "stdout" ? options.stdout : options.stderr).write(options.encode(appRecord(line)));
    },
  };
}

/** An app's line as a record. */
export function appRecord(line: AppLine): LogRecord {
  const fields = {
    "service.name": line.service,
    "service.version": line.revision,
    "service.instance.id": line.instance,
    "log.iostream": line.stream,
    ...(line.requestId === "" ? {} : { request_id: line.requestId }),
  };
  return { time: line.time, level: "info", event: APP_OUTPUT, message: line.line, fields };
}

/** One JSON object a line: time, level, event, message, then the fields. */
export function jsonLogs(): LogEncoder {
  const stamps = new Timestamps();
  return (record) => {
    let line = `{"time":"${stamps.iso(record.time)}","level":"${record.level}","event":${JSON.stringify(record.event)}`;
    line += `,"message":${JSON.stringify(record.message)}`;
    for (const [key, value] of Object.entries(record.fields)) {
      line += `,${JSON.stringify(key)}:${typeof value === "number" && !Number.isFinite(value) ? "null" : JSON.stringify(value)}`;
    }
    return `${line}}\n`;
  };
}

/** People see the service; which revision of it is for programs. */
const UNSHOWN: ReadonlySet<string> = new Set(["service.version"]);

/** For people: time, level, sentence, and those fields that the sentence does not hold already. */
export function textLogs(paint: Paint = plainPaint): LogEncoder {
  const stamps = new Timestamps();
  // Several instances fail with the same traceback: it is shown once.
  let shown = "";
  return (record) => {
    const time = paint.dim(stamps.clock(record.time));
    if (record.event === APP_OUTPUT) {
      const instance = String(record.fields["service.instance.id"]);
      return `${time} ${paint.keyed(instance, `${instance} |`)} ${record.message}\n`;
    }
    const [sentence, ...below] = record.message.split("\n");
    let short = "";
    for (const [key, value] of Object.entries(record.fields)) {
      const text = String(value);
      if (text === "" || value === null || record.message.includes(text) || UNSHOWN.has(key)) continue;
      if (text.includes("\n")) {
        below.push(...(text === shown ? [`${key}: as above`] : [`${key}:`, ...text.trimEnd().split("\n")]));
        shown = text;
      } else short += ` ${key}=${/[\s"]/.test(text) ? JSON.stringify(text) : visible(text)}`;
    }
    const rest = below.map((line) => `    ${visible(line)}\n`).join("");
    return `${time} ${levelWord(record.level, paint)} ${visible(sentence ?? "")}${short === "" ? "" : paint.dim(short)}\n${rest}`;
  };
}

function levelWord(level: Level, paint: Paint): string {
  if (level === "error") return paint.red("error");
  if (level === "warn") return paint.yellow("warn ");
  return level === "info" ? paint.green("info ") : paint.dim("debug");
}

/** Our own sentences may quote what clients and apps sent: control characters do not reach the terminal. */
function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (char) => {
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

/** Levels in rising order of weight. */
export type Level = "debug" | "info" | "warn" | "error";

/** One structured log line. `event` is its stable name, declared once in the room's signals.ts. */
export interface LogRecord {
  readonly time: number;
  readonly level: Level;
  readonly event: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, string | number | boolean | null>>;
}

/** Where a room sends its log lines. Never throws. */
export type LogSink = (record: LogRecord) => void;

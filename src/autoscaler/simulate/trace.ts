/** Reads a trace of arrivals from CSV. Pure: text in, rows or what is wrong out, with line and column. */

import { type BrokenQuote, type Fields, readTable } from "./csv.ts";

/** The load from one time to the next. */
export interface TraceRow {
  /** Milliseconds since the first row. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Requests within the row. */
  readonly arrivals: number;
  /** Whether `arrivals` is a count that was seen (exactly so many come) or an expectation (a rate: about so many come). */
  readonly counted: boolean;
  /** Mean time a request holds its slot; null: that of the command line. */
  readonly serviceTimeMs: number | null;
  /** Its standard deviation over its mean; null: that of the command line. */
  readonly serviceCv: number | null;
}

export interface Trace {
  readonly rows: readonly TraceRow[];
  readonly durationMs: number;
}

export interface TraceProblem {
  /** Both count from 1; column is that of the field's first character. */
  readonly line: number;
  readonly column: number;
  /** What is wrong, one sentence. */
  readonly message: string;
  /** What to write instead, one sentence. */
  readonly instead: string;
}

export type ReadTrace =
  | { readonly ok: true; readonly trace: Trace }
  | { readonly ok: false; readonly problems: readonly TraceProblem[] };

const COLUMNS = ["time_s", "arrivals", "rate", "service_ms", "service_cv"] as const;
/** What `headrace load --csv` says of arrivals: the end of a span, its length, and the requests that were begun in it. */
const LOAD_COLUMNS = ["time_s", "span_s", "started"] as const;
type Column = (typeof COLUMNS)[number] | (typeof LOAD_COLUMNS)[number];
/** Null: a column of no interest. */
type Title = Column | null;

/** More are not told. */
const MOST_PROBLEMS = 20;
/** Requests per second, seconds, milliseconds: nothing sensible is larger. */
const LARGEST = 1e12;
/** The longest trace, in days: a replay decides every two seconds of it, and is to take seconds. */
export const LONGEST_DAYS = 92;
const DAY_MS = 86_400_000;
const LONGEST_MS = LONGEST_DAYS * DAY_MS;

/**
 * Reads a table with a line of titles: `time_s`, then `arrivals` (requests from this time to the next row's) or `rate` (requests per
 * second), and if wanted `service_ms` and `service_cv`. Empty lines and lines that begin with # are skipped. The last row lasts as
 * long as the one before it; a single row lasts one second. A table of `headrace load --csv` is known by its titles.
 */
export function readTrace(text: string): ReadTrace {
  const problems: TraceProblem[] = [];
  const table = readTable(text);
  if (!table.ok) return { ok: false, problems: [brokenQuote(table.broken)] };
  const [head, ...rest] = table.rows;
  if (head === undefined) {
    const instead = "Write a line of titles, such as time_s,rate, and rows.";
    return { ok: false, problems: [{ line: 1, column: 1, message: "It is empty.", instead }] };
  }
  const titles = readTitles(head, problems);
  if (problems.length > 0) return { ok: false, problems };
  const raw: RawRow[] = [];
  for (const fields of rest) {
    if (problems.length >= MOST_PROBLEMS) break;
    const row = readRow(fields, { titles, before: raw.at(-1) ?? null }, problems);
    if (row !== null) raw.push(row);
  }
  if (problems.length > 0) return { ok: false, problems };
  if (raw.length === 0) {
    const message = "It has titles and no rows.";
    return { ok: false, problems: [{ line: head[0]!.line, column: 1, message, instead: "Write a row." }] };
  }
  const trace = assemble(raw);
  const late = tooLong(trace, (row) => raw[row]!.line);
  return late === null ? { ok: true, trace } : { ok: false, problems: [late] };
}

function brokenQuote({ line, column, open }: BrokenQuote): TraceProblem {
  const message = open ? "A quote is not closed." : "There is text after a quoted field.";
  return { line, column, message, instead: 'Write "…" around a whole field, and "" for a quote in it.' };
}

/** What is wrong with a trace that is too long; null for one that is not. @param lineOf the line that a row stands in */
export function tooLong({ rows, durationMs }: Trace, lineOf: (row: number) => number): TraceProblem | null {
  const late = rows.findIndex(({ toMs }) => toMs > LONGEST_MS);
  if (late === -1) return null;
  const days = Math.round(durationMs / DAY_MS);
  const message = `The trace is ${days} days long, and from here on longer than ${LONGEST_DAYS}.`;
  return { line: lineOf(late), column: 1, message, instead: "Write a part of it, with times in seconds." };
}

interface RawRow {
  readonly line: number;
  /** Seconds at which it begins. */
  readonly timeS: number;
  readonly values: Readonly<Partial<Record<Column, number>>>;
}

function readTitles(fields: Fields, problems: TraceProblem[]): readonly Title[] {
  const words = fields.map(({ text }) => text.toLowerCase());
  if (LOAD_COLUMNS.every((known) => words.includes(known))) {
    return words.map((word) => LOAD_COLUMNS.find((known) => known === word) ?? null);
  }
  const titles: Title[] = [];
  for (const { text, line, column } of fields) {
    const title = COLUMNS.find((known) => known === text.toLowerCase());
    if (title === undefined) {
      const message = text === "" ? "A title is empty." : `There is no column ${JSON.stringify(text)}.`;
      problems.push({ line, column, message, instead: `Columns are ${COLUMNS.join(", ")}.` });
    } else if (titles.includes(title)) {
      const message = `The column ${title} is there twice.`;
      problems.push({ line, column, message, instead: "Leave one out." });
    } else titles.push(title);
  }
  if (problems.length > 0) return titles;
  const at = { line: fields[0]!.line, column: 1 };
  if (!titles.includes("time_s")) {
    const instead = "Write the seconds at which each row begins.";
    problems.push({ ...at, message: "There is no column time_s.", instead });
  }
  if (titles.includes("arrivals") && titles.includes("rate")) {
    problems.push({ ...at, message: "There are both arrivals and rate.", instead: "Leave one out." });
  } else if (!titles.includes("arrivals") && !titles.includes("rate")) {
    const instead = "Write arrivals (requests until the next row) or rate (requests per second).";
    problems.push({ ...at, message: "There is no column arrivals, nor rate.", instead });
  }
  return titles;
}

function readRow(
  fields: Fields,
  at: { readonly titles: readonly Title[]; readonly before: RawRow | null },
  problems: TraceProblem[],
): RawRow | null {
  const { titles, before } = at;
  const found = problems.length;
  const { line } = fields[0]!;
  if (fields.length !== titles.length) {
    const last = fields.at(-1)!;
    const column = fields[titles.length]?.column ?? last.column + last.text.length;
    const message = `There are ${fields.length} fields under ${titles.length} titles.`;
    const instead = titles.includes(null) ? "Write as many." : `Write ${titles.join(",")}.`;
    problems.push({ line, column, message, instead });
    return null;
  }
  const values: Partial<Record<Column, number>> = {};
  fields.forEach((field, index) => {
    const title = titles[index];
    // What a row says nothing about is as the command line says.
    if (title == null || (field.text === "" && title.startsWith("service_"))) return;
    const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(field.text) ? Number(field.text) : Number.NaN;
    const instead = wantedValue(title, value, before);
    if (instead === null) values[title] = value;
    else {
      const message = `${title} is ${JSON.stringify(field.text)}.`;
      problems.push({ line: field.line, column: field.column, message, instead });
    }
  });
  if (problems.length > found) return null;
  const timeS = values["time_s"]! - (values["span_s"] ?? 0);
  if (before === null || timeS > before.timeS) return { line, timeS, values };
  const message = `The row begins at ${timeS}, and the one before it at ${before.timeS}.`;
  problems.push({ line, column: 1, message, instead: "Write rows in the order of time." });
  return null;
}

function wantedValue(title: Column, value: number, before: RawRow | null): string | null {
  if (Number.isNaN(value)) return "Write a number, such as 12 or 0.5.";
  if (value < 0) return "Write a number that is not negative.";
  if (value > LARGEST) return "Write a smaller number.";
  if (title === "arrivals" && !Number.isInteger(value))
    return "Write a whole number, or use the column rate.";
  if ((title === "service_ms" || title === "span_s") && value === 0) return "Write a time above 0.";
  if (title === "time_s" && before !== null && value <= before.timeS) {
    return `Write a time after that of the row before, which is ${before.timeS}.`;
  }
  return null;
}

function assemble(raw: readonly RawRow[]): Trace {
  const start = raw[0]!.timeS;
  const last = raw.length - 1;
  const lastLength =
    raw[last]!.values["span_s"] ?? (last === 0 ? 1 : raw[last]!.timeS - raw[last - 1]!.timeS);
  const rows = raw.map(({ timeS, values }, index): TraceRow => {
    const until = raw[index + 1]?.timeS ?? timeS + lastLength;
    const count = values["arrivals"] ?? values["started"];
    return {
      fromMs: (timeS - start) * 1_000,
      toMs: (until - start) * 1_000,
      arrivals: count ?? values["rate"]! * (until - timeS),
      counted: count !== undefined,
      serviceTimeMs: values["service_ms"] ?? null,
      serviceCv: values["service_cv"] ?? null,
    };
  });
  return { rows, durationMs: rows[last]!.toMs };
}

/** Requests of a whole trace; for rates the expectation. */
export function expectedRequests(trace: Trace): number {
  return trace.rows.reduce((sum, row) => sum + row.arrivals, 0);
}

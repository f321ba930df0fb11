/** Reads a trace of arrivals from Headrace's own access log in JSON. Pure. */

import { type ReadTrace, type TraceProblem, type TraceRow, tooLong } from "./trace.ts";

const SECOND_MS = 1_000;
const EVENT = "http.server.request";

/** What of a line counts. */
interface Entry {
  readonly service: string;
  /** Unix milliseconds at which the request came. */
  readonly at: number;
  /** Time that it held a slot; null when it got none. */
  readonly heldMs: number | null;
}

/** Requests of one second: how many, and of those that held a slot the times that they did. */
interface Second {
  /** The first line of it. */
  readonly line: number;
  arrivals: number;
  held: number;
  sumMs: number;
  squares: number;
}

/**
 * Reads lines of JSON: a row a second, or for as long as nothing came. `time` is when a request came; it held its slot for `duration_ms`
 * without `queue_ms`. What is no line of the access log is skipped, as an app writes to the same stream.
 */
export function readAccessLog(text: string): ReadTrace {
  const seconds = new Map<number, Second>();
  const services = new Set<string>();
  let line = 0;
  for (const content of text.split("\n")) {
    line += 1;
    const entry = content.includes(EVENT) ? entryOf(content) : null;
    if (entry === null) continue;
    services.add(entry.service);
    add(seconds, entry, line);
  }
  if (seconds.size === 0) {
    const instead =
      "Name one with the lines of --access-log json, or a table with titles, such as time_s,rate.";
    return failed({ line: 1, column: 1, message: "It has no line of an access log.", instead });
  }
  if (services.size > 1) {
    const message = `It has requests of several services: ${[...services].sort().join(", ")}.`;
    return failed({ line: 1, column: 1, message, instead: "Leave only the lines of one." });
  }
  const { rows, lines } = rowsOf(seconds);
  const trace = { rows, durationMs: rows.at(-1)!.toMs };
  const late = tooLong(trace, (row) => lines[row]!);
  return late === null ? { ok: true, trace } : failed(late);
}

function failed(problem: TraceProblem): ReadTrace {
  return { ok: false, problems: [problem] };
}

function entryOf(line: string): Entry | null {
  let value: Readonly<Record<string, unknown>>;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  const at = Date.parse(String(value?.["time"]));
  if (value?.["event"] !== EVENT || Number.isNaN(at)) return null;
  const heldMs = Number(value["duration_ms"]) - Number(value["queue_ms"]);
  const held = value["service.instance.id"] !== undefined && heldMs > 0;
  return { service: String(value["service.name"]), at, heldMs: held ? heldMs : null };
}

/** Lines stand in the order in which requests ended. */
function add(seconds: Map<number, Second>, { at, heldMs }: Entry, line: number): void {
  const index = Math.floor(at / SECOND_MS);
  const second = seconds.get(index) ?? { line, arrivals: 0, held: 0, sumMs: 0, squares: 0 };
  seconds.set(index, second);
  second.arrivals += 1;
  if (heldMs === null) return;
  second.held += 1;
  second.sumMs += heldMs;
  second.squares += heldMs * heldMs;
}

function rowsOf(seconds: ReadonlyMap<number, Second>): { rows: TraceRow[]; lines: number[] } {
  const found = [...seconds].sort(([a], [b]) => a - b);
  const start = found[0]![0];
  const rows: TraceRow[] = [];
  const lines: number[] = [];
  const put = (from: number, to: number, of: Second) => {
    const [fromMs, toMs] = [(from - start) * SECOND_MS, (to - start) * SECOND_MS];
    rows.push({ fromMs, toMs, arrivals: of.arrivals, counted: true, ...serviceOf(of) });
    lines.push(of.line);
  };
  let until = start;
  for (const [index, second] of found) {
    if (index > until) put(until, index, { line: second.line, arrivals: 0, held: 0, sumMs: 0, squares: 0 });
    put(index, index + 1, second);
    until = index + 1;
  }
  return { rows, lines };
}

function serviceOf({ held, sumMs, squares }: Second): Pick<TraceRow, "serviceTimeMs" | "serviceCv"> {
  if (held === 0) return { serviceTimeMs: null, serviceCv: null };
  const mean = sumMs / held;
  // One time has no spread that could be told.
  const serviceCv = held === 1 ? null : Math.sqrt(Math.max(0, squares / held - mean * mean)) / mean;
  return { serviceTimeMs: mean, serviceCv };
}

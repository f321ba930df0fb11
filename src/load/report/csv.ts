/** The series of a run as a table that spreadsheets and notebooks read: RFC 4180, one row a point, units in the names. Pure. */

import type { LoadResult, Point, ServerPoint } from "../result.ts";

type Cell = string | number | boolean;

const columns: Readonly<Record<string, (point: Point) => Cell>> = {
  time_s: (point) => point.atS,
  span_s: (point) => point.spanS,
  warmup: (point) => point.warmup,
  planned: (point) => point.planned,
  started: (point) => point.started,
  done: (point) => point.done,
  failed: (point) => point.failed,
  late: (point) => point.late,
  connections: (point) => point.connections,
  in_flight: (point) => point.inFlight,
  users: (point) => point.users,
  p50_ms: (point) => point.p50Ms,
  p95_ms: (point) => point.p95Ms,
  p99_ms: (point) => point.p99Ms,
  max_ms: (point) => point.maxMs,
};

const serverColumns: Readonly<Record<string, (point: ServerPoint) => Cell>> = {
  server_ready: (point) => point.ready,
  server_starting: (point) => point.starting,
  server_waiting: (point) => point.waiting,
  server_running: (point) => point.running,
  server_requests: (point) => point.requests,
  server_refused: (point) => point.refused,
  server_cold_starts: (point) => point.coldStarts,
  server_queue_p99_ms: (point) => point.queueP99Ms,
  server_memory_bytes: (point) => point.memoryBytes,
};

/**
 * One row for each point of `series`: counts of the point's span, not rates. A column `status_…` for each status that came. With a
 * server view its columns follow; each server point stands in the row whose span it falls into, the last one when several do, their
 * counts added up; a row without any has empty cells. Lines end in CRLF.
 */
export function csv(result: LoadResult): string {
  const statuses = [...new Set(result.series.flatMap((point) => Object.keys(point.statuses)))].sort();
  const server = result.server === null ? null : joined(result.series, result.server.series);
  const header = [
    ...Object.keys(columns),
    ...statuses.map((status) => `status_${status}`),
    ...(server === null ? [] : Object.keys(serverColumns)),
  ];
  const rows = result.series.map((point, at) => {
    const theirs = server?.[at] ?? null;
    return [
      ...Object.values(columns).map((value) => value(point)),
      ...statuses.map((status) => point.statuses[status] ?? 0),
      ...(server === null
        ? []
        : Object.values(serverColumns).map((value) => (theirs === null ? "" : value(theirs)))),
    ];
  });
  return [header, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** For each point what the server said in its span. Both series are in order of time. */
export function joined(series: readonly Point[], server: readonly ServerPoint[]): (ServerPoint | null)[] {
  let next = 0;
  return series.map((point, at) => {
    let found: ServerPoint | null = null;
    // The last row takes what came after its end: the server is asked once more when all is over.
    while (next < server.length && (server[next]!.atS <= point.atS || at === series.length - 1)) {
      found = found === null ? server[next]! : added(found, server[next]!);
      next++;
    }
    return found;
  });
}

function added(earlier: ServerPoint, later: ServerPoint): ServerPoint {
  return {
    ...later,
    requests: earlier.requests + later.requests,
    refused: earlier.refused + later.refused,
    coldStarts: earlier.coldStarts + later.coldStarts,
    queueP99Ms: Math.max(earlier.queueP99Ms, later.queueP99Ms),
  };
}

/** A cell as RFC 4180 has it. Numbers keep six digits after the point: microseconds. */
function cell(value: Cell): string {
  if (typeof value === "number") return String(Math.round(value * 1e6) / 1e6);
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

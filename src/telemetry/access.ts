/**
 * Lines of the access log, written by hand: they are on the gateways' hot path. JSON uses the names of OpenTelemetry's semantic
 * conventions where they exist.
 */

import { showDuration, showSize } from "../base/units.ts";
import type { AccessRecord } from "../model/access.ts";
import { LineBuffer } from "./line-buffer.ts";
import { type Paint, plainPaint } from "./paint.ts";
import { REQUEST } from "./signals.ts";
import { Timestamps } from "./time.ts";

/** Writes one record as one line, with its line feed. Bytes are good until the next call. */
export type AccessEncoder<Line extends string | Uint8Array = string | Uint8Array> = (
  record: AccessRecord,
) => Line;

/** Whose log it is. */
export interface AccessService {
  readonly service: string;
  readonly revision: string;
}

/** One JSON object a line. */
export function jsonAccess(whose: AccessService): AccessEncoder<Uint8Array> {
  const stamps = new Timestamps();
  const line = new LineBuffer();
  const service = `"service.name":${JSON.stringify(whose.service)},"service.version":${JSON.stringify(whose.revision)}`;
  const key = keyBytes(`Z","level":"info","event":"${REQUEST}",${service},"http.request.method":`);
  return (record) => {
    const { target, clientHost, instance, requestId, traceparent, reason } = record;
    line.start(key.time);
    line.ascii(stamps.isoBare(record.time));
    line.raw(key.method);
    line.quoted(record.method);
    const mark = target.indexOf("?");
    line.raw(key.path);
    line.quoted(target, 0, mark === -1 ? target.length : mark);
    if (mark !== -1) line.pair(key.query, target, mark + 1);
    line.pair(key.version, record.version);
    if (record.status !== 0) line.count(key.status, record.status);
    line.count(key.size, record.responseBytes);
    line.millis(key.duration, record.durationMs);
    line.millis(key.queue, record.queueMs);
    if (clientHost !== "") {
      line.pair(key.client, clientHost);
      line.count(key.port, record.clientPort);
    }
    if (instance !== "") line.pair(key.instance, instance);
    if (requestId !== "") line.pair(key.request, requestId);
    // `00-TRACE-SPAN-FLAGS`, in the parts that OpenTelemetry's log records have.
    if (traceparent.length >= 55 && traceparent[35] === "-") {
      line.pair(key.trace, traceparent, 3, 35);
      line.pair(key.span, traceparent, 36, 52);
    }
    if (reason !== "") line.pair(key.error, reason);
    line.raw(key.end);
    return line.bytes();
  };
}

function keyBytes(afterTime: string) {
  const bytes = (text: string) => Buffer.from(text, "utf8");
  return {
    time: bytes('{"time":"'),
    method: bytes(afterTime),
    path: bytes(',"url.path":'),
    query: bytes(',"url.query":'),
    version: bytes(',"network.protocol.version":'),
    status: bytes(',"http.response.status_code":'),
    size: bytes(',"http.response.size":'),
    duration: bytes(',"duration_ms":'),
    queue: bytes(',"queue_ms":'),
    client: bytes(',"client.address":'),
    port: bytes(',"client.port":'),
    instance: bytes(',"service.instance.id":'),
    request: bytes(',"request_id":'),
    trace: bytes(',"trace_id":'),
    span: bytes(',"span_id":'),
    error: bytes(',"error.type":'),
    end: bytes("}\n"),
  } as const;
}

/** One line for people. */
export function textAccess(paint: Paint = plainPaint): AccessEncoder<string> {
  const stamps = new Timestamps();
  return (record) => {
    const request = `${printable(record.method)} ${printable(record.target)}`;
    const queue = record.queueMs >= 1 ? paint.dim(` (${showDuration(record.queueMs)} in line)`) : "";
    const time = `${showDuration(record.durationMs)}${queue}`;
    const peer = record.clientHost === "" ? "unix" : printable(record.clientHost);
    const where = record.instance === "" ? "" : ` ${printable(record.instance)}`;
    const reason = record.reason === "" ? "" : ` ${paint.yellow(record.reason)}`;
    const tail = paint.dim(`${showSize(record.responseBytes)} ${peer}${where}`);
    return `${paint.dim(stamps.clock(record.time))} ${status(record.status, paint)} ${request} ${time} ${tail}${reason}\n`;
  };
}

function status(code: number, paint: Paint): string {
  if (code === 0) return paint.dim("---");
  const text = String(code);
  if (code >= 500) return paint.red(text);
  if (code >= 400) return paint.yellow(text);
  return code >= 300 ? paint.cyan(text) : paint.green(text);
}

/** Characters that stand in JSON, and on terminals, as they are. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/** What a terminal may be shown: control characters and the like as JSON escapes. */
function printable(text: string): string {
  return PLAIN.test(text)
    ? text
    : JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("\\\\", "\\");
}

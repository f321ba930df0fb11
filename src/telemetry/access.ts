/**
 * Lines of the access log, written by hand: they are on the gateways' hot path. JSON uses the names of OpenTelemetry's semantic
 * conventions where they exist.
 */

import { showDuration, showSize } from "../base/units.ts";
import type { AccessRecord } from "../model/access.ts";
import { type Paint, plainPaint } from "./paint.ts";
import { REQUEST } from "./signals.ts";
import { Timestamps } from "./time.ts";

/** Writes one record as one line, with its line feed. */
export type AccessEncoder = (record: AccessRecord) => string;

/** Whose log it is. */
export interface AccessService {
  readonly service: string;
  readonly revision: string;
}

/** Bytes that stand in JSON as they are. Whatever else there is goes to JSON.stringify. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

function quote(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** Milliseconds with three digits after the point at most. */
function millis(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

/** One JSON object a line. */
export function jsonAccess(whose: AccessService): AccessEncoder {
  const stamps = new Timestamps();
  const head = `,"level":"info","event":"${REQUEST}","service.name":${quote(whose.service)},"service.version":${quote(whose.revision)},"http.request.method":`;
  return (record) => {
    const target = record.target;
    const mark = target.indexOf("?");
    let line = `{"time":"${stamps.iso(record.time)}"${head}${quote(record.method)},"url.path":`;
    line +=
      mark === -1
        ? quote(target)
        : `${quote(target.slice(0, mark))},"url.query":${quote(target.slice(mark + 1))}`;
    line += `,"network.protocol.version":"${record.version}"`;
    if (record.status !== 0) line += `,"http.response.status_code":${record.status}`;
    line += `,"http.response.size":${record.responseBytes}`;
    line += `,"duration_ms":${millis(record.durationMs)},"queue_ms":${millis(record.queueMs)}`;
    if (record.clientHost !== "") {
      line += `,"client.address":${quote(record.clientHost)},"client.port":${record.clientPort}`;
    }
    if (record.instance !== "") line += `,"service.instance.id":${quote(record.instance)}`;
    if (record.requestId !== "") line += `,"request_id":${quote(record.requestId)}`;
    line += trace(record.traceparent);
    if (record.reason !== "") line += `,"error.type":${quote(record.reason)}`;
    return `${line}}\n`;
  };
}

/** `00-TRACE-SPAN-FLAGS` as OpenTelemetry names its parts in log records. */
function trace(traceparent: string): string {
  if (traceparent.length < 55 || traceparent[35] !== "-") return "";
  return `,"trace_id":${quote(traceparent.slice(3, 35))},"span_id":${quote(traceparent.slice(36, 52))}`;
}

/** One line for people. */
export function textAccess(paint: Paint = plainPaint): AccessEncoder {
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

/** What a terminal may be shown: control characters and the like as JSON escapes. */
function printable(text: string): string {
  return PLAIN.test(text)
    ? text
    : JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("\\\\", "\\");
}

/** The access log's view of a request. */

import type { AccessRecord } from "../model/access.ts";
import type { Peers, Refusal, RequestHead } from "./client.ts";
import type { Exchange } from "./exchange.ts";
import type { Meter } from "./meter.ts";

const VERSIONS: Readonly<Record<RequestHead["version"], AccessRecord["version"]>> = {
  10: "1.0",
  11: "1.1",
  20: "2",
};

/** `now` is performance.now(). */
export function accessRecord(exchange: Exchange, now: number): AccessRecord {
  const { head, peers } = exchange;
  return {
    time: performance.timeOrigin + exchange.arrivedAt,
    requestId: exchange.requestId,
    traceparent: exchange.traceparent,
    method: head.method,
    target: printable(head.target),
    version: VERSIONS[head.version],
    clientHost: peers.clientHost,
    clientPort: peers.clientPort,
    status: exchange.status,
    responseBytes: exchange.responseBytes,
    durationMs: now - exchange.arrivedAt,
    queueMs: (exchange.placedAt > 0 ? exchange.placedAt : now) - exchange.arrivedAt,
    instance: exchange.instance,
    reason: exchange.reason,
  };
}

/** The access log's view of a request that no service was asked for. */
export function refusalRecord(
  head: RequestHead,
  peers: Peers,
  outcome: { readonly status: number; readonly reason: string; readonly arrivedAt: number },
): AccessRecord {
  const { status, reason, arrivedAt } = outcome;
  return {
    time: performance.timeOrigin + arrivedAt,
    requestId: "",
    traceparent: "",
    method: head.method,
    target: printable(head.target),
    version: VERSIONS[head.version],
    clientHost: peers.clientHost,
    clientPort: peers.clientPort,
    status,
    responseBytes: 0,
    durationMs: performance.now() - arrivedAt,
    queueMs: 0,
    instance: "",
    reason,
  };
}

/** A target as ASCII: other bytes as %XX. */
function printable(target: Uint8Array): string {
  const text = Buffer.from(target.buffer, target.byteOffset, target.length).toString("latin1");
  return /^[\x21-\x7e]*$/.test(text)
    ? text
    : text.replace(/[^\x21-\x7e]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
}

/** Counts and logs what a front refused before the pipeline saw it. */
export function recordRefusal(
  refusal: Refusal,
  meter: Meter,
  access: ((record: AccessRecord) => void) | null,
): void {
  meter.status(refusal.status);
  meter.reason(refusal.code);
  access?.({
    time: Date.now(),
    requestId: "",
    traceparent: "",
    method: refusal.method,
    target: refusal.target,
    version: "1.1",
    clientHost: refusal.peers.clientHost,
    clientPort: refusal.peers.clientPort,
    status: refusal.status,
    responseBytes: 0,
    durationMs: 0,
    queueMs: 0,
    instance: "",
    reason: refusal.code,
  });
}

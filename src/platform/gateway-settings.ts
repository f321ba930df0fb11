/** Pure: from the run's config to what gateways and the pool are told. */

import type { RunConfig } from "../config/run-config.ts";
import type { GatewaySettings } from "../gateway/settings.ts";

/** Credit of one stream in each direction, bytes: enough for a fast stream between two processes, little enough for many. */
export const WINDOW = 256 * 1024;

const HTTP2_STREAMS = 128;
const DISCARD_BYTES = 256 * 1024;

export function gatewaySettings(config: RunConfig, port: number, revision: string): GatewaySettings {
  return {
    host: config.host,
    port,
    uds: config.uds,
    reusePort: config.gateways > 1,
    tlsCert: config.tlsCert,
    tlsKey: config.tlsKey,
    http2: config.http2,
    http: {
      requestLine: config.maxRequestLine,
      headerBytes: config.maxHeaderBytes,
      headerCount: config.maxHeaders,
      bodyBytes: config.maxBody,
      headerTimeoutMs: config.headerTimeoutMs,
      bodyTimeoutMs: config.bodyTimeoutMs,
      sendTimeoutMs: config.sendTimeoutMs,
      idleTimeoutMs: config.idleTimeoutMs,
      discardBytes: DISCARD_BYTES,
      http2Streams: HTTP2_STREAMS,
    },
    websocket: {
      maxMessage: config.wsMaxSize,
      pingIntervalMs: config.wsPingIntervalMs,
      pingTimeoutMs: config.wsPingTimeoutMs,
      deflate: config.wsDeflate,
    },
    admission: {
      slots: config.concurrency,
      lineDepth: config.lineDepth,
      lineWaitMs: config.lineWaitMs,
      timeoutMs: config.timeoutMs,
      graceMs: config.timeoutGraceMs,
      healthPaths: config.healthPaths,
      scaled: config.scaling !== null,
    },
    trustedProxies: config.trustedProxies,
    window: WINDOW,
    service: config.service,
    revision,
    accessLog: config.accessLog,
  };
}

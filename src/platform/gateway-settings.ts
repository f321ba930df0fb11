/** Pure: from the config of a run to what gateways are told. */

import type { RunConfig } from "../config/run-config.ts";
import type { AffinitySettings } from "../gateway/balance/affinity.ts";
import type { FrontSettings, Routing, ServiceSettings } from "../gateway/settings.ts";

/** Credit of one stream in each direction, bytes: enough for a fast stream between two processes, little enough for many. */
export const WINDOW = 256 * 1024;

const HTTP2_STREAMS = 128;
const DISCARD_BYTES = 256 * 1024;

/** How clients are spoken to. */
export function frontSettings(config: RunConfig): FrontSettings {
  return {
    host: config.host,
    port: config.port,
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
    trustedProxies: config.trustedProxies,
    accessLog: config.accessLog,
  };
}

/**
 * How requests for the service are admitted and placed.
 * @param own what the revision is called, and its secret: nobody else can make the tokens of its instances
 */
export function serviceSettings(
  config: RunConfig,
  own: { readonly revision: string; readonly key: string; readonly secret: string },
): ServiceSettings {
  return {
    admission: {
      slots: config.concurrency,
      lineDepth: config.lineDepth,
      lineWaitMs: config.lineWaitMs,
      timeoutMs: config.timeoutMs,
      graceMs: config.timeoutGraceMs,
      healthPaths: config.healthPaths,
      scaled: config.scaling !== null,
      shed: config.shed,
      limits: config.limits,
      priorities: { header: config.priorityHeader, routes: config.priorities },
    },
    affinity: affinitySettings(config.affinity, own.secret),
    window: WINDOW,
    serverTiming: config.serverTiming,
    service: config.service,
    revision: own.revision,
    key: own.key,
  };
}

function affinitySettings(affinity: RunConfig["affinity"], secret: string): AffinitySettings | null {
  if (affinity === null) return null;
  const { by, name, sticky, balanceFactor } = affinity;
  return sticky
    ? { kind: "sticky", cookie: name, secret }
    : { kind: "key", from: { by, name }, balanceFactor };
}

/** Everything goes to one revision of one service. */
export function soleRouting(service: string, key: string): Routing {
  const everything = { host: "", path: "/", methods: [], headers: [], strip: false, rewrite: "" };
  const split = [{ key, weight: 1 }];
  return {
    services: [
      { service, routes: [everything], split, splitBy: null, stopped: false, tags: [], shadow: null },
    ],
    redirects: [],
  };
}

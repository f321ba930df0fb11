import type { LimitSettings } from "./admission/bulkheads.ts";
import type { PrioritySettings } from "./admission/priority.ts";
import type { AffinitySettings, KeySource } from "./balance/affinity.ts";
import type { Route } from "./route/router.ts";

/**
 * What a gateway process is told at its start: plain values, durations in milliseconds, sizes in bytes. 0 switches a limit off.
 * The first part is about clients and all services share it, the second is about one revision of one service.
 */
export type GatewaySettings = FrontSettings & ServiceSettings;

/** How clients are spoken to. */
export interface FrontSettings {
  readonly host: string;
  readonly port: number;
  /** Unix socket to listen on instead of host and port; empty for none. */
  readonly uds: string;
  readonly reusePort: boolean;
  /** PEM text, empty for clear text. */
  readonly tlsCert: string;
  readonly tlsKey: string;
  readonly http2: boolean;
  readonly http: HttpLimits;
  readonly websocket: WebSocketSettings;
  /** Addresses and networks (CIDR) whose forwarding headers are believed; "*" for all, "unix" for Unix sockets. */
  readonly trustedProxies: readonly string[];
  readonly accessLog: "off" | "text" | "json";
}

/** How requests for one revision are admitted and placed. */
export interface ServiceSettings {
  readonly admission: AdmissionSettings;
  /** Which requests belong to which instance; null: none does. */
  readonly affinity: AffinitySettings | null;
  /** Window that each side of the worker protocol grants at first, in bytes. */
  readonly window: number;
  /** Responses say where the time went (Server-Timing). */
  readonly serverTiming: boolean;
  /** In logs and metrics. */
  readonly service: string;
  readonly revision: string;
  /** Names the revision between the platform and the gateways. */
  readonly key: string;
}

/** Which requests are for which service: the whole of it, exchanged as one. */
export interface Routing {
  readonly services: readonly ServiceRouting[];
  readonly redirects: readonly RedirectRoute[];
}

/** Ports on loopback by which services call each other; see internal.ts. */
export interface InternalPorts {
  /** Several processes may listen on each. */
  readonly reusePort: boolean;
  /** Where the host says which service. */
  readonly shared: number;
  readonly services: readonly { readonly service: string; readonly port: number }[];
}

export interface ServiceRouting {
  readonly service: string;
  readonly routes: readonly (Route & { readonly strip: boolean; readonly rewrite: string })[];
  /** Revisions that the gateways know, by key, at least one with a weight. */
  readonly split: readonly { readonly key: string; readonly weight: number }[];
  /** What a request is known by when it is to get the same revision as the one before; null: nothing. */
  readonly splitBy: KeySource | null;
  /** It was stopped: its requests are refused. Nothing is in the split then. */
  readonly stopped: boolean;
  /** Revisions that are also reached under a host of their own, see route/tags.ts. */
  readonly tags: readonly { readonly tag: string; readonly key: string }[];
  /** A revision that a share of the requests, whole percent, is mirrored to; null: none. */
  readonly shadow: { readonly key: string; readonly percent: number } | null;
}

export interface RedirectRoute {
  readonly host: string;
  readonly path: string;
  readonly to: string;
  readonly status: number;
}

/** Limits of the HTTP fronts, with the status each is answered with. */
export interface HttpLimits {
  /** Bytes of the request line: 414. */
  readonly requestLine: number;
  /** Bytes of all headers together: 431. */
  readonly headerBytes: number;
  /** Number of headers: 431. */
  readonly headerCount: number;
  /** Bytes of a request body: 413. */
  readonly bodyBytes: number;
  /** From a request's first byte to the end of its head: 408. Also the TLS handshake. */
  readonly headerTimeoutMs: number;
  /** Without any progress while a body is expected and asked for: 408. */
  readonly bodyTimeoutMs: number;
  /** Without the client taking any byte of the response: the connection is cut. */
  readonly sendTimeoutMs: number;
  /** A kept-alive connection without a request. */
  readonly idleTimeoutMs: number;
  /** Unread request body that is read and dropped after an early response, before the connection is closed instead. */
  readonly discardBytes: number;
  /** Concurrent HTTP/2 streams of one connection. */
  readonly http2Streams: number;
}

export interface WebSocketSettings {
  /** Bytes of one message after decompression: close 1009. */
  readonly maxMessage: number;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  readonly deflate: boolean;
}

export interface AdmissionSettings {
  /** Requests that one instance works on at a time. */
  readonly slots: number;
  /** Requests that may wait for a slot, over all gateways: beyond it 429. */
  readonly lineDepth: number;
  /** Longest wait in the line: then 503. */
  readonly lineWaitMs: number;
  /** Longest time from the arrival of the head to the end of the response head, wait included: then 504. 0: no limit. */
  readonly timeoutMs: number;
  /** After its deadline the app may take this long to return; then its instance counts as stuck. */
  readonly graceMs: number;
  /** Instances come and go with the demand: the platform is told when requests wait, and none is refused because there is no instance. */
  readonly scaled: boolean;
  /** Paths that pass by the line: they need no slot. */
  readonly healthPaths: readonly string[];
  /** Under overload, requests that cannot be served in time are refused at once instead of in their turn. */
  readonly shed: boolean;
  /** Kinds of requests of which only so many may be in flight, over all gateways and instances; see admission/bulkheads.ts. */
  readonly limits: readonly LimitSettings[];
  /** Who goes first in the line. */
  readonly priorities: PrioritySettings;
}

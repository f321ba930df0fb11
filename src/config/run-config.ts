/** What the autoscaler was told. */
export interface ScalingConfig {
  readonly minInstances: number;
  readonly maxInstances: number;
  /** Above 0, at most 1. */
  readonly targetUtilization: number;
  /** Of one instance; null: not a target. */
  readonly requestsPerSecond: number | null;
  /** Shares of an instance's limits, above 0 and at most 1; null: not a target. */
  readonly cpuUtilization: number | null;
  readonly memoryUtilization: number | null;
  readonly stableWindowMs: number;
  readonly scaleDownDelayMs: number;
  /** Time without a request, at least the stable window where it matters. */
  readonly scaleToZeroAfterMs: number;
  /** 0: each request that waits counts as a slot. Null: as the starts are. */
  readonly lineDrainMs: number | null;
}

/** All that `headrace run` was told. Durations in milliseconds, sizes in bytes; 0 switches a limit off. Frozen. */
export interface RunConfig {
  /** As the user wrote it: file.py, file.py:attr, module:attr. Files are relative to `cwd`, else to `appDir`. */
  readonly app: string;
  readonly interface: "auto" | "asgi" | "wsgi" | "function";
  readonly factory: boolean;
  /** functions-framework's options, or null. */
  readonly target: string | null;
  readonly signatureType: "http" | "cloudevent" | "event" | "typed" | null;
  /** As given; empty: it has to be found. */
  readonly python: string;
  /** Absolute. */
  readonly appDir: string;
  /** Where the command was started, absolute. */
  readonly cwd: string;
  /** The app's file is in `appDir` and not in `cwd`. */
  readonly appInDir: boolean;
  /** Variables that the app gets on top of our own environment (--env-file, then --env). */
  readonly env: Readonly<Record<string, string>>;
  readonly rootPath: string;
  readonly service: string;

  readonly host: string;
  readonly port: number;
  /** Absolute path of a Unix socket to listen on instead; empty for none. */
  readonly uds: string;
  /** PEM; empty for clear text. */
  readonly tlsCert: string;
  readonly tlsKey: string;
  readonly http2: boolean;
  readonly trustedProxies: readonly string[];

  /** At the start; from then on with {@link scaling} null. */
  readonly instances: number;
  /** Null: there are always as many instances. */
  readonly scaling: ScalingConfig | null;
  /** Slots of one instance; at the start, where they are measured. */
  readonly concurrency: number;
  /** The most slots that are tried, where they are measured; else null. */
  readonly concurrencyMost: number | null;
  readonly gateways: number;
  readonly preload: "auto" | "app" | "imports" | "off";
  readonly workerClass: "auto" | "gevent";
  readonly loop: "auto" | "asyncio" | "uvloop";
  readonly lifespan: "auto" | "on" | "off";
  /** Of one instance: cores, and bytes; 0: as much as there is. */
  readonly cpu: number;
  readonly memory: number;
  /** An instance that is older, or has served or needs more, is replaced; 0: never for that. */
  readonly maxInstanceAgeMs: number;
  readonly maxRequests: number;
  readonly maxRequestsJitter: number;
  readonly maxInstanceMemory: number;
  readonly startupTimeoutMs: number;
  readonly drainTimeoutMs: number;

  readonly timeoutMs: number;
  readonly timeoutGraceMs: number;
  /** Requests that may wait; 0: none, which is not "no limit". */
  readonly lineDepth: number;
  readonly lineWaitMs: number;
  readonly healthPaths: readonly string[];
  readonly shed: boolean;
  /** Lower case; empty for none. */
  readonly priorityHeader: string;
  /** Paths without a slash at their end. */
  readonly priorities: readonly {
    readonly path: string;
    readonly priority: "critical" | "default" | "bulk";
  }[];

  /** Kinds of requests of which only so many may be in flight over all instances. */
  readonly limits: readonly LimitConfig[];
  /** Which requests belong to one instance; null: none do. */
  readonly affinity: AffinityConfig | null;

  readonly maxRequestLine: number;
  readonly maxHeaderBytes: number;
  readonly maxHeaders: number;
  readonly maxBody: number;
  readonly headerTimeoutMs: number;
  readonly bodyTimeoutMs: number;
  readonly sendTimeoutMs: number;
  readonly idleTimeoutMs: number;

  readonly wsMaxSize: number;
  readonly wsPingIntervalMs: number;
  readonly wsPingTimeoutMs: number;
  readonly wsDeflate: boolean;

  readonly serverTiming: boolean;
  readonly accessLog: "off" | "text" | "json";
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly logFormat: "text" | "json";

  /** Bytes on disk for the last log lines of a service; 0: none are kept. */
  readonly logKeep: number;
  readonly admin: boolean;
  readonly adminHost: string;
  readonly adminPort: number;
  /** The port was asked for: when it is taken, that is an error. */
  readonly adminPortGiven: boolean;
  /** `HOST:PORT` each, beside the admin port. */
  readonly adminListen: readonly string[];
  /** Absolute; empty for none. */
  readonly adminTokenFile: string;

  readonly reload: boolean;
  /** Absolute. */
  readonly reloadDirs: readonly string[];
  readonly reloadInclude: readonly string[];
}

export interface LimitConfig {
  /** `/`, or a path without a slash at its end, as the app sees it; it holds by whole segments. */
  readonly path: string;
  /** Upper case; empty for any. */
  readonly methods: readonly string[];
  readonly slots: number;
}

export interface AffinityConfig {
  readonly by: "header" | "cookie" | "query";
  /** Of a header in lower case. */
  readonly name: string;
  /** The cookie is set by the gateway, and names the instance. */
  readonly sticky: boolean;
  /** How many times the average an instance may have in flight, 1.25 for a quarter more; 0: as many as it has slots. */
  readonly balanceFactor: number;
}

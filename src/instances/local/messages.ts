/** The control connection's messages (docs/spec/worker-protocol.md §7) as discriminated unions, and their parser. */

export interface Finding {
  /** "thread", "socket", "loop", "epoll", "cuda", "grpc" or "patch". */
  readonly kind: string;
  /** The module that did it, as far as is known. */
  readonly module: string;
  readonly detail: string;
}

export interface Hello {
  readonly type: "hello";
  readonly id: string;
  readonly token: string;
  readonly pid: number;
  readonly role: "instance" | "zygote";
}

export interface Ready {
  readonly type: "ready";
  readonly interface: string;
  readonly python: string;
  readonly loop: string;
  readonly phases: Readonly<Record<string, number>>;
}

export interface Failed {
  readonly type: "failed";
  readonly stage: string;
  readonly code: string;
  readonly message: string;
  readonly traceback: string;
  /** Zygote, stage fork: the instance that was asked for; else empty. */
  readonly id: string;
}

export interface Preflight {
  readonly type: "preflight";
  readonly level: "app" | "imports" | "off";
  readonly findings: readonly Finding[];
  /** Modules from outside the app's own tree that importing the app loads, in their order; what an imports zygote imports. */
  readonly modules: readonly string[];
}

export interface Stats {
  readonly type: "stats";
  readonly streams: number;
  readonly served: number;
  readonly loopLagMs: number;
  readonly threads: number;
  readonly threadsBusy: number;
}

/** From an instance, after its hello. */
export type FromInstance =
  | Ready
  | Failed
  | { readonly type: "idle" }
  | { readonly type: "released"; readonly gateway: number }
  | Stats
  | { readonly type: "stopped" };

/** From a zygote, after its hello. */
export type FromZygote =
  | Ready
  | Failed
  | Preflight
  | { readonly type: "forked"; readonly id: string; readonly pid: number; readonly ms: number }
  | {
      readonly type: "exited";
      readonly id: string;
      readonly pid: number;
      readonly status: number | null;
      readonly signal: number | null;
    };

export type FromWorker = Hello | FromInstance | FromZygote;

export type ToInstance =
  | { readonly type: "drain" }
  /** `begun`: only what lasts. */
  | { readonly type: "disconnect"; readonly begun?: true }
  | { readonly type: "stop"; readonly timeout_ms: number }
  | { readonly type: "stats" };

export type ToZygote = { readonly type: "fork"; readonly id: string; readonly boot: Boot };

/** The boot object. Keys as on the wire. */
export interface Boot {
  readonly id: string;
  readonly role: "instance" | "zygote" | "doctor";
  readonly token: string;
  readonly control: string;
  readonly service: string;
  readonly revision: string;
  readonly listen: string;
  readonly logs: string | null;
  readonly app: string;
  readonly interface: string;
  readonly factory: boolean;
  readonly signature_type: string | null;
  readonly target: string | null;
  readonly app_dir: string;
  readonly preload: "app" | "imports" | "off";
  readonly worker_class: string;
  readonly loop: string;
  readonly lifespan: string;
  readonly concurrency: number;
  readonly window: number;
  readonly root_path: string;
  readonly startup_timeout_ms: number;
  readonly shutdown_timeout_ms: number;
  readonly memory_rlimit: number;
  readonly ws_max_size: number;
  readonly table: { readonly path: string; readonly begun_offset: number } | null;
  readonly sources: readonly { readonly folder: string; readonly kept: string }[];
}

type Json = Readonly<Record<string, unknown>>;

/** One line to a message; undefined for what is no JSON object, of no known type, or without a key it needs. */
export function parseMessage(line: string): FromWorker | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const json = value as Json;
  const type = json["type"];
  return typeof type === "string" && Object.hasOwn(parsers, type) ? parsers[type]?.(json) : undefined;
}

const parsers: Readonly<Record<string, (json: Json) => FromWorker | undefined>> = {
  hello: (json) => {
    const id = text(json, "id");
    const role = json["role"] === "zygote" ? "zygote" : "instance";
    return id === ""
      ? undefined
      : { type: "hello", id, token: text(json, "token"), pid: number(json, "pid"), role };
  },
  ready: (json) => ({
    type: "ready",
    interface: text(json, "interface"),
    python: text(json, "python"),
    loop: text(json, "loop"),
    phases: numbers(json["phases"]),
  }),
  failed: (json) => ({
    type: "failed",
    stage: text(json, "stage"),
    code: text(json, "code"),
    message: text(json, "message"),
    traceback: text(json, "traceback"),
    id: text(json, "id"),
  }),
  preflight: (json) => {
    const level = json["level"];
    if (level !== "app" && level !== "imports" && level !== "off") return undefined;
    return {
      type: "preflight",
      level,
      findings: list(json["findings"]).map(finding),
      modules: names(json["modules"]),
    };
  },
  forked: (json) => ({
    type: "forked",
    id: text(json, "id"),
    pid: number(json, "pid"),
    ms: number(json, "ms"),
  }),
  exited: (json) => ({
    type: "exited",
    id: text(json, "id"),
    pid: number(json, "pid"),
    status: numberOrNull(json, "status"),
    signal: numberOrNull(json, "signal"),
  }),
  idle: () => ({ type: "idle" }),
  released: (json) => ({ type: "released", gateway: number(json, "gateway") }),
  stats: (json) => ({
    type: "stats",
    streams: number(json, "streams"),
    served: number(json, "served"),
    loopLagMs: number(json, "loop_lag_ms"),
    threads: number(json, "threads"),
    threadsBusy: number(json, "threads_busy"),
  }),
  stopped: () => ({ type: "stopped" }),
};

function text(json: Json, key: string): string {
  const value = json[key];
  return typeof value === "string" ? value : "";
}

function number(json: Json, key: string): number {
  return numberOrNull(json, key) ?? 0;
}

function numberOrNull(json: Json, key: string): number | null {
  const value = json[key];
  return typeof value === "number" ? value : null;
}

function numbers(value: unknown): Readonly<Record<string, number>> {
  if (typeof value !== "object" || value === null) return {};
  const pairs = Object.entries(value).filter((pair): pair is [string, number] => typeof pair[1] === "number");
  return Object.fromEntries(pairs);
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function names(value: unknown): readonly string[] {
  return list(value).filter((name): name is string => typeof name === "string");
}

function finding(value: unknown): Finding {
  const json: Json = typeof value === "object" && value !== null ? (value as Json) : {};
  return { kind: text(json, "kind"), module: text(json, "module"), detail: text(json, "detail") };
}

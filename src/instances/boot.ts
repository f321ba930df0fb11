import { join } from "node:path";
import type { Boot } from "./local/messages.ts";
import type { RowLease } from "./ports.ts";
import type { PoolSpec } from "./settings.ts";

/** Who a process is: what its boot object says besides the pool's settings. */
export interface Identity {
  readonly id: string;
  readonly token: string;
  readonly role: "instance" | "zygote" | "doctor";
  readonly preload: "app" | "imports" | "off";
  /** For instances; else null. */
  readonly row: RowLease | null;
}

/** What the pool has for its processes: where its servers listen, and a limit. */
export interface Sockets {
  /** Bytes for RLIMIT_DATA of an instance, 0 for none. */
  readonly memoryRlimit: number;
  readonly control: string;
  readonly logs: string;
}

/** Path of the socket an instance listens on. */
export function listenPath(spec: PoolSpec, id: string): string {
  return join(spec.runDir, `${id}.sock`);
}

/** The boot object of one process. */
export function bootObject(spec: PoolSpec, identity: Identity, sockets: Sockets): Boot {
  const table =
    identity.row?.tablePath == null
      ? null
      : { path: identity.row.tablePath, begun_offset: identity.row.begunOffset };
  return {
    id: identity.id,
    role: identity.role,
    token: identity.token,
    control: sockets.control,
    service: spec.service,
    revision: spec.revision,
    listen: identity.role === "instance" ? listenPath(spec, identity.id) : "",
    logs: identity.role === "instance" ? sockets.logs : null,
    app: spec.app,
    interface: spec.interface,
    factory: spec.factory,
    signature_type: spec.signatureType,
    target: spec.target,
    app_dir: spec.appDir,
    preload: identity.preload,
    worker_class: spec.workerClass,
    loop: spec.loop,
    lifespan: spec.lifespan,
    concurrency: spec.concurrency,
    window: spec.window,
    root_path: spec.rootPath,
    startup_timeout_ms: spec.startupTimeoutMs,
    shutdown_timeout_ms: spec.shutdownTimeoutMs,
    memory_rlimit: identity.role === "instance" ? sockets.memoryRlimit : 0,
    ws_max_size: spec.wsMaxSize,
    table,
    sources: spec.sources,
  };
}

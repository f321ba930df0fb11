/** Pure: from the run's config to what the pool is told. */

import { dirname, isAbsolute, join } from "node:path";
import type { RunConfig } from "../config/run-config.ts";
import { appPlace, isFileApp } from "../config/service.ts";
import type { PoolSpec } from "../instances/index.ts";
import { WINDOW } from "./gateway-settings.ts";

/** Lifespan shutdown may take this long. */
const SHUTDOWN_MS = 10_000;

/** Share of its memory at which an instance is replaced: before the system has to kill it. */
const FULL = 0.9;

/** Where the headrace Python package is, seen from this file. */
export const PACKAGE_DIR = join(import.meta.dir, "../../python");

/** What the run's config does not say. */
export interface Place {
  readonly python: string;
  readonly runDir: string;
  /** `rev-7` */
  readonly revision: string;
  readonly sources: PoolSpec["sources"];
  /** At the start; undefined: as the config says. */
  readonly instances?: number | undefined;
}

export function poolSpec(config: RunConfig, place: Place): PoolSpec {
  return {
    service: config.service,
    revision: place.revision,
    app: config.app,
    interface: config.interface,
    factory: config.factory,
    signatureType: config.signatureType,
    target: config.target,
    appDir: config.appDir,
    sources: place.sources,
    python: place.python,
    packageDir: PACKAGE_DIR,
    env: instanceEnv(config, place.revision),
    runDir: place.runDir,
    instances: place.instances ?? config.instances,
    preload: config.preload,
    keepImports: config.reload,
    workerClass: config.workerClass,
    loop: config.loop,
    lifespan: config.lifespan,
    concurrency: config.concurrencyMost ?? config.concurrency,
    window: WINDOW,
    limits: { cpu: config.cpu, memory: config.memory },
    recycling: {
      maxAgeMs: config.maxInstanceAgeMs,
      maxRequests: config.maxRequests,
      maxRequestsJitter: config.maxRequestsJitter,
      maxMemory: fullAt(config),
    },
    rootPath: config.rootPath,
    wsMaxSize: config.wsMaxSize,
    startupTimeoutMs: config.startupTimeoutMs,
    shutdownTimeoutMs: SHUTDOWN_MS,
    patienceMs: patienceMs(config),
    drainMs: config.drainTimeoutMs,
  };
}

/** Bytes at which an instance is replaced, whichever comes first; 0 for none. */
export function fullAt({
  memory,
  maxInstanceMemory,
}: Pick<RunConfig, "memory" | "maxInstanceMemory">): number {
  const held = Math.floor(memory * FULL);
  return held > 0 && maxInstanceMemory > 0 ? Math.min(held, maxInstanceMemory) : held || maxInstanceMemory;
}

/**
 * How long requests in flight may hold an instance, or a revision, that is replaced or not needed any more: as long as they may take at
 * all. Nobody waits for it to go.
 */
export function patienceMs(
  config: Pick<RunConfig, "timeoutMs" | "timeoutGraceMs" | "drainTimeoutMs">,
): number {
  if (config.timeoutMs === 0) return Number.POSITIVE_INFINITY;
  return Math.max(config.drainTimeoutMs, config.timeoutMs + config.timeoutGraceMs);
}

/** Ours, then Cloud Run's contract, then what the user gave. */
export function instanceEnv(config: RunConfig, revision: string): Record<string, string | undefined> {
  return {
    ...process.env,
    // With port 0 the system chooses one while the app is being imported: nobody knows it yet.
    ...(config.port === 0 ? {} : { PORT: String(config.port) }),
    // Python tells fresh bytecode by whole seconds and the size of the source: two quick edits would run the older one.
    ...(config.reload ? { PYTHONDONTWRITEBYTECODE: "1" } : {}),
    K_SERVICE: config.service,
    K_REVISION: `${config.service}-${revision}`,
    K_CONFIGURATION: config.service,
    ...(config.target === null ? {} : { FUNCTION_TARGET: config.target }),
    ...(config.signatureType === null ? {} : { FUNCTION_SIGNATURE_TYPE: config.signatureType }),
    ...config.env,
  };
}

/** The folder that the app lies in: its file's, or the one that modules are looked for in. */
export function appFolder(config: Pick<RunConfig, "app" | "appDir" | "appInDir" | "cwd">): string {
  if (!isFileApp(config.app)) return config.appDir;
  const place = dirname(appPlace(config.app));
  return isAbsolute(place) ? place : join(config.appInDir ? config.appDir : config.cwd, place);
}

/** What is kept of a revision: enough to start it again as it was. Pure. */

import type { ServiceConfig } from "../../config/file/config.ts";
import type { SecretReference } from "../../config/file/variables.ts";
import type { RunConfig } from "../../config/run-config.ts";

/**
 * Options that all services share: they are the running application's, and no revision's. They are what the keys of headrace.yaml
 * say outside of services; the test goes through those.
 */
const SHARED = [
  "host",
  "port",
  "uds",
  "tlsCert",
  "tlsKey",
  "http2",
  "trustedProxies",
  "gateways",
  "maxRequestLine",
  "maxHeaderBytes",
  "maxHeaders",
  "maxBody",
  "headerTimeoutMs",
  "bodyTimeoutMs",
  "sendTimeoutMs",
  "idleTimeoutMs",
  "wsMaxSize",
  "wsPingIntervalMs",
  "wsPingTimeoutMs",
  "wsDeflate",
  "accessLog",
  "logLevel",
  "logFormat",
  "logKeep",
  "admin",
  "adminHost",
  "adminPort",
  "adminPortGiven",
  "adminListen",
  "adminTokenFile",
  "reload",
  "reloadDirs",
  "reloadInclude",
] as const satisfies readonly (keyof RunConfig)[];

type Shared = (typeof SHARED)[number];

/** The options of one revision. */
export type RevisionConfig = Omit<RunConfig, Shared>;

/** Immutable. */
export interface RevisionRecord {
  readonly number: number;
  /** Unix milliseconds. */
  readonly createdAt: number;
  readonly config: RevisionConfig;
  /** Where its secrets are, not what they are. */
  readonly secrets: Readonly<Record<string, SecretReference>>;
  /** SHA-256 of its Python files, see code.ts; empty when there were too many to be kept. */
  readonly code: string;
}

/** What all services share. */
export function sharedOptions(run: RunConfig): Pick<RunConfig, Shared> {
  return Object.fromEntries(SHARED.map((key) => [key, run[key]])) as unknown as Pick<RunConfig, Shared>;
}

/** What a revision has of its service's options. */
export function revisionConfig({ run }: ServiceConfig): RevisionConfig {
  return ownOptions(run);
}

function ownOptions(config: RevisionConfig): RevisionConfig {
  const own: Record<string, unknown> = { ...config };
  for (const key of SHARED) delete own[key];
  return own as unknown as RevisionConfig;
}

/** The options that a revision runs with: its own, and those that all share now. */
export function runConfig(record: RevisionRecord, service: ServiceConfig): RunConfig {
  return { ...service.run, ...record.config };
}

/** Whether a service would run as the revision does. Code is another matter. */
export function isUnchanged({ config, secrets }: RevisionRecord, service: ServiceConfig): boolean {
  // One that was kept when less was shared has more to it.
  return (
    Bun.deepEquals(ownOptions(config), revisionConfig(service)) && Bun.deepEquals(secrets, service.secrets)
  );
}

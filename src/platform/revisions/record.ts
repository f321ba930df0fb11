/** What is kept of a revision: enough to start it again as it was. Pure. */

import type { ServiceConfig } from "../../config/file/config.ts";
import type { SecretReference } from "../../config/file/variables.ts";
import type { RunConfig } from "../../config/run-config.ts";
import type { MadeBy, RevisionReport } from "../../model/revision.ts";

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
  /** Null: it was made before that was noted. */
  readonly madeBy: MadeBy | null;
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

function ownOptions(options: RevisionConfig): RevisionConfig {
  const own: Record<string, unknown> = { ...options };
  for (const key of SHARED) delete own[key];
  return own as unknown as RevisionConfig;
}

/** The options that a revision runs with: its own, and those that all share now. */
export function runConfig(record: RevisionRecord, service: ServiceConfig): RunConfig {
  return { ...service.run, ...ownOptions(record.config) };
}

/** Whether a service would run as the revision does. Code is another matter. */
export function isUnchanged({ config, secrets }: RevisionRecord, service: ServiceConfig): boolean {
  // What is shared by now may have been its own when it was written.
  return (
    Bun.deepEquals(ownOptions(config), revisionConfig(service)) && Bun.deepEquals(secrets, service.secrets)
  );
}

/** What may be shown of the options: all but what `env` holds. */
export function shownOptions({ config }: RevisionRecord): Pick<RevisionReport, "options" | "env"> {
  const { env, ...rest } = ownOptions(config);
  return { options: Object.fromEntries(leaves(rest, "")), env: Object.keys(env).sort() };
}

type Leaf = readonly [path: string, value: string | number | boolean | null];

/** The values in lists and objects, each under its path: `priorities.0.path`. */
function leaves(value: unknown, path: string): readonly Leaf[] {
  if (typeof value !== "object" || value === null) return [[path, value as Leaf[1]]];
  return Object.entries(value).flatMap(([key, part]) => leaves(part, path === "" ? key : `${path}.${key}`));
}

/** What a headrace.yaml says, read and checked. */

import type { AffinityConfig, RunConfig } from "../run-config.ts";
import type { SecretReference } from "./variables.ts";

/** Which requests are for a service. */
export interface RouteConfig {
  /** Lower case; `*.name` for all below it, empty for any. */
  readonly host: string;
  /** `/`, or a path without a slash at its end; it holds by whole segments. */
  readonly path: string;
  /** Upper case; empty for any. */
  readonly methods: readonly string[];
  /** All of them must be there, `value` null for any value. Names in lower case. */
  readonly headers: readonly { readonly name: string; readonly value: string | null }[];
  /** The prefix becomes the root path. */
  readonly strip: boolean;
  /** What stands in for the prefix; empty for nothing. */
  readonly rewrite: string;
}

export interface RedirectConfig {
  readonly host: string;
  readonly path: string;
  /** Where to; with `/*` at its end, what follows the prefix is put there. */
  readonly to: string;
  readonly status: 301 | 302 | 307 | 308;
}

export interface ServiceConfig {
  readonly name: string;
  /** The options of `headrace run` that the service would have alone, those that all share included. */
  readonly run: RunConfig;
  readonly routes: readonly RouteConfig[];
  /** Environment variables whose values are secrets: not in `run.env`. */
  readonly secrets: Readonly<Record<string, SecretReference>>;
  /** By whose value a request gets the same revision as those before; null: by nothing. Names of headers in lower case. */
  readonly splitBy: Pick<AffinityConfig, "by" | "name"> | null;
}

export interface ApplicationConfig {
  readonly name: string;
  /** Absolute path of the file; paths in it are relative to its folder. */
  readonly file: string;
  /** In the order of the file, at least one. */
  readonly services: readonly ServiceConfig[];
  readonly redirects: readonly RedirectConfig[];
}

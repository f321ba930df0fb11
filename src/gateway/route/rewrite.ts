/** What becomes of a target whose route strips or replaces its prefix, and of one that is redirected. Pure. */

import type { RequestHead } from "../client.ts";
import { wantedBy } from "./router.ts";

/** A route's prefix, and what stands in for it: empty takes it away. */
export interface Rewrite {
  /** As in the route, not `/`. */
  readonly prefix: string;
  readonly by: string;
}

/** The target with the prefix of its path replaced. What follows the prefix stays byte for byte. */
export function rewrittenTarget(head: RequestHead, { prefix, by }: Rewrite): Uint8Array {
  const { target } = head;
  const { start } = wantedBy(head);
  const rest = target.subarray(start + (prefix === "/" ? 0 : prefix.length));
  const slash = by === "" && rest[0] !== 0x2f ? "/" : "";
  const front = Buffer.from(`${by === "/" ? "" : by}${slash}`, "latin1");
  return Buffer.concat([target.subarray(0, start), front, rest]);
}

export interface Redirect {
  /** Where requests begin that are redirected. */
  readonly path: string;
  /** A path or a URL; with `/*` at its end, what follows `path` is put there. */
  readonly to: string;
}

/** The location for a request that a redirect is for. The query goes along unless `to` has its own. */
export function locationOf(head: RequestHead, { path, to }: Redirect): string {
  const { target } = head;
  const wanted = wantedBy(head);
  const text = Buffer.from(target.buffer, target.byteOffset, target.length).toString("latin1");
  const query = to.includes("?") ? "" : text.slice(wanted.end);
  if (!to.endsWith("/*")) return `${to}${query}`;
  const rest = path === "/" ? wanted.path : wanted.path.slice(path.length);
  // Two slashes at the start would be another host.
  return `${to.slice(0, -2)}/${rest.replace(/^\/+/, "")}${query}`;
}

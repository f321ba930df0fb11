/** Keeps out who may not use the admin API. Pure. */

import type { AdminErrorCode } from "./errors.ts";
import { bringsToken } from "./token.ts";

/** Where a request came in, which says who can have sent it. */
export type Entry =
  /** A Unix socket that only its user can open. */
  | { readonly kind: "socket" }
  /** Any process of this machine, and web pages that a browser here shows. */
  | { readonly kind: "loopback" }
  /** Other machines. */
  | { readonly kind: "remote"; readonly token: string };

/** What load balancers and orchestrators ask for, who have no token. They tell nothing but whether it is well. */
const OPEN: ReadonlySet<string> = new Set(["health", "readiness"]);

/**
 * What is wrong with where a request comes from, or null.
 *
 * - DNS rebinding: a page's own domain is made to point at 127.0.0.1, so the browser sees one origin. Its Host header gives it away.
 * - Cross-site requests: a page may send a simple POST anywhere. Its Origin header gives it away.
 * - Other machines need the token. No page has it.
 *
 * @param route the name of the route that is asked for; empty when there is none such
 */
export function refusal(request: Request, entry: Entry, route: string): AdminErrorCode | null {
  if (entry.kind === "socket") return null;
  const host = request.headers.get("host") ?? "";
  if (entry.kind === "loopback" && !isLoopback(hostName(host))) return "admin_host_refused";
  const origin = request.headers.get("origin");
  if (origin !== null && origin.replace(/^https?:\/\//, "") !== host) return "admin_origin_refused";
  if (entry.kind === "loopback" || OPEN.has(route)) return null;
  const authorization = request.headers.get("authorization");
  if (authorization === null) return "admin_token_missing";
  return bringsToken(authorization, entry.token) ? null : "admin_token_wrong";
}

/** `[::1]:80` to `::1`, `localhost:80` to `localhost`. */
function hostName(host: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(host);
  return bracketed === null ? host.replace(/:\d+$/, "") : bracketed[1]!;
}

/** Whether a name or address is this machine's own inside. */
export function isLoopback(name: string): boolean {
  return name.toLowerCase() === "localhost" || name === "::1" || /^127(\.\d{1,3}){3}$/.test(name);
}

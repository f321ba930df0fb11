/** Keeps web pages that a user happens to look at from talking to the admin port. Pure. */

import type { AdminErrorCode } from "./errors.ts";

/**
 * What is wrong with a request's origin, or null.
 *
 * - DNS rebinding: a page's own domain is made to point at 127.0.0.1, so the browser sees one origin. Its Host header gives it away.
 * - Cross-site requests: a page may send a simple POST anywhere. Its Origin header gives it away.
 *
 * @param exposed the port listens beyond loopback, because somebody asked for it: any Host may then be right
 */
export function refusal(request: Request, exposed: boolean): AdminErrorCode | null {
  const host = request.headers.get("host") ?? "";
  if (!exposed && !isLoopback(hostName(host))) return "admin_host_refused";
  const origin = request.headers.get("origin");
  if (origin !== null && origin.replace(/^https?:\/\//, "") !== host) return "admin_origin_refused";
  return null;
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

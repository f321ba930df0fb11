/** Checks of single values. Each answers what would have been right, or null. Pure. */

import { isIP } from "node:net";

/** `KEY=VALUE` with a key that shells know how to set. */
export function checkEnvEntry(entry: string): string | null {
  return /^[A-Za-z_][A-Za-z0-9_]*=/.test(entry) && !entry.includes("\0") ? null : "KEY=VALUE";
}

/** What single values are like, for the JSON Schema of headrace.yaml, where their check takes more than a pattern. */
export const LIKE = {
  proxy: "[*]|unix|[0-9a-fA-F:.]+(/[0-9]{1,3})?",
  urlPath: '/[!"$->@-~]*',
  priority: '/[!"$->@-~]*=(critical|default|bulk)',
  hostPort: "(\\[[0-9a-fA-F:.]+\\]|[^:\\[\\] ]+):[0-9]{1,5}",
} as const;

/** An address, a network, `*` or `unix`. */
export function checkProxy(entry: string): string | null {
  if (entry === "*" || entry === "unix") return null;
  const slash = entry.indexOf("/");
  const version = isIP(slash === -1 ? entry : entry.slice(0, slash));
  const bits = slash === -1 ? "0" : entry.slice(slash + 1);
  const longest = version === 4 ? 32 : 128;
  const valid = version !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= longest;
  return valid ? null : "an IP address, a network such as 10.0.0.0/8, * or unix";
}

/** A path and the class of the requests below it. */
export function checkPriority(entry: string): string | null {
  const equals = entry.lastIndexOf("=");
  const valid =
    checkUrlPath(entry.slice(0, Math.max(0, equals))) === null &&
    ["critical", "default", "bulk"].includes(entry.slice(equals + 1));
  return valid ? null : "a path and its class, such as /checkout=critical or /export=bulk";
}

/** A path as it stands in a URL. */
export function checkUrlPath(entry: string): string | null {
  return /^\/[\x21-\x22\x24-\x3e\x40-\x7e]*$/.test(entry)
    ? null
    : "a path that begins with /, such as /healthz";
}

/** `HOST:PORT`, with brackets around an IPv6 address. */
export function checkHostPort(entry: string): string | null {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(entry) ?? [];
  const host = bracketed === undefined ? plain !== undefined : isIP(bracketed) === 6;
  return host && Number(port) <= 65_535 ? null : "an address and a port, such as 0.0.0.0:9000 or [::]:9000";
}

/** Pure: which peers' forwarding headers are believed, and what these say. */

import { BlockList, isIP } from "node:net";

/** A set of addresses and networks. */
export class TrustedProxies {
  readonly #all: boolean;
  readonly #unix: boolean;
  readonly #list = new BlockList();
  readonly #empty: boolean;
  /** Peers come back: what was found out about the latest ones. */
  readonly #known = new Map<string, boolean>();

  /** `entries`: addresses, networks (CIDR), "*" for all, "unix" for Unix sockets. Throws RangeError for anything else. */
  constructor(entries: readonly string[]) {
    this.#all = entries.includes("*");
    this.#unix = this.#all || entries.includes("unix");
    let count = 0;
    for (const entry of entries) {
      if (entry === "*" || entry === "unix" || entry === "") continue;
      const [address = "", prefix, ...more] = entry.split("/");
      const family = isIP(address);
      const most = family === 6 ? 128 : 32;
      const bits = prefix === undefined ? most : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
      if (family === 0 || more.length > 0 || bits < 0 || bits > most) {
        throw new RangeError(`"${entry}" is neither an address nor a network such as 10.0.0.0/8`);
      }
      this.#list.addSubnet(address, bits, family === 6 ? "ipv6" : "ipv4");
      count++;
    }
    this.#empty = count === 0;
  }

  /** `host`: an address as text, empty for a Unix socket. */
  has(host: string): boolean {
    if (this.#all) return true;
    if (host === "") return this.#unix;
    if (this.#empty) return false;
    const known = this.#known.get(host);
    if (known !== undefined) return known;
    const plain = host.startsWith("::ffff:") && isIP(host.slice(7)) === 4 ? host.slice(7) : host;
    const family = isIP(plain);
    const found = family !== 0 && this.#list.check(plain, family === 6 ? "ipv6" : "ipv4");
    if (this.#known.size >= 4096) this.#known.clear();
    this.#known.set(host, found);
    return found;
  }
}

/** What the forwarding headers of a trusted peer say. Undefined where they say nothing. */
export interface Forwarding {
  readonly host: string | undefined;
  readonly port: number;
  readonly secure: boolean | undefined;
}

/** One hop: who connected, and by which scheme. */
interface Hop {
  readonly node: string;
  readonly proto: string;
}

/**
 * The client: the last hop, from the right, that is not a trusted proxy (RFC 7239 §5.2; the leftmost when all are trusted).
 * `Forwarded` wins over `X-Forwarded-*`. Values are those of all header lines, joined by commas.
 */
export function forwarding(
  headers: { forwarded: string | undefined; xFor: string | undefined; xProto: string | undefined },
  trusted: TrustedProxies,
): Forwarding {
  const hops =
    headers.forwarded !== undefined ? forwardedHops(headers.forwarded) : xHops(headers.xFor, headers.xProto);
  let chosen: { hop: Hop; address: { host: string; port: number } } | undefined;
  for (let i = hops.length - 1; i >= 0; i--) {
    const address = parseNode(hops[i]!.node);
    // An obfuscated or broken name ends what can be believed: everything to its left came through an unknown hop.
    if (address === undefined) break;
    chosen = { hop: hops[i]!, address };
    if (!trusted.has(address.host)) break;
  }
  const proto = (chosen?.hop.proto || hops.at(-1)?.proto || lastOf(headers.xProto) || "").toLowerCase();
  const secure =
    proto === "https" || proto === "wss" ? true : proto === "http" || proto === "ws" ? false : undefined;
  return { host: chosen?.address.host, port: chosen?.address.port ?? 0, secure };
}

function xHops(xFor: string | undefined, xProto: string | undefined): Hop[] {
  if (xFor === undefined) return [];
  const protos = (xProto ?? "").split(",").map((proto) => proto.trim());
  const nodes = xFor.split(",").map((node) => node.trim());
  return nodes.map((node, i) => ({
    node,
    proto: (protos.length === nodes.length ? protos[i] : protos.at(-1)) ?? "",
  }));
}

function forwardedHops(value: string): Hop[] {
  return splitQuoted(value, ",").map((element) => {
    const params = new Map<string, string>();
    for (const pair of splitQuoted(element, ";")) {
      const at = pair.indexOf("=");
      if (at > 0) params.set(pair.slice(0, at).trim().toLowerCase(), unquote(pair.slice(at + 1).trim()));
    }
    return { node: params.get("for") ?? "", proto: params.get("proto") ?? "" };
  });
}

/** Splits at `separator`, but not within quoted strings. */
function splitQuoted(value: string, separator: string): string[] {
  const parts: string[] = [];
  let quoted = false;
  let start = 0;
  for (let i = 0; i < value.length; i++) {
    const c = value[i];
    if (quoted && c === "\\") i++;
    else if (c === '"') quoted = !quoted;
    else if (!quoted && c === separator) {
      parts.push(value.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(value.slice(start));
  return parts;
}

function unquote(value: string): string {
  if (value.length < 2 || !value.startsWith('"') || !value.endsWith('"')) return value;
  return value.slice(1, -1).replace(/\\(.)/g, "$1");
}

/** `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]`, `[::1]:80`; undefined for anything else. */
function parseNode(node: string): { host: string; port: number } | undefined {
  if (isIP(node) !== 0) return { host: node, port: 0 };
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+))(?::(\d{1,5}))?$/.exec(node);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || isIP(host) === 0) return undefined;
  const port = Number(match?.[3] ?? 0);
  return { host, port: port <= 65535 ? port : 0 };
}

function lastOf(list: string | undefined): string {
  return list?.split(",").at(-1)?.trim() ?? "";
}

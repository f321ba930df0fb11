/**
 * Which service a request is for: host, path, method, headers. Of all routes that fit, the one wins that says more: an exact host
 * before `*.host` before none, then the longest path, then methods, then more headers. The path is compared as it was sent, by
 * whole segments; nothing is decoded, so what the app makes of `%2e` is the app's affair.
 */

import { findValue, latin1 } from "../../protocol/fields.ts";
import { type RequestHead, Seen } from "../client.ts";
import { authorityStart } from "../http1/target.ts";
import { moreMethodsFirst, takesMethod } from "../methods.ts";
import { pathPlace } from "../path.ts";

/** One route, as in the file. */
export interface Route {
  /** Lower case; `*.name` for all below it, empty for any. */
  readonly host: string;
  /** `/`, or a path without a slash at its end. */
  readonly path: string;
  /** Upper case; empty for any. */
  readonly methods: readonly string[];
  /** All must be there; a null value stands for any. Names in lower case. */
  readonly headers: readonly { readonly name: string; readonly value: string | null }[];
}

/** Where a request wants to go, as far as routing looks at it. */
export interface Wanted {
  /** Lower case, without the port; empty when there is none. */
  readonly host: string;
  /** From its first slash to the query. */
  readonly path: string;
  /** Where the path begins and ends in the target. */
  readonly start: number;
  readonly end: number;
}

interface Entry<T> {
  readonly route: Route;
  /** The path with a slash at its end, for the comparison by segments. */
  readonly below: string;
  readonly to: T;
}

/** Finds one of `T` for a request. */
export class Router<T> {
  readonly #exact = new Map<string, readonly Entry<T>[]>();
  /** Longest suffix first; each with its dot. */
  readonly #below: readonly { readonly suffix: string; readonly entries: readonly Entry<T>[] }[];
  readonly #any: readonly Entry<T>[];
  /** The one that takes everything, when there is nothing to choose. */
  readonly #only: T | undefined;

  constructor(routes: readonly { readonly route: Route; readonly to: T }[]) {
    const byHost = new Map<string, Entry<T>[]>();
    for (const { route, to } of routes) {
      const entries = byHost.get(route.host) ?? [];
      entries.push({ route, to, below: route.path === "/" ? "/" : `${route.path}/` });
      byHost.set(route.host, entries);
    }
    const below: { suffix: string; entries: readonly Entry<T>[] }[] = [];
    for (const [host, entries] of byHost) {
      entries.sort(moreSaidFirst);
      if (host.startsWith("*.")) below.push({ suffix: host.slice(1), entries });
      else if (host !== "") this.#exact.set(host, entries);
    }
    this.#below = below.sort((a, b) => b.suffix.length - a.suffix.length);
    this.#any = byHost.get("") ?? [];
    const [first] = routes;
    if (routes.length === 1 && first !== undefined && takesAll(first.route)) this.#only = first.to;
  }

  /** Undefined: nothing fits. @param given what the request wants, where that is not what its head says */
  find(head: RequestHead, given?: Wanted): T | undefined {
    if (this.#only !== undefined) return this.#only;
    const wanted = given ?? wantedBy(head);
    const exact = this.#exact.get(wanted.host);
    const own = exact === undefined ? undefined : firstFit(exact, wanted, head);
    if (own !== undefined) return own;
    for (const { suffix, entries } of this.#below) {
      if (!wanted.host.endsWith(suffix)) continue;
      const found = firstFit(entries, wanted, head);
      if (found !== undefined) return found;
    }
    return firstFit(this.#any, wanted, head);
  }
}

function takesAll({ host, path, methods, headers }: Route): boolean {
  return host === "" && path === "/" && methods.length === 0 && headers.length === 0;
}

function moreSaidFirst<T>({ route: a }: Entry<T>, { route: b }: Entry<T>): number {
  return (
    b.path.length - a.path.length ||
    moreMethodsFirst(a.methods, b.methods) ||
    b.headers.length - a.headers.length
  );
}

function firstFit<T>(entries: readonly Entry<T>[], wanted: Wanted, head: RequestHead): T | undefined {
  for (const { route, below, to } of entries) {
    const fits = below === "/" || wanted.path === route.path || wanted.path.startsWith(below);
    if (fits && allows(route, head)) return to;
  }
  return undefined;
}

function allows({ methods, headers }: Route, head: RequestHead): boolean {
  if (!takesMethod(methods, head.method)) return false;
  for (const { name, value } of headers) {
    const given = findValue(head.fields, name);
    if (given === undefined || (value !== null && given !== value)) return false;
  }
  return true;
}

const SLASH = 0x2f;

/** Takes a request's head apart for routing. An absolute target brings its own host (RFC 9112 §3.2.2). */
export function wantedBy(head: RequestHead): Wanted {
  const { target } = head;
  const authority = target[0] === SLASH ? 0 : authorityStart(target, 0, target.length);
  const { start, end } = pathPlace(target);
  const path = target[start] === SLASH ? latin1(target, start, end) : "/";
  const host = withoutPort(authority === 0 ? hostOf(head) : latin1(target, authority, start));
  return { host, path, start, end };
}

function hostOf(head: RequestHead): string {
  return (head.seen & Seen.HOST) === 0 ? "" : (findValue(head.fields, "host") ?? "");
}

/** Nor with the dot of the root, which names the same host. */
function withoutPort(host: string): string {
  const colon = host.lastIndexOf(":");
  const bare = colon > host.lastIndexOf("]") ? host.slice(0, colon) : host;
  return (bare.endsWith(".") ? bare.slice(0, -1) : bare).toLowerCase();
}

/** Routes and redirects between which nothing would choose. Pure. */

import type { ApplicationDraft } from "./build.ts";
import type { ReadMap } from "./check.ts";
import type { RouteConfig } from "./config.ts";
import { type FileProblem, fileProblem } from "./problem.ts";

/** What is asked for, and by whom. */
interface Claim {
  /** Null: a redirect. */
  readonly service: string | null;
  /** Where it stands. */
  readonly read: ReadMap;
  readonly route: Pick<RouteConfig, "host" | "path" | "methods" | "headers">;
}

/** The route of a service that is alone and has none: what requests are for. */
export const EVERYTHING: RouteConfig = {
  host: "",
  path: "/",
  methods: [],
  headers: [],
  strip: false,
  rewrite: "",
};

/** One problem for each route or redirect that asks for what one before it has already. */
export function* routeClashes(draft: ApplicationDraft): Generator<FileProblem> {
  const taken = new Map<string, Claim>();
  for (const claim of claims(draft)) {
    // What could not be read may ask for anything.
    if (!claim.read.whole) continue;
    const holder = keysOf(claim.route)
      .map((key) => taken.get(key))
      .find((before) => before !== undefined);
    for (const key of keysOf(claim.route)) if (!taken.has(key)) taken.set(key, claim);
    if (holder !== undefined) yield clash(claim, holder);
  }
}

/** Redirects first: of two that say as much, the redirect is what a request gets. */
function* claims({ redirects, services }: ApplicationDraft): Generator<Claim> {
  for (const { read, redirect } of redirects) {
    const { host, path } = redirect;
    yield { service: null, read, route: { host, path, methods: [], headers: [] } };
  }
  for (const { name, read, routes } of services) {
    for (const { read, route } of routes) yield { service: name, read, route };
    if (services.length === 1 && routes.length === 0) yield { service: name, read, route: EVERYTHING };
  }
}

/**
 * One for each method: the routes that say equally much about a request have one in common if there is a request that both ask for.
 * Different headers are told apart by the order in the file, since a request can have both and no route could say so.
 */
function keysOf({ host, path, methods, headers }: Claim["route"]): string[] {
  const conditions = headers.map(({ name, value }) => `${name}=${value ?? ""}`).sort();
  return (methods.length === 0 ? [""] : methods).map((method) =>
    JSON.stringify([host, path, method, conditions]),
  );
}

function clash({ service, read, route }: Claim, holder: Claim): FileProblem {
  if (service === null) {
    const message = `There are two redirects for this: ${show(route)}.`;
    return fileProblem(read, "conflict", message, "Give one of them another host or path.");
  }
  if (holder.service === null) {
    const message = `A redirect, in line ${holder.read.place.line}, takes what this is for: ${show(route)}.`;
    return fileProblem(read, "conflict", message, "Give the redirect another host or path.");
  }
  const whose =
    holder.service === service
      ? "The service has this route twice"
      : `The service ${holder.service} has this route as well`;
  const instead = "Give one of them another host, path, method or header.";
  return fileProblem(read, "conflict", `${whose}: ${show(route)}.`, instead);
}

function show({ host, path, methods }: Claim["route"]): string {
  return `${methods.length === 0 ? "" : `${methods.join(",")} `}${host === "" ? "any host" : host}${path}`;
}

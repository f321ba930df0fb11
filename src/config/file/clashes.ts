/** Routes that two services ask for alike. Pure. */

import type { ServiceDraft } from "./build.ts";
import type { RouteConfig } from "./config.ts";
import { type FileProblem, fileProblem } from "./problem.ts";

/** One problem for each route that an earlier service, or the same one, has already. */
export function* routeClashes(services: readonly ServiceDraft[]): Generator<FileProblem> {
  const taken = new Map<string, string>();
  for (const { name, read, routes } of services) {
    const at = read.keys.get("route") ?? read;
    for (const [index, route] of routes.entries()) {
      const key = keyOf(route);
      const holder = taken.get(key);
      if (holder === undefined) {
        taken.set(key, name);
        continue;
      }
      const where = at.kind === "list" ? (at.items[index] ?? at) : at;
      const whose =
        holder === name ? "The service has this route twice" : `The service ${holder} has this route as well`;
      const instead = "Give one of them another host, path, method or header.";
      yield fileProblem(where, "conflict", `${whose}: ${show(route)}.`, instead);
    }
  }
}

/** What two routes must not share: then nothing would tell which of them a request is for. */
function keyOf({ host, path, methods, headers }: RouteConfig): string {
  const conditions = headers.map(({ name, value }) => `${name}=${value ?? ""}`);
  return JSON.stringify([host, path, [...methods].sort(), conditions.sort()]);
}

function show({ host, path, methods }: RouteConfig): string {
  return `${methods.length === 0 ? "" : `${methods.join(",")} `}${host === "" ? "any host" : host}${path}`;
}

/** The rungs route and split: from a request's head to the revision that it is for. */

import type { RequestHead } from "../client.ts";
import type { Core } from "../core.ts";
import type { RedirectRoute, Routing, ServiceRouting } from "../settings.ts";
import type { Rewrite } from "./rewrite.ts";
import { type Route, Router } from "./router.ts";
import { Split } from "./split.ts";

/** Where a route leads. */
export type Destination =
  | { readonly kind: "service"; readonly split: Split<Core>; readonly rewrite: Rewrite | null }
  | { readonly kind: "redirect"; readonly redirect: RedirectRoute };

/** The routes of a gateway process; the whole of them is exchanged at once. */
export class Entrance {
  #router = new Router<Destination>([]);

  /**
   * Takes new routes; requests that are under way stay where they are. Services of which no revision with a weight is known are
   * left out.
   * @param cores by revision
   */
  set(routing: Routing, cores: ReadonlyMap<string, Core>): void {
    const routes: { route: Route; to: Destination }[] = routing.redirects.map((redirect) => {
      const { host, path } = redirect;
      return { route: { host, path, methods: [], headers: [] }, to: { kind: "redirect", redirect } };
    });
    for (const service of routing.services) {
      const split = splitOf(service, cores);
      if (split === null) continue;
      for (const route of service.routes) {
        routes.push({ route, to: { kind: "service", split, rewrite: rewriteOf(route) } });
      }
    }
    this.#router = new Router(routes);
  }

  /** Undefined: no service has a route for it. */
  find(head: RequestHead): Destination | undefined {
    return this.#router.find(head);
  }
}

function splitOf({ split }: ServiceRouting, cores: ReadonlyMap<string, Core>): Split<Core> | null {
  const known = split.flatMap(({ revision, weight }) => {
    const to = cores.get(revision);
    return to === undefined || weight <= 0 ? [] : [{ to, weight }];
  });
  return known.length === 0 ? null : new Split(known);
}

function rewriteOf({ path, strip, rewrite }: ServiceRouting["routes"][number]): Rewrite | null {
  if (rewrite !== "") return { prefix: path, by: rewrite };
  return strip && path !== "/" ? { prefix: path, by: "" } : null;
}

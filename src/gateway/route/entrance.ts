/** The rungs route and split: from a request's head to the revision that it is for. */

import type { KeySource } from "../balance/affinity.ts";
import type { RequestHead } from "../client.ts";
import type { Core } from "../core.ts";
import type { RedirectRoute, Routing, ServiceRouting } from "../settings.ts";
import type { Rewrite } from "./rewrite.ts";
import { type Route, Router, wantedBy } from "./router.ts";
import { type Differs, Shadow } from "./shadow.ts";
import { type Share, Split } from "./split.ts";
import { OwnTurns, type Turns } from "./turns.ts";

/** Where a route leads. */
export type Destination = ServiceDestination | StoppedDestination | RedirectDestination;

export interface ServiceDestination {
  readonly kind: "service";
  readonly split: Split<Core>;
  readonly rewrite: Rewrite | null;
  /** Null: each request goes where its turn is. */
  readonly splitBy: KeySource | null;
  /** Who else gets some of the requests; null: nobody. */
  readonly shadow: Shadow | null;
  /** Where it leads under the host of a tag. */
  readonly tags: ReadonlyMap<string, ServiceDestination>;
}

/** A service that takes no requests. */
export interface StoppedDestination {
  readonly kind: "stopped";
}

const STOPPED: StoppedDestination = { kind: "stopped" };

export interface RedirectDestination {
  readonly kind: "redirect";
  readonly redirect: RedirectRoute;
}

/** Between a tag and the host that it stands before, as on Cloud Run: `blue---shop.test`. */
export const TAG_END = "---";

/** The routes of a gateway process; the whole of them is exchanged at once. */
export class Entrance {
  #router = new Router<Destination>([]);
  /** All tags of all services. */
  #tags: ReadonlySet<string> = new Set();
  /** All services by name, with routes or without: where others call them. */
  #services: ReadonlyMap<string, ServiceDestination | StoppedDestination> = new Map();
  readonly #turns: (service: number) => Turns;
  readonly #differs: Differs;

  /** @param turns counts the requests of a service, by its number in the routing */
  constructor(turns: (service: number) => Turns = () => new OwnTurns(), differs: Differs = () => {}) {
    this.#turns = turns;
    this.#differs = differs;
  }

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
    const services = new Map<string, ServiceDestination | StoppedDestination>();
    for (const [number, service] of routing.services.entries()) {
      if (service.stopped) {
        // Its routes stay its own: requests for it are not those of a service whose route is shorter.
        services.set(service.service, STOPPED);
        routes.push(...service.routes.map((route) => ({ route, to: STOPPED })));
        continue;
      }
      const shares = known(service.split, cores);
      if (shares.length === 0) continue;
      const split = new Split(shares, this.#turns(number));
      const { splitBy } = service;
      const mirrored = service.shadow === null ? undefined : cores.get(service.shadow.key);
      const shadow =
        mirrored === undefined ? null : new Shadow(mirrored, service.shadow!.percent, this.#differs);
      const tags = tagged(service, null, cores);
      services.set(service.service, { kind: "service", split, rewrite: null, splitBy, shadow, tags });
      for (const route of service.routes) {
        const rewrite = rewriteOf(route);
        const tags = tagged(service, rewrite, cores);
        routes.push({ route, to: { kind: "service", split, rewrite, splitBy, shadow, tags } });
      }
    }
    this.#router = new Router(routes);
    this.#services = services;
    this.#tags = new Set(routing.services.flatMap(({ tags }) => tags.map(({ tag }) => tag)));
  }

  /** A service as others call it. Undefined: there is none of this name. */
  service(name: string): ServiceDestination | StoppedDestination | undefined {
    return this.#services.get(name);
  }

  /** Undefined: no service has a route for it. */
  find(head: RequestHead): Destination | undefined {
    if (this.#tags.size === 0) return this.#router.find(head);
    const wanted = wantedBy(head);
    const end = wanted.host.indexOf(TAG_END);
    const tag = end <= 0 ? "" : wanted.host.slice(0, end);
    if (!this.#tags.has(tag)) return this.#router.find(head);
    const host = wanted.host.slice(end + TAG_END.length);
    const found = this.#router.find(head, { ...wanted, host });
    // A service without this tag is not what was asked for.
    return found?.kind === "service" ? found.tags.get(tag) : found;
  }
}

function known(
  split: readonly { readonly key: string; readonly weight: number }[],
  cores: ReadonlyMap<string, Core>,
): readonly Share<Core>[] {
  return split.flatMap(({ key, weight }) => {
    const to = cores.get(key);
    return to === undefined || weight <= 0 ? [] : [{ to, weight, name: to.settings.revision }];
  });
}

function tagged(
  { tags }: ServiceRouting,
  rewrite: Rewrite | null,
  cores: ReadonlyMap<string, Core>,
): ReadonlyMap<string, ServiceDestination> {
  const found = new Map<string, ServiceDestination>();
  for (const { tag, key } of tags) {
    const shares = known([{ key, weight: 1 }], cores);
    if (shares.length === 0) continue;
    const split = new Split(shares);
    found.set(tag, { kind: "service", split, rewrite, splitBy: null, shadow: null, tags: new Map() });
  }
  return found;
}

function rewriteOf({ path, strip, rewrite }: ServiceRouting["routes"][number]): Rewrite | null {
  if (rewrite !== "") return { prefix: path, by: rewrite };
  return strip && path !== "/" ? { prefix: path, by: "" } : null;
}

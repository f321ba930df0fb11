/**
 * A request's ladder, top to bottom (docs/lifecycle.md draws it with the error exit of every rung):
 *
 *   route → split → identify → admit → place → forward → record
 *
 * - route (route/router.ts): which service, by host, path, method and headers
 * - split (route/split.ts): which of its revisions
 * - identify (identify.ts): request id, trace context, the client behind trusted proxies
 * - admit (core.ts, admission/): a slot, or a place in the line, or a refusal
 * - place (upstreams.ts, balance/): which instance
 * - forward (exchange.ts, upstream.ts): one attempt over the worker protocol, streaming both ways
 * - record (record.ts, meter.ts): metrics and access log, once, whatever the outcome
 */

import { requestKey } from "./balance/key.ts";
import type { Accept, ClientSide, ExchangeSide, RequestHead } from "./client.ts";
import type { Core } from "./core.ts";
import { Exchange } from "./exchange.ts";
import { type IdentifyOptions, identify, RequestIds } from "./identify.ts";
import { Answer, type AnswerPorts, redirect, refuse } from "./route/answer.ts";
import type { Destination, Entrance, ServiceDestination } from "./route/entrance.ts";
import { locationOf, rewrittenTarget } from "./route/rewrite.ts";
import { TrustedProxies } from "./trusted.ts";

export interface PipelineOptions extends AnswerPorts {
  readonly entrance: Pick<Entrance, "find">;
  readonly trustedProxies: readonly string[];
  /** Only services reach it, see internal.ts. */
  readonly internal: boolean;
}

/** The entrance for fronts. */
export function createPipeline(options: PipelineOptions): Accept {
  const { entrance, internal } = options;
  const identity: IdentifyOptions = {
    ids: new RequestIds(),
    trusted: new TrustedProxies(options.trustedProxies),
    internal,
  };
  return (head, client) => {
    const destination = entrance.find(head);
    if (destination?.kind !== "service")
      return answer({ head, client, requestId: identity.ids.next() }, destination, options);
    const core = chosen(destination, head);
    const { shadow } = destination;
    if (shadow !== null && shadow.core !== core && shadow.takes(head))
      return mirrored(destination, { core, head, client, identity });
    const exchange = new Exchange(core, head, client);
    if (destination.rewrite !== null) exchange.target = rewrittenTarget(head, destination.rewrite);
    identify(exchange, identity);
    core.admit(exchange);
    return exchange;
  };
}

/** The same for a request that is mirrored. The shadow begins once the request itself is on its way. */
function mirrored(
  { shadow, rewrite }: ServiceDestination,
  request: {
    readonly core: Core;
    readonly head: RequestHead;
    readonly client: ClientSide;
    readonly identity: IdentifyOptions;
  },
): ExchangeSide {
  const { core, head, client, identity } = request;
  const mirror = shadow!.mirror(client);
  const exchange = new Exchange(core, head, mirror.client());
  if (rewrite !== null) exchange.target = rewrittenTarget(head, rewrite);
  identify(exchange, identity);
  core.admit(exchange);
  mirror.send(exchange);
  return mirror.side(exchange);
}

/** A client that is sticky stays with the revision of its instance, whatever the shares. */
function chosen({ split, splitBy }: ServiceDestination, head: RequestHead): Core {
  const { all } = split;
  if (all.length === 1) return all[0]!;
  for (const core of all) if (core.isHome(head)) return core;
  const key = splitBy === null ? "" : requestKey(head.target, head.fields, splitBy);
  return key === "" ? split.next() : split.of(key);
}

function answer(
  request: { readonly head: RequestHead; readonly client: ClientSide; readonly requestId: string },
  destination: Exclude<Destination, { kind: "service" }> | undefined,
  ports: AnswerPorts,
): Answer {
  const { requestId, head } = request;
  const reply =
    destination === undefined
      ? refuse("HR_NO_ROUTE", requestId)
      : destination.kind === "stopped"
        ? refuse("HR_SERVICE_STOPPED", requestId)
        : redirect(destination.redirect.status, locationOf(head, destination.redirect));
  return new Answer(ports, request, reply).send();
}

/**
 * A request's ladder, top to bottom (docs/lifecycle.md draws it with the error exit of every rung):
 *
 *   identify → admit → place → forward → record
 *
 * - identify (identify.ts): request id, trace context, the client behind trusted proxies
 * - admit (core.ts, admission/): a slot, or a place in the line, or a refusal
 * - place (upstreams.ts, balance/): which instance
 * - forward (exchange.ts, upstream.ts): one attempt over the worker protocol, streaming both ways
 * - record (record.ts, meter.ts): metrics and access log, once, whatever the outcome
 */

import type { Accept } from "./client.ts";
import type { Core } from "./core.ts";
import { Exchange } from "./exchange.ts";
import { identify, RequestIds } from "./identify.ts";
import { TrustedProxies } from "./trusted.ts";

/** The entrance for fronts. */
export function createPipeline(core: Core): Accept {
  const options = { ids: new RequestIds(), trusted: new TrustedProxies(core.settings.trustedProxies) };
  return (head, client) => {
    const exchange = new Exchange(core, head, client);
    identify(exchange, options);
    core.admit(exchange);
    return exchange;
  };
}

/** Which service a request would go to, asked by others than gateways. Pure. */

import { type RequestHead, Seen } from "../gateway/client.ts";
import { TAG_END } from "../gateway/route/entrance.ts";
import { type Route, Router, wantedBy } from "../gateway/route/router.ts";
import type { Routing } from "../gateway/settings.ts";
import type { RouteQuestion, RouteReport } from "../model/routed.ts";
import { joinPairs } from "../protocol/fields.ts";

/** By the routes that the gateways have. */
export function routedBy({ redirects, services }: Routing, question: RouteQuestion): RouteReport {
  const routes: { route: Route; to: RouteReport }[] = redirects.map(({ host, path }) => {
    return { route: { host, path, methods: [], headers: [] }, to: { service: null } };
  });
  for (const { service, routes: own } of services)
    routes.push(...own.map((route) => ({ route, to: { service } })));
  const head = headOf(question);
  if (head === null) return { service: null };
  const wanted = wantedBy(head);
  const [tag = "", ...rest] = wanted.host.split(TAG_END);
  const tagged = rest.length > 0 && services.some(({ tags }) => tags.some((known) => known.tag === tag));
  const host = tagged ? rest.join(TAG_END) : wanted.host;
  return new Router(routes).find(head, { ...wanted, host }) ?? { service: null };
}

/** Null for a URL that is none. */
function headOf({ method, url, headers = {} }: RouteQuestion): RequestHead | null {
  const parsed = URL.parse(url);
  if (parsed === null) return null;
  const fields = Object.entries({ host: parsed.host, ...headers });
  return {
    method,
    target: Buffer.from(`${parsed.pathname}${parsed.search}`, "latin1"),
    // No request has such a header.
    fields: joinPairs(fields.filter(([name, value]) => !/[\0\r\n]/.test(name + value))),
    seen: Seen.HOST,
    version: 11,
    bodyLength: 0,
    expectContinue: false,
    websocket: false,
  };
}

/** What the gateway adds to the headers of a response. */

import { Seen } from "./client.ts";
import type { Exchange } from "./exchange.ts";
import { withRequestId } from "./identify.ts";
import { withServerTiming } from "./server-timing.ts";
import type { ServiceSettings } from "./settings.ts";

/** The header pairs for the client. `fields` are the app's; they come back as they are when there is nothing to add. */
export function responseFields(
  exchange: Exchange,
  fields: Uint8Array,
  settings: ServiceSettings,
): Uint8Array {
  let out = fields;
  if ((exchange.head.seen & Seen.REQUEST_ID) !== 0) out = withRequestId(out, exchange.requestId);
  if (settings.serverTiming) {
    const { arrivedAt, placedAt, respondedAt, instanceStart } = exchange;
    const timing = { waitMs: placedAt - arrivedAt, appMs: respondedAt - placedAt, start: instanceStart };
    out = withServerTiming(out, timing);
  }
  return out;
}

/** What the gateway adds to the headers of a response. */

import { joinPairs } from "../protocol/fields.ts";
import { Seen } from "./client.ts";
import type { Core } from "./core.ts";
import type { Exchange } from "./exchange.ts";
import { withRequestId } from "./identify.ts";
import { withServerTiming } from "./server-timing.ts";

/** The header pairs for the client. `fields` are the app's; they come back as they are when there is nothing to add. */
export function responseFields(exchange: Exchange, fields: Uint8Array, core: Core): Uint8Array {
  let out = core.sticky ? withAffinity(exchange, fields, core) : fields;
  if ((exchange.head.seen & Seen.REQUEST_ID) !== 0) out = withRequestId(out, exchange.requestId);
  if (core.settings.serverTiming) {
    const { arrivedAt, placedAt, respondedAt, instanceStart } = exchange;
    out = withServerTiming(out, {
      arrivedAt: performance.timeOrigin + arrivedAt,
      waitMs: placedAt - arrivedAt,
      appMs: respondedAt - placedAt,
      start: instanceStart,
    });
  }
  return out;
}

/** The fields with a cookie that brings the client back to its instance, where it needs a new one. */
export function withAffinity(exchange: Exchange, fields: Uint8Array, core: Core): Uint8Array {
  const cookie = core.setCookie(exchange);
  if (cookie === "") return fields;
  const pair = joinPairs([["set-cookie", cookie]]);
  return fields.length === 0 ? pair : Buffer.concat([fields, NUL, pair]);
}

const NUL = new Uint8Array(1);

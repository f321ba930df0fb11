/** The answers that Headrace gives itself: a short JSON body, its code also in a header, for programs that only look there. */

import { joinPairs } from "../protocol/fields.ts";
import { GATEWAY_ERRORS, type GatewayErrorCode } from "./errors.ts";

/** Fields and body of a refusal. `retryAfterS`: 0 leaves the header out. */
export function problem(
  code: GatewayErrorCode,
  requestId: string,
  retryAfterS: number,
): { fields: Uint8Array; body: Uint8Array } {
  const { status, text } = GATEWAY_ERRORS[code];
  const error = { code, status, message: text, request_id: requestId };
  const body = Buffer.from(`${JSON.stringify({ error })}\n`);
  const pairs: [string, string][] = [
    ["content-type", "application/json"],
    ["content-length", String(body.length)],
    ["headrace-reason", code],
    ["cache-control", "no-store"],
    ["x-request-id", requestId],
  ];
  if (retryAfterS > 0) pairs.push(["retry-after", String(retryAfterS)]);
  return { fields: joinPairs(pairs), body };
}

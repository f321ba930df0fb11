/** How long a client says that it will wait. Pure. */

import { parseDuration } from "../base/units.ts";
import { findValue } from "../protocol/fields.ts";

const GRPC_UNITS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

const LONGEST_MS = 24 * 3_600_000;

/**
 * Milliseconds, 0 for none: `x-request-timeout` (a duration, a bare number is seconds), `grpc-timeout` (`100m`), or
 * `x-envoy-expected-rq-timeout-ms`. The shortest that can be read holds; what cannot be read counts for nothing.
 */
export function clientTimeoutMs(fields: Uint8Array): number {
  const own = findValue(fields, "x-request-timeout");
  const grpc = /^(\d{1,8})([HMSmun])$/.exec(findValue(fields, "grpc-timeout") ?? "");
  const envoy = findValue(fields, "x-envoy-expected-rq-timeout-ms") ?? "";
  const said = [
    own === undefined ? null : parseDuration(own),
    grpc === null ? null : Number(grpc[1]) * GRPC_UNITS[grpc[2]!]!,
    /^\d{1,9}$/.test(envoy) ? Number(envoy) : null,
  ].filter((ms) => ms !== null && ms > 0 && ms <= LONGEST_MS);
  return said.length === 0 ? 0 : Math.max(1, Math.min(...(said as number[])));
}

/** Down to two digits: so that deadlines of the same length, of which there are few, share a timer. */
export function coarse(ms: number): number {
  const step = 10 ** Math.max(0, Math.floor(Math.log10(ms)) - 1);
  return Math.max(1, Math.floor(ms / step) * step);
}

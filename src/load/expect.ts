/** When an answer counts as good. Pure. */

import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from "node:zlib";
import type { Failure } from "./messages.ts";
import type { ExpectPlan } from "./plan.ts";

/** A plan's expectations, ready to be held against many answers. */
export interface Matcher {
  readonly statuses: ReadonlySet<number>;
  readonly length: number | null;
  readonly text: Buffer | null;
  readonly pattern: RegExp | null;
  /** The body has to be kept until it is whole. */
  readonly needsBody: boolean;
}

/** Throws SyntaxError when the pattern is no regular expression. */
export function matcher(plan: ExpectPlan): Matcher {
  return {
    statuses: new Set(plan.statuses),
    length: plan.length,
    text: plan.text === null ? null : Buffer.from(plan.text),
    pattern: plan.pattern === null ? null : new RegExp(plan.pattern),
    needsBody: plan.text !== null || plan.pattern !== null,
  };
}

/** What was received. */
export interface Answer {
  readonly status: number;
  readonly bodyBytes: number;
  /** Null where it was not kept. */
  readonly body: readonly Buffer[] | null;
  /** Content-Encoding of the body, in lower case; empty for none. */
  readonly coding: string;
}

const DECODERS: Readonly<Record<string, (body: Buffer) => Uint8Array>> = {
  gzip: gunzipSync,
  "x-gzip": gunzipSync,
  deflate: inflateSync,
  br: brotliDecompressSync,
  zstd: zstdDecompressSync,
};

/** As a person sees it; null when it is not coded as it says. */
function plainBody({ body, coding }: Answer): Buffer | null {
  const whole = Buffer.concat(body ?? []);
  const decode = DECODERS[coding];
  if (decode === undefined || whole.length === 0) return whole;
  try {
    return Buffer.from(decode(whole));
  } catch {
    return null;
  }
}

/** Why an answer that came whole is not good; null when it is. */
export function failureOfAnswer(answer: Answer, expected: Matcher): Failure | null {
  const good = expected.statuses.size === 0 ? answer.status < 400 : expected.statuses.has(answer.status);
  if (!good) return "status";
  if (expected.length !== null && answer.bodyBytes !== expected.length) return "length";
  if (!expected.needsBody) return null;
  const body = plainBody(answer);
  if (body === null) return "body";
  if (expected.text !== null && !body.includes(expected.text)) return "body";
  if (expected.pattern !== null && !expected.pattern.test(body.toString())) return "body";
  return null;
}

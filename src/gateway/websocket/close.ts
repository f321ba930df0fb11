import { isUtf8 } from "node:buffer";
import { CloseCode } from "./frame.ts";

/** What a close frame says. `bad`: the frame itself breaks the rules, and `code` is what to answer. */
export interface ClosePayload {
  readonly code: number;
  readonly reason: string;
  readonly bad: boolean;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();
const REASON_LIMIT = 123;

/** Whether a close frame may carry this code (RFC 6455 §7.4 and the IANA registry). */
export function isSendableCode(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return (
    code >= 1000 &&
    code <= 1014 &&
    code !== 1004 &&
    code !== CloseCode.NO_STATUS &&
    code !== CloseCode.ABNORMAL
  );
}

/** Reads the payload of a close frame. */
export function parseClose(payload: Uint8Array): ClosePayload {
  if (payload.length === 0) return { code: CloseCode.NO_STATUS, reason: "", bad: false };
  if (payload.length === 1) return bad(CloseCode.PROTOCOL_ERROR, "close frame of one byte");
  const code = payload[0]! * 256 + payload[1]!;
  if (!isSendableCode(code)) return bad(CloseCode.PROTOCOL_ERROR, "invalid close code");
  const reason = payload.subarray(2);
  if (!isUtf8(reason)) return bad(CloseCode.INVALID_DATA, "close reason is not UTF-8");
  return { code, reason: decoder.decode(reason), bad: false };
}

function bad(code: number, reason: string): ClosePayload {
  return { code, reason, bad: true };
}

/**
 * Writes the payload of a close frame. 1005 writes an empty one; another code that must not be sent becomes 1011,
 * since it was our side that chose it. A reason over 123 bytes is cut between characters.
 */
export function closePayload(code: number, reason: string): Uint8Array {
  if (code === CloseCode.NO_STATUS) return new Uint8Array(0);
  const sent = isSendableCode(code) ? code : CloseCode.INTERNAL_ERROR;
  const out = new Uint8Array(2 + REASON_LIMIT);
  out[0] = sent >>> 8;
  out[1] = sent & 0xff;
  const { written } = encoder.encodeInto(reason, out.subarray(2));
  return out.subarray(0, 2 + written);
}

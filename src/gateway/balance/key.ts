/** A request's key: what a header, a cookie or a query parameter says. Pure. */

import { findValue, latin1, splitPairs } from "../../protocol/fields.ts";
import type { KeySource } from "./affinity.ts";

/** Empty: the request has none. */
export function requestKey(target: Uint8Array, fields: Uint8Array, { by, name }: KeySource): string {
  if (by === "header") return findValue(fields, name) ?? "";
  return by === "cookie" ? cookieValue(fields, name) : queryValue(target, name);
}

/** The first cookie of this name (RFC 6265 §5.4). HTTP/2 may send each cookie in a field of its own. */
export function cookieValue(fields: Uint8Array, name: string): string {
  if (findValue(fields, "cookie") === undefined) return "";
  for (const [field, value] of splitPairs(fields)) {
    if (field !== "cookie") continue;
    for (const pair of value.split(";")) {
      const equals = pair.indexOf("=");
      if (equals !== -1 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
    }
  }
  return "";
}

function queryValue(target: Uint8Array, name: string): string {
  const question = target.indexOf(0x3f);
  if (question === -1) return "";
  for (const pair of latin1(target, question + 1).split("&")) {
    const equals = pair.indexOf("=");
    if (equals !== -1 && decoded(pair.slice(0, equals)) === name) return decoded(pair.slice(equals + 1));
  }
  return "";
}

/** One key however it is encoded. */
function decoded(text: string): string {
  const spaced = text.replaceAll("+", " ");
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}

/** The path of a request target. Pure. */

import { latin1 } from "../protocol/fields.ts";
import { authorityEnd, authorityStart } from "./http1/target.ts";

const SLASH = 0x2f;
const QUESTION = 0x3f;

/** Where the path lies in a target; empty in one that has none, such as `*`. An absolute target brings its host before it. */
export function pathPlace(target: Uint8Array): { readonly start: number; readonly end: number } {
  const authority = target[0] === SLASH ? 0 : authorityStart(target, 0, target.length);
  const start = authority === 0 ? 0 : authorityEnd(target, authority, target.length);
  const query = target.indexOf(QUESTION, start);
  return { start, end: query === -1 ? target.length : query };
}

/**
 * The path as the app sees it: percent-decoded, a slash that was written as `%2F` included. What holds for a path must hold for every
 * way to write it.
 */
export function appPath(target: Uint8Array): string {
  const { start, end } = pathPlace(target);
  if (target[start] !== SLASH) return "/";
  return decodedPath(latin1(target, start, end));
}

/** A path of the settings, for the comparison with {@link appPath}. What is no escape stays, as the worker has it. */
export function decodedPath(path: string): string {
  if (!path.includes("%")) return path;
  const bytes = path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1").toString("utf8");
}

/** The token that addresses beyond loopback want. */

import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { Exit, HeadraceError, messageOf, systemCode } from "../base/errors.ts";
import { adminErrors } from "./errors.ts";

/** A token is chosen once and never typed: there is no reason for one that can be guessed. */
const LEAST = 16;

/**
 * The token that was given; empty for none.
 * @param file stronger than the environment; empty for none
 * @throws HeadraceError admin_token_unusable
 */
export function readToken(file: string, env: { readonly [name: string]: string | undefined }): string {
  const variable = "HEADRACE_ADMIN_TOKEN";
  const source = file === "" ? `$${variable}` : file;
  const token = file === "" ? env[variable] : contentOf(file);
  if (token === undefined) return "";
  const text = token.trim();
  if (text.length < LEAST)
    throw unusable(`The admin token in ${source} has ${text.length} characters, ${LEAST} are the least.`);
  if (!/^[\x21-\x7e]+$/.test(text))
    throw unusable(`The admin token in ${source} holds spaces or characters that are not ASCII.`);
  return text;
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const why = systemCode(error) || messageOf(error);
    throw unusable(`The admin token file ${file} cannot be read (${why}).`, error);
  }
}

function unusable(message: string, cause?: unknown): HeadraceError {
  const { hint } = adminErrors.admin_token_unusable;
  return new HeadraceError("admin_token_unusable", message, { exit: Exit.USAGE, hint, cause });
}

/** Whether an Authorization header brings the token. Takes as long whatever is wrong with it. */
export function bringsToken(authorization: string, token: string): boolean {
  const given = /^bearer +(.*)$/i.exec(authorization)?.[1] ?? "";
  // Digests are of one length, which the comparison needs, and tell nothing of that of the token.
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given.trim()), digest(token));
}

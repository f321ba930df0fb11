/** Where an application keeps what it has to know after it was killed: revisions, their code, the traffic. */

import { homedir } from "node:os";
import type { Environment } from "./parse.ts";

/**
 * The folder of an application: $XDG_STATE_HOME/headrace/NAME-HASH, else ~/.local/state/headrace/NAME-HASH. The hash is of the file's
 * path: two applications of one name are two.
 * @param file absolute path of the application's file
 */
export function stateDirPath(
  env: Environment,
  application: { readonly name: string; readonly file: string },
): string {
  const hash = new Bun.CryptoHasher("sha256").update(application.file).digest("hex").slice(0, 8);
  return `${statesPath(env)}/${application.name}-${hash}`;
}

/** The folder of all of them. */
export function statesPath(env: Environment): string {
  const given = env["XDG_STATE_HOME"];
  const base = given?.startsWith("/")
    ? given.replace(/\/+$/, "")
    : `${env["HOME"] || homedir()}/.local/state`;
  return `${base}/headrace`;
}

/** The name of the application whose state is in a folder: `shop` of `shop-1a2b3c4d`. Null: it is no such folder. */
export function stateName(folder: string): string | null {
  return /^(.+)-[0-9a-f]{8}$/.exec(folder)?.[1] ?? null;
}

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
  const given = env["XDG_STATE_HOME"];
  const base = given?.startsWith("/")
    ? given.replace(/\/+$/, "")
    : `${env["HOME"] || homedir()}/.local/state`;
  const hash = new Bun.CryptoHasher("sha256").update(application.file).digest("hex").slice(0, 8);
  return `${base}/headrace/${application.name}-${hash}`;
}

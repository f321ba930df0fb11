/** Values of secrets, read when an instance's environment is made. They go into that and nowhere else. */

import { readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { Exit, HeadraceError, systemCode } from "../base/errors.ts";
import type { SecretReference } from "../config/file/variables.ts";

/**
 * The values by the names of the variables that they are for.
 * @param folder paths of files begin there
 * @throws HeadraceError secret_missing; the message names the reference and not what is near it
 */
export function readSecrets(
  secrets: Readonly<Record<string, SecretReference>>,
  folder: string,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, { store, key }] of Object.entries(secrets)) {
    values[name] = store === "env" ? fromEnvironment(name, key, env) : fromFile(name, key, folder);
  }
  return values;
}

function fromEnvironment(
  name: string,
  key: string,
  env: Readonly<Record<string, string | undefined>>,
): string {
  const value = env[key];
  if (value === undefined) throw missing(name, `secret:env/${key}`, "that variable is not set");
  return value;
}

function fromFile(name: string, key: string, folder: string): string {
  try {
    // The newline at the end belongs to the file, as everybody's editor sees it.
    return readFileSync(isAbsolute(key) ? key : join(folder, key), "utf8").replace(/\r?\n$/, "");
  } catch (error) {
    throw missing(name, `secret:file/${key}`, `the file cannot be read (${systemCode(error) || "unknown"})`);
  }
}

function missing(name: string, reference: string, why: string): HeadraceError {
  return new HeadraceError("secret_missing", `${name} is ${reference}, and ${why}.`, { exit: Exit.USAGE });
}

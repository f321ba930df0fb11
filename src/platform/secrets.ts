/** Values of secrets, read when an instance's environment is made. They go into that and nowhere else. */

import { readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { Exit, HeadraceError, systemCode } from "../base/errors.ts";
import type { SecretReference } from "../config/file/variables.ts";

type Variables = Readonly<Record<string, string | undefined>>;
type References = Readonly<Record<string, SecretReference>>;
type ReadSecret =
  | { readonly ok: true; readonly value: string }
  | { readonly ok: false; readonly message: string; readonly instead: string };

/**
 * The values by the names of the variables that they are for.
 * @param folder paths of files begin there
 * @throws HeadraceError secret_missing; the message names the reference and not what is near it
 */
export function readSecrets(secrets: References, folder: string, env: Variables): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, reference] of Object.entries(secrets)) {
    const read = readSecret(name, reference, folder, env);
    if (!read.ok) throw new HeadraceError("secret_missing", read.message, { exit: Exit.USAGE });
    values[name] = read.value;
  }
  return values;
}

/** Those that could not be read now. */
export function* missingSecrets(
  secrets: References,
  folder: string,
  env: Variables,
): Generator<{ readonly variable: string; readonly message: string; readonly instead: string }> {
  for (const [variable, reference] of Object.entries(secrets)) {
    const read = readSecret(variable, reference, folder, env);
    if (!read.ok) yield { variable, message: read.message, instead: read.instead };
  }
}

function readSecret(
  name: string,
  { store, key }: SecretReference,
  folder: string,
  env: Variables,
): ReadSecret {
  const missing = (why: string, instead: string) => {
    return { ok: false, message: `${name} is secret:${store}/${key}, and ${why}.`, instead } as const;
  };
  if (store === "env") {
    const value = env[key];
    if (value === undefined)
      return missing("that variable is not set", `Set ${key} in the environment of Headrace.`);
    return { ok: true, value };
  }
  try {
    const text = readFileSync(isAbsolute(key) ? key : join(folder, key), "utf8");
    // The newline at the end belongs to the file, as everybody's editor sees it.
    return { ok: true, value: text.replace(/\r?\n$/, "") };
  } catch (error) {
    const why = `the file cannot be read (${systemCode(error) || "unknown"})`;
    return missing(
      why,
      "Name a file that this user can read; relative paths begin at the folder of headrace.yaml.",
    );
  }
}

/** Values of secrets, read when an instance's environment is made. They go into that and nowhere else: what shows them is masked. */

import { readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { Exit, HeadraceError, systemCode } from "../base/errors.ts";
import { maskable, masked } from "../base/mask.ts";
import type { SecretReference } from "../config/file/variables.ts";
import type { OutputLine } from "../instances/index.ts";
import type { LogSink } from "../model/log.ts";

/** The system takes 128 KiB for a variable, its name included. */
const MOST_BYTES = 100 * 1024;

/**
 * The values by the names of the variables that they are for.
 * @param folder paths of files begin there
 * @throws HeadraceError secret_missing, secret_unusable; the message names the reference and not what is near it
 */
export function readSecrets(
  secrets: Readonly<Record<string, SecretReference>>,
  folder: string,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, { store, key }] of Object.entries(secrets)) {
    const value = store === "env" ? fromEnvironment(name, key, env) : fromFile(name, key, folder);
    const why = unusable(value);
    if (why !== null) {
      const message = `${name} is secret:${store}/${key}, and ${why}.`;
      throw new HeadraceError("secret_unusable", message, { exit: Exit.USAGE });
    }
    values[name] = value;
  }
  return values;
}

/** Why a value cannot be a variable, or null. */
function unusable(value: string): string | null {
  if (value.includes("\0")) return "it holds a NUL byte, which no variable can";
  const size = Buffer.byteLength(value);
  return size > MOST_BYTES ? `it has ${size} bytes, ${MOST_BYTES} are the most` : null;
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

/** Masks the values of secrets in all that an application tells. Without secrets it costs nothing. */
export class SecretMask {
  readonly #known = new Set<string>();
  /** Null: there is nothing to mask. */
  #values: readonly string[] | null = null;

  /** From now on these are masked, for good: what runs with an old value may still write it. */
  learn(values: Iterable<string>): void {
    const before = this.#known.size;
    for (const value of values) this.#known.add(value);
    if (this.#known.size === before) return;
    const found = maskable(this.#known);
    this.#values = found.length === 0 ? null : found;
  }

  log(sink: LogSink): LogSink {
    return (record) => {
      const values = this.#values;
      if (values === null) return sink(record);
      const fields = Object.entries(record.fields).map(([name, value]) => {
        return [name, typeof value === "string" ? masked(value, values) : value] as const;
      });
      const message = masked(record.message, values);
      sink({ ...record, message, fields: Object.fromEntries(fields) });
    };
  }

  output(sink: (line: OutputLine) => void): (line: OutputLine) => void {
    return (line) => {
      const values = this.#values;
      sink(values === null ? line : { ...line, line: masked(line.line, values) });
    };
  }

  /** @throws what the action throws, with a message and a detail that can be shown */
  async errors<T>(action: Promise<T>): Promise<T> {
    try {
      return await action;
    } catch (error) {
      const values = this.#values;
      if (values === null || !(error instanceof HeadraceError)) throw error;
      const { code, exit, message, hint, detail } = error;
      const more = { exit, hint: masked(hint, values), detail: masked(detail, values) };
      // Its cause stays behind: it would hold what is masked here.
      throw new HeadraceError(code, masked(message, values), more);
    }
  }
}

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

type Variables = Readonly<Record<string, string | undefined>>;
type References = Readonly<Record<string, SecretReference>>;
type ReadSecret =
  | { readonly ok: true; readonly value: string }
  | {
      readonly ok: false;
      readonly code: "secret_missing" | "secret_unusable";
      readonly message: string;
      readonly instead: string;
    };

/**
 * The values by the names of the variables that they are for.
 * @param folder paths of files begin there
 * @throws HeadraceError secret_missing, secret_unusable; the message names the reference and not what is near it
 */
export function readSecrets(secrets: References, folder: string, env: Variables): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, reference] of Object.entries(secrets)) {
    const read = readSecret(name, reference, folder, env);
    if (!read.ok) throw new HeadraceError(read.code, read.message, { exit: Exit.USAGE });
    values[name] = read.value;
  }
  return values;
}

/** Those that could not be had now. */
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

function readSecret(name: string, reference: SecretReference, folder: string, env: Variables): ReadSecret {
  const read = lookUp(reference, folder, env);
  if ("value" in read && unusable(read.value) === null) return { ok: true, value: read.value };
  const { code, why, instead } =
    "value" in read
      ? { code: "secret_unusable" as const, why: unusable(read.value), instead: "Write another value." }
      : { code: "secret_missing" as const, ...read };
  return {
    ok: false,
    code,
    message: `${name} is secret:${reference.store}/${reference.key}, and ${why}.`,
    instead,
  };
}

type Found = { readonly value: string } | { readonly why: string; readonly instead: string };

function lookUp({ store, key }: SecretReference, folder: string, env: Variables): Found {
  if (store === "env") {
    const value = env[key];
    if (value !== undefined) return { value };
    return { why: "that variable is not set", instead: `Set ${key} in the environment of Headrace.` };
  }
  try {
    const text = readFileSync(isAbsolute(key) ? key : join(folder, key), "utf8");
    // The newline at the end belongs to the file, as everybody's editor sees it.
    return { value: text.replace(/\r?\n$/, "") };
  } catch (error) {
    return {
      why: `the file cannot be read (${systemCode(error) || "unknown"})`,
      instead: "Name a file that this user can read; relative paths begin at the folder of headrace.yaml.",
    };
  }
}

/** Why a value cannot be a variable, or null. */
function unusable(value: string): string | null {
  if (value.includes("\0")) return "it holds a NUL byte, which no variable can";
  const size = Buffer.byteLength(value);
  return size > MOST_BYTES ? `it has ${size} bytes, ${MOST_BYTES} are the most` : null;
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

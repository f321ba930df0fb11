/** `${VAR}` in the values of a file, and references to secrets. Pure. */

import type { Environment } from "../parse.ts";

export type Substituted =
  | { readonly ok: true; readonly text: string; readonly references: readonly Reference[] }
  | { readonly ok: false; readonly message: string; readonly instead: string };

/** Where a variable was put in. */
export interface Reference {
  /** `${NAME}`, or a text with that in it. */
  readonly written: string;
  readonly value: string;
}

const REFERENCE = /\$(?:\$|\{([^}]*)\}|\{)/g;

/**
 * Puts the environment in: `${VAR}` must be set, `${VAR:-default}` need not be (nor when it is empty), `$$` is a dollar sign.
 * What is put in is not looked at again.
 */
export function substitute(text: string, env: Environment): Substituted {
  if (!text.includes("$")) return { ok: true, text, references: [] };
  const references: Reference[] = [];
  let fault: { message: string; instead: string } | null = null;
  const result = text.replace(REFERENCE, (whole, inner: string | undefined) => {
    if (whole === "$$") return "$";
    const match = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(inner ?? "");
    if (match === null) {
      fault ??= {
        message: `${whole} is no reference to a variable.`,
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what the user should write
        instead: "Write ${NAME}, ${NAME:-default}, or $$ for a dollar sign.",
      };
      return "";
    }
    const [, name, fallback] = match;
    const value = env[name!];
    if (value !== undefined && value !== "") references.push({ written: `\${${name}}`, value });
    if (fallback !== undefined) return value === undefined || value === "" ? fallback : value;
    if (value === undefined) {
      fault ??= {
        message: `The variable ${name} is not set.`,
        instead: `Set it, or write a default: \${${name}:-value}.`,
      };
    }
    return value ?? "";
  });
  return fault === null
    ? { ok: true, text: result, references }
    : { ok: false, ...(fault as { message: string; instead: string }) };
}

/** Shorter values stand in any sentence by chance. */
const TELLING = 4;

/** A sentence about values as they are written: what a variable holds may be nobody's business. */
export function asWritten(sentence: string, references: readonly Reference[]): string {
  let text = sentence;
  for (const { written, value } of [...references].sort((a, b) => b.value.length - a.value.length)) {
    // Hosts are told in lower case, and paths without their dots.
    for (const shown of new Set([value, value.toLowerCase(), plainPath(value)])) {
      if (shown.length >= TELLING) text = text.replaceAll(shown, () => written);
      else if (shown !== "") text = text.replace(alone(shown), () => written);
    }
  }
  return text;
}

function plainPath(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  return parts.includes("..") ? path : parts.join("/");
}

/** Nowhere within a word or a number. */
function alone(value: string): RegExp {
  const literal = value.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`(?<![\\w.])${literal}(?!\\w)`, "g");
}

/** Whether a text reads like a reference to a secret, in whatever place. */
export function isReference(text: string): boolean {
  return /^secret:(env|file)\//.test(text);
}

/** Where a secret is kept. Its value is read when it is needed, and is in no config, log, error or report. */
export interface SecretReference {
  readonly store: "env" | "file";
  /** The name of the variable, or the path of the file. */
  readonly key: string;
}

export type ReadReference =
  | { readonly kind: "plain" }
  | { readonly kind: "secret"; readonly reference: SecretReference }
  | { readonly kind: "wrong"; readonly message: string; readonly instead: string };

/** `secret:env/NAME`, `secret:file/PATH`; whatever does not begin with `secret:` is plain. */
export function readReference(text: string): ReadReference {
  if (!text.startsWith("secret:")) return { kind: "plain" };
  const instead = "Write secret:env/NAME or secret:file/PATH.";
  const slash = text.indexOf("/");
  const store = text.slice("secret:".length, slash === -1 ? undefined : slash);
  const key = slash === -1 ? "" : text.slice(slash + 1);
  if (store !== "env" && store !== "file") {
    return { kind: "wrong", message: `There is no store of secrets ${JSON.stringify(store)}.`, instead };
  }
  if (key === "" || (store === "env" && !/^[A-Za-z_][A-Za-z0-9_]*$/.test(key))) {
    return { kind: "wrong", message: "It does not name a secret.", instead };
  }
  return { kind: "secret", reference: { store, key } };
}

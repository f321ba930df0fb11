/** What a key of headrace.yaml may hold. keys.ts is made of these; the check, the JSON Schema and docs/config.md read them. */

import type { Option } from "../option.ts";
import { type RunOptionName, runOptions } from "../options.ts";

// biome-ignore lint/suspicious/noExplicitAny: keys hold options of any value type
export type AnyOption = Option<any>;

export type Shape = ValueShape | MapShape | TableShape | ListShape;

/** A scalar, or a list of them where the option is one. */
export interface ValueShape {
  readonly kind: "value";
  readonly option: AnyOption;
  /** The option of `headrace run` that it sets; null for what only the file has. */
  readonly run: RunOptionName | null;
  /** It may be a reference to a secret. */
  readonly secrets: boolean;
}

/** Known keys. */
export interface MapShape {
  readonly kind: "map";
  readonly keys: Readonly<Record<string, Key>>;
  /** Keys of which one is written, and only one; build.ts says so in words of its own. */
  readonly oneOf?: readonly string[];
}

export interface Key {
  readonly shape: Shape;
  /** One or two sentences. */
  readonly doc: string;
  readonly required?: boolean;
}

/** Names that the user chooses, each with the same shape. */
export interface TableShape {
  readonly kind: "table";
  /** What a name stands for, in the docs: `NAME`. */
  readonly placeholder: string;
  /** Says what is wrong with a name, or null. */
  readonly name: (name: string) => string | null;
  /** What a name is like as a whole, for the JSON Schema. */
  readonly like: string;
  /** Whether there must be one. */
  readonly required: boolean;
  readonly each: Shape;
}

/** Several of a shape; with `single` one may stand for a list of one. */
export interface ListShape {
  readonly kind: "list";
  readonly item: Shape;
  readonly single: boolean;
}

/** A key that sets an option of `headrace run`: its type, default and sentence are the option's. */
export function sets(run: RunOptionName, doc?: string): Key {
  const option: AnyOption = runOptions[run];
  return { shape: { kind: "value", option, run, secrets: false }, doc: doc ?? option.doc };
}

/** A key that only the file has. */
export function value(option: AnyOption, more: { readonly required?: boolean } = {}): Key {
  return { shape: { kind: "value", option, run: null, secrets: false }, doc: option.doc, ...more };
}

/** A group of keys. */
export function group(doc: string, keys: MapShape["keys"], oneOf: readonly string[] = []): Key {
  return { shape: { kind: "map", keys, oneOf }, doc };
}

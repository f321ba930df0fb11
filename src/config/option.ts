/**
 * What an option is. Each is declared once, in options.ts, by one of the makers below; its flag, its environment variables, its
 * default, its check, its line in the help and its row in docs/cli.md all come from that declaration.
 */

import {
  exactDuration,
  parseCores,
  parseDuration,
  parseSize,
  writeDuration,
  writeSize,
} from "../base/units.ts";

/** What reading one text gave: a value, or what would have been right ("a duration such as 30s"). */
export type Reading<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly wanted: string };

/** How an option is written on the command line. `toggle`: --x and --no-x; `value`: --x VALUE; `list`: --x VALUE, again and again. */
export type OptionKind = "toggle" | "value" | "list";

export interface Option<T> {
  /** Long flag, without the dashes. */
  readonly flag: string;
  /** Short flag, one letter; empty for none. */
  readonly short: string;
  /** Environment variables that are read after HEADRACE_<FLAG>, first wins. */
  readonly env: readonly string[];
  readonly kind: OptionKind;
  /** Stands for the value in the help: `PATH`, `on|off`. */
  readonly placeholder: string;
  readonly fallback: T;
  /** The default as a user would write it; empty for none. */
  readonly fallbackText: string;
  readonly group: string;
  /** One or two sentences. */
  readonly doc: string;
  /** Reads one occurrence. */
  readonly read: (text: string) => Reading<T>;
  /** Lists: puts one occurrence after those before it. */
  readonly join: (before: T, next: T) => T;
  /** Lists: whether one text may hold several entries with commas between. */
  readonly commas: boolean;
  /** The value in a file, as JSON Schema: of one entry, where it is a list. */
  readonly schema: JsonSchema;
}

/** A fragment of JSON Schema, draft 2020-12. */
export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

/** A number in patterns of JSON Schema: `1`, `1.5`, `.5`, `1.`. */
const NUMBER = "([0-9]+([.][0-9]*)?|[.][0-9]+)";

function anyOf(...schemas: readonly JsonSchema[]): JsonSchema {
  return { anyOf: schemas };
}

/** A text that is like that as a whole. */
function pattern(whole: string): JsonSchema {
  return { type: "string", pattern: `^(${whole})$` };
}

/** A word in upper or lower case. */
export function anyCase(word: string): string {
  return word.replace(/[a-z]/gi, (letter) => `[${letter.toLowerCase()}${letter.toUpperCase()}]`);
}

/**
 * Bare numbers.
 * @param range.least what is not rounded to 0
 * @param range.zero whether 0 is taken though the least is more
 */
function numbers(range: { min: number; least: number; zero: boolean; max?: number }): JsonSchema[] {
  const max = range.max === undefined ? {} : { maximum: range.max };
  const some = { type: "number", minimum: Math.max(range.min, range.least), ...max };
  return range.min === 0 || range.zero ? [some, { const: 0 }] : [some];
}

/** What every maker takes. */
export interface Basics {
  readonly flag: string;
  readonly short?: string;
  readonly env?: readonly string[];
  readonly group: string;
  readonly doc: string;
}

/** The value type of an option. */
export type ValueOf<O> = O extends Option<infer T> ? T : never;

/** The environment variable of the product for a flag: `--line-depth` is `HEADRACE_LINE_DEPTH`. */
export function ownVariable(flag: string): string {
  return `HEADRACE_${flag.toUpperCase().replaceAll("-", "_")}`;
}

function make<T>(
  basics: Basics,
  own: Pick<Option<T>, "placeholder" | "fallback" | "fallbackText" | "read" | "schema"> & Partial<Option<T>>,
): Option<T> {
  return {
    flag: basics.flag,
    short: basics.short ?? "",
    env: basics.env ?? [],
    group: basics.group,
    doc: basics.doc,
    kind: "value",
    join: (_before, next) => next,
    commas: false,
    ...own,
  };
}

/**
 * Any text; empty is not accepted, and stands for "not given" as the default.
 * @param basics.like what it is like as a whole, for the JSON Schema
 */
export function text(
  basics: Basics & { placeholder: string; fallback?: string; like?: string },
): Option<string> {
  const fallback = basics.fallback ?? "";
  return make<string>(basics, {
    placeholder: basics.placeholder,
    fallback,
    fallbackText: fallback,
    schema: basics.like === undefined ? { type: ["string", "number"], minLength: 1 } : pattern(basics.like),
    read: (value) => (value === "" ? { ok: false, wanted: "a text that is not empty" } : { ok: true, value }),
  });
}

const ON: readonly string[] = ["1", "true", "on", "yes"];
const OFF: readonly string[] = ["0", "false", "off", "no"];

/** On or off. */
export function toggle(basics: Basics & { fallback: boolean }): Option<boolean> {
  return make<boolean>(basics, {
    kind: "toggle",
    placeholder: "",
    fallback: basics.fallback,
    fallbackText: basics.fallback ? "on" : "off",
    schema: anyOf({ type: "boolean" }, { enum: [0, 1] }, pattern([...ON, ...OFF].map(anyCase).join("|"))),
    read(value) {
      const word = value.toLowerCase();
      if (ON.includes(word)) return { ok: true, value: true };
      if (OFF.includes(word)) return { ok: true, value: false };
      return { ok: false, wanted: "on or off" };
    },
  });
}

/** One of a few words. */
export function choice<const C extends readonly string[]>(
  basics: Basics & { choices: C; fallback: C[number] },
): Option<C[number]> {
  return make<C[number]>(basics, {
    placeholder: basics.choices.join("|"),
    fallback: basics.fallback,
    fallbackText: basics.fallback,
    schema: { enum: basics.choices.flatMap((word) => (/^\d+$/.test(word) ? [word, Number(word)] : [word])) },
    read: (value) =>
      basics.choices.includes(value) ? { ok: true, value } : { ok: false, wanted: oneOf(basics.choices) },
  });
}

interface Range {
  readonly min: number;
  readonly max: number;
}

/** A whole number in a range. */
export function integer(basics: Basics & Range & { fallback: number }): Option<number> {
  return make<number>(basics, {
    placeholder: "N",
    fallback: basics.fallback,
    fallbackText: String(basics.fallback),
    schema: integerSchema(basics),
    read: (value) => readInteger(value, basics, ""),
  });
}

/** A share in percent, 1 to 100: `70%`, `70` or `70.5%`. A fallback of 0 stands for "not given". */
export function percent(basics: Basics & { fallback: number }): Option<number> {
  return make<number>(basics, {
    placeholder: "PERCENT",
    fallback: basics.fallback,
    fallbackText: basics.fallback === 0 ? "" : `${basics.fallback}%`,
    schema: anyOf(
      { type: "number", minimum: 1, maximum: 100 },
      pattern("(100([.]0*)?|[1-9][0-9]?([.][0-9]*)?) ?%?"),
    ),
    read(value) {
      const number = /^\d{1,3}(\.\d*)? ?%?$/.test(value) ? Number.parseFloat(value) : Number.NaN;
      if (number >= 1 && number <= 100) return { ok: true, value: number };
      return { ok: false, wanted: "a share from 1% to 100%" };
    },
  });
}

/** A whole number in a range, or the word `auto`. */
export function integerOrAuto(basics: Basics & Range & { fallback?: number }): Option<number | "auto"> {
  const fallback = basics.fallback ?? "auto";
  return make<number | "auto">(basics, {
    placeholder: "N|auto",
    fallback,
    fallbackText: String(fallback),
    schema: { anyOf: [integerSchema(basics), { const: "auto" }] },
    read: (value) => (value === "auto" ? { ok: true, value } : readInteger(value, basics, ", or auto")),
  });
}

function integerSchema(range: Range): JsonSchema {
  return anyOf({ type: "integer", minimum: range.min, maximum: range.max }, pattern("[0-9]{1,15}"));
}

function readInteger(value: string, range: Range, orElse: string): Reading<number> {
  const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= range.min && number <= range.max) return { ok: true, value: number };
  return { ok: false, wanted: `a whole number from ${range.min} to ${range.max}${orElse}` };
}

/** Longest time that timers can hold: about 24 days. */
const LONGEST_MS = 2 ** 31 - 1;

/** A duration, in milliseconds. `fallback` and `min` as a user would write them. */
export function duration(basics: Basics & { fallback: string; min?: string }): Option<number> {
  const min = parseDuration(basics.min ?? "0") ?? 0;
  const fallback = parseDuration(basics.fallback) ?? 0;
  return make<number>(basics, {
    placeholder: "DURATION",
    fallback,
    fallbackText: writeDuration(fallback),
    schema: anyOf(
      ...numbers({ min: min / 1_000, least: 0.5 / 1_000, zero: false, max: LONGEST_MS / 1_000 }),
      pattern(`[+]?(${NUMBER}|(${NUMBER}(ns|us|\u00b5s|\u03bcs|ms|s|m|h|d))+)`),
    ),
    read(value) {
      const exact = exactDuration(value);
      if (exact === null)
        return { ok: false, wanted: "a duration, such as 30s, 500ms or 5m (a bare number is seconds)" };
      if (exact > LONGEST_MS) return { ok: false, wanted: "a duration of at most 24 days" };
      const ms = parseDuration(value);
      if (ms !== null && ms >= min) return { ok: true, value: ms };
      return { ok: false, wanted: `a duration of at least ${min === 0 ? "1ms, or 0" : writeDuration(min)}` };
    },
  });
}

/** A size, in bytes. `fallback` and `min` as a user would write them. */
export function size(basics: Basics & { fallback: string; min?: string; zero?: boolean }): Option<number> {
  const min = parseSize(basics.min ?? "0") ?? 0;
  const fallback = parseSize(basics.fallback) ?? 0;
  return make<number>(basics, {
    placeholder: "SIZE",
    fallback,
    fallbackText: writeSize(fallback),
    schema: anyOf(
      ...numbers({ min, least: 0.5, zero: basics.zero === true }),
      pattern(`[+]?${NUMBER}([eE][+-]?[0-9]+| ?([bB]|[KMGTPEkgtp][iI]?[bB]?|[me]([iI][bB]?|[bB]))?)`),
    ),
    read(value) {
      const bytes = parseSize(value);
      if (bytes !== null && (bytes >= min || (basics.zero === true && bytes === 0)))
        return { ok: true, value: bytes };
      if (bytes !== null) return { ok: false, wanted: `a size of at least ${writeSize(min)}` };
      const [, milli] = /^(\+?[\d.]+) ?m$/.exec(value) ?? [];
      if (milli !== undefined)
        return { ok: false, wanted: `${milli}M or ${milli}Mi: a small m is a thousandth` };
      return { ok: false, wanted: "a size, such as 64KiB, 16Mi or 1GB (a bare number is bytes)" };
    },
  });
}

const LEAST_CORES = 0.01;
const TOO_MANY_CORES = 10_000;

/** Cores, as Kubernetes writes them: `0.5`, `500m`, `2`; 0 stands for "not given". */
export function cores(basics: Basics): Option<number> {
  return make<number>(basics, {
    placeholder: "CORES",
    fallback: 0,
    fallbackText: "",
    schema: anyOf(
      { type: "number", minimum: LEAST_CORES, exclusiveMaximum: TOO_MANY_CORES },
      pattern(`[+]?${NUMBER}([eE][+-]?[0-9]+|[mun])?`),
    ),
    read(value) {
      const amount = parseCores(value);
      if (amount !== null && amount >= LEAST_CORES && amount < TOO_MANY_CORES)
        return { ok: true, value: amount };
      return { ok: false, wanted: "cores, such as 0.5, 500m or 2, at least 10m" };
    },
  });
}

/** Several texts, each checked by `read` (which answers what would have been right, or null). */
export function list(
  basics: Basics & {
    placeholder: string;
    fallback?: readonly string[];
    commas?: boolean;
    check?: (entry: string) => string | null;
    /** What an entry is like as a whole, for the JSON Schema. */
    like?: string;
  },
): Option<readonly string[]> {
  const fallback = basics.fallback ?? [];
  return make<readonly string[]>(basics, {
    kind: "list",
    placeholder: basics.placeholder,
    fallback,
    fallbackText: fallback.join(","),
    schema: listSchema(basics.like, basics.commas ?? true),
    commas: basics.commas ?? true,
    join: (before, next) => [...before, ...next],
    read(value) {
      const entries = basics.commas === false ? [value] : value.split(",").map((entry) => entry.trim());
      for (const entry of entries) {
        const wanted = entry === "" ? "a text that is not empty" : basics.check?.(entry);
        if (typeof wanted === "string") return { ok: false, wanted };
      }
      return { ok: true, value: entries };
    },
  });
}

function listSchema(like: string | undefined, commas: boolean): JsonSchema {
  if (like === undefined) return { type: ["string", "number"], minLength: 1 };
  return pattern(commas ? ` *(${like}) *(, *(${like}) *)*` : like);
}

/** `a, b or c`. */
export function oneOf(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

/**
 * Reads a command line and the environment against a table of options. Pure. All problems are found at once, and each says what
 * to write instead.
 *
 * A value comes from its flag, else from HEADRACE_<FLAG>, else from the option's other variables, else it is the default.
 * Written are `--flag value`, `--flag=value`, `-p value`, `-p8080`, `--toggle`, `--no-toggle`; `--` ends the flags. A flag given
 * twice counts as last written, a list collects.
 */

import { nearestFlag, nearestWord } from "./nearest.ts";
import { type Option, ownVariable } from "./option.ts";
import type { Problem } from "./problem.ts";

// biome-ignore lint/suspicious/noExplicitAny: a table holds options of any value type; ValuesOf gives each its own again
export type OptionTable = Readonly<Record<string, Option<any>>>;

/** The values of a table's options. */
export type ValuesOf<T extends OptionTable> = {
  readonly [K in keyof T]: T[K] extends Option<infer V> ? V : never;
};

/** Where a value came from: `--port`, `$PORT`, `services.api.concurrency`, or empty for the default. */
export type Origin = string;

/** Whether a value was written for this very start, on the command line or in the file: an environment may hold it by chance. */
export function deliberate(origin: Origin): boolean {
  return origin !== "" && !origin.startsWith("$");
}

export interface Parsed<T extends OptionTable> {
  readonly values: ValuesOf<T>;
  readonly origins: { readonly [K in keyof T]: Origin };
  /** Arguments that are no flags. */
  readonly positionals: readonly string[];
  /** `--help` or `-h` was among the flags. */
  readonly help: boolean;
  readonly problems: readonly Problem[];
  /** Things that are not wrong, but most likely not meant. */
  readonly notices: readonly Problem[];
}

/** The environment, as a value. */
export interface Environment {
  readonly [name: string]: string | undefined;
  readonly FUNCTION_SOURCE?: string | undefined;
  readonly XDG_RUNTIME_DIR?: string | undefined;
}

/** Reads `argv` (without the program and the command) and `env`. */
export function parse<T extends OptionTable>(table: T, argv: readonly string[], env: Environment): Parsed<T> {
  const reader = new Reader(table);
  reader.flags(argv);
  for (const name of Object.keys(table)) reader.environment(name, env);
  const values: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  for (const [name, option] of Object.entries(table)) {
    const found = reader.found.get(name);
    values[name] = found === undefined ? option.fallback : found.value;
    origins[name] = found?.origin ?? "";
  }
  return {
    values: values as ValuesOf<T>,
    origins: origins as { [K in keyof T]: Origin },
    positionals: reader.positionals,
    help: reader.help,
    problems: reader.problems,
    notices: unknownVariables(table, env),
  };
}

/** What the environment says of some options, as flags would have said it; those with problems have their default. */
export function readEnvironment(
  table: OptionTable,
  names: Iterable<string>,
  env: Environment,
): Pick<Reader, "found" | "problems"> {
  const reader = new Reader(table);
  for (const name of names) reader.environment(name, env);
  return reader;
}

class Reader {
  readonly found = new Map<string, { readonly value: unknown; readonly origin: Origin }>();
  readonly positionals: string[] = [];
  readonly problems: Problem[] = [];
  help = false;
  readonly #table: OptionTable;
  /** Long and short flags, with their dashes, to option names. */
  readonly #names = new Map<string, string>();

  constructor(table: OptionTable) {
    this.#table = table;
    for (const [name, option] of Object.entries(table)) {
      this.#names.set(`--${option.flag}`, name);
      if (option.short !== "") this.#names.set(`-${option.short}`, name);
      if (option.kind === "toggle") this.#names.set(`--no-${option.flag}`, name);
    }
  }

  flags(argv: readonly string[]): void {
    for (let index = 0; index < argv.length; index++) {
      const word = argv[index]!;
      if (word === "--") {
        this.positionals.push(...argv.slice(index + 1));
        return;
      }
      if (!word.startsWith("-") || word === "-") this.positionals.push(word);
      else index += this.#flag(word, argv[index + 1]);
    }
  }

  /** Reads one flag; answers how many words after it belong to it. */
  #flag(word: string, next: string | undefined): 0 | 1 {
    const { flag, attached } = this.#split(word);
    if (flag === "--help" || flag === "-h") {
      this.help = true;
      return 0;
    }
    const name = this.#names.get(flag);
    if (name === undefined) return this.#unknown(flag, attached, next);
    const option = this.#table[name]!;
    if (option.kind === "toggle") {
      this.#toggle(name, flag, attached);
      return 0;
    }
    if (attached !== null) {
      this.#take(name, flag, attached);
      return 0;
    }
    if (next === undefined || /^-[^0-9]/.test(next)) {
      const instead = `Write ${flag} ${option.placeholder}.`;
      this.problems.push({ code: "missing_value", subject: flag, message: "It needs a value.", instead });
      return 0;
    }
    this.#take(name, flag, next);
    return 1;
  }

  /** `--flag=value`, `-pvalue` and `-p=value` into the flag and the value attached to it. */
  #split(word: string): { readonly flag: string; readonly attached: string | null } {
    const equals = word.indexOf("=");
    if (word.startsWith("--")) {
      return equals === -1
        ? { flag: word, attached: null }
        : { flag: word.slice(0, equals), attached: word.slice(equals + 1) };
    }
    const short = word.slice(0, 2);
    if (word.length === 2 || !this.#names.has(short)) return { flag: word, attached: null };
    return { flag: short, attached: word[2] === "=" ? word.slice(3) : word.slice(2) };
  }

  #toggle(name: string, flag: string, attached: string | null): void {
    const negative = flag === `--no-${this.#table[name]!.flag}`;
    if (attached === null) this.found.set(name, { value: !negative, origin: flag });
    else if (!negative) this.#take(name, flag, attached);
    else {
      const instead = `Write ${flag} alone.`;
      this.problems.push({ code: "invalid_value", subject: flag, message: "It takes no value.", instead });
    }
  }

  #take(name: string, origin: Origin, text: string): void {
    const option = this.#table[name]!;
    const reading = option.read(text);
    if (!reading.ok) {
      const message = `${JSON.stringify(text)} cannot be used.`;
      this.problems.push({
        code: "invalid_value",
        subject: origin,
        message,
        instead: `Write ${reading.wanted}.`,
      });
      // Known as given, so that no weaker source is read and found wrong as well.
      if (!this.found.has(name)) this.found.set(name, { value: option.fallback, origin });
      return;
    }
    const before = this.found.get(name);
    const value = before === undefined ? reading.value : option.join(before.value, reading.value);
    this.found.set(name, { value, origin });
  }

  #unknown(flag: string, attached: string | null, next: string | undefined): 0 | 1 {
    const known = [...this.#names.keys()]
      .filter((name) => name.startsWith("--"))
      .map((name) => name.slice(2));
    const near = nearestFlag(flag.replace(/^--?/, ""), [...known, "help"]);
    const instead = near === null ? "See --help." : `Write --${near}.`;
    this.problems.push({ code: "unknown_flag", subject: flag, message: "There is no such flag.", instead });
    // The word after it is most likely its value. Taking it for the app would add a second, misleading problem.
    const isValue = attached === null && next !== undefined && !next.startsWith("-") && !looksLikeApp(next);
    return isValue ? 1 : 0;
  }

  environment(name: string, env: Environment): void {
    if (this.found.has(name)) return;
    const option = this.#table[name]!;
    for (const variable of [ownVariable(option.flag), ...option.env]) {
      const text = env[variable];
      if (text === undefined || text === "") continue;
      this.#take(name, `$${variable}`, text);
      return;
    }
  }
}

function looksLikeApp(word: string): boolean {
  return word.includes(":") || word.includes(".py");
}

/** Read, though no option has them: what must not stand on a command line, and what other commands are told by. */
const OTHERS: ReadonlySet<string> = new Set(["HEADRACE_ADMIN_TOKEN", "HEADRACE_ADMIN_URL"]);

/** HEADRACE_ variables that mean nothing but look like one that does. Others are left alone: they may be another program's. */
function unknownVariables(table: OptionTable, env: Environment): Problem[] {
  const known = Object.values(table).map((option) => ownVariable(option.flag));
  const notices: Problem[] = [];
  for (const variable of Object.keys(env)) {
    if (!variable.startsWith("HEADRACE_") || known.includes(variable) || OTHERS.has(variable)) continue;
    const near = nearestWord(
      variable.slice(9).toLowerCase(),
      known.map((name) => name.slice(9).toLowerCase()),
    );
    if (near === null) continue;
    const instead = `Did you mean $HEADRACE_${near.toUpperCase()}?`;
    notices.push({ code: "unknown_flag", subject: `$${variable}`, message: "It is not read.", instead });
  }
  return notices;
}

/** Reads a {@link Node} against a {@link Shape}: all problems at once, each with its path and place. Pure. */

import type { Environment } from "../parse.ts";
import { insteadOf } from "./hints.ts";
import type { Entry, ListNode, MapNode, Node, Place, TextNode } from "./node.ts";
import { type FileProblem, fileProblem } from "./problem.ts";
import type { AnyOption, ListShape, MapShape, Shape, TableShape, ValueShape } from "./shape.ts";
import { isReference, type Reference, substitute } from "./variables.ts";

interface At {
  readonly path: string;
  readonly place: Place;
}

interface Whole extends At {
  /** Nothing in it is wrong, so what it does not say was not said. */
  readonly whole: boolean;
}

/** What was read, with its places. Keys that were not written are not there: defaults belong to the options. */
export type Read = ReadValue | ReadMap | ReadList;

export interface ReadValue extends Whole {
  readonly kind: "value";
  readonly value: unknown;
  readonly shape: ValueShape;
}

export interface ReadMap extends Whole {
  readonly kind: "map";
  readonly keys: ReadonlyMap<string, Read>;
  /** All keys that stand there, those included that could not be read. */
  readonly written: ReadonlySet<string>;
}

export interface ReadList extends Whole {
  readonly kind: "list";
  readonly items: readonly Read[];
}

export interface Checked {
  /** Null when nothing of the right kind is there. */
  readonly read: Read | null;
  readonly problems: readonly FileProblem[];
  /** What was put in for references to variables, and the values that it made. */
  readonly references: readonly Reference[];
}

/** Checks all of a file. */
export function check(root: Node, shape: Shape, env: Environment): Checked {
  const checker = new Checker(shape, env);
  const read = checker.read(root, shape, { path: "", place: root.place });
  return { read, problems: checker.problems, references: checker.references };
}

class Checker {
  readonly problems: FileProblem[] = [];
  readonly references: Reference[] = [];
  readonly #root: Shape;
  readonly #env: Environment;

  constructor(root: Shape, env: Environment) {
    this.#root = root;
    this.#env = env;
  }

  read(node: Node, shape: Shape, at: At): Read | null {
    if (node.kind === "nothing") return this.#nothing(shape, at);
    switch (shape.kind) {
      case "map":
        return node.kind === "map" ? this.#map(node, shape, at) : this.#wanted(at, "keys and their values");
      case "table":
        return node.kind === "map"
          ? this.#table(node, shape, at)
          : this.#wanted(at, "names and what belongs to them");
      case "list":
        return this.#list(node, shape, at);
      case "value":
        return this.#value(node, shape, at);
    }
  }

  /** An empty map is what a key without a value means; an empty scalar is a slip. */
  #nothing(shape: Shape, at: At): Read | null {
    if (shape.kind === "list") return { kind: "list", ...at, items: [], whole: true };
    if (shape.kind !== "value") {
      return this.read({ kind: "map", place: at.place, entries: [] }, shape, at);
    }
    return this.#wanted(at, "a value, or leave the key out");
  }

  #map(node: MapNode, shape: MapShape, at: At): ReadMap {
    const keys = new Map<string, Read>();
    const before = this.problems.length;
    for (const entry of node.entries) {
      const key = Object.hasOwn(shape.keys, entry.key) ? shape.keys[entry.key] : undefined;
      if (key === undefined) this.#unknown(entry, shape, at);
      else this.#put(keys, entry, key.shape, at);
    }
    for (const [name, key] of Object.entries(shape.keys)) {
      if (key.required !== true || node.entries.some((entry) => entry.key === name)) continue;
      this.#problem(
        at,
        "file_invalid",
        `${at.path === "" ? "The file" : "It"} has no ${name}.`,
        `Add it. ${key.doc}`,
      );
    }
    const written = new Set(node.entries.map(({ key }) => key));
    return { kind: "map", ...at, keys, written, whole: this.problems.length === before };
  }

  #table(node: MapNode, shape: TableShape, at: At): ReadMap {
    const keys = new Map<string, Read>();
    const before = this.problems.length;
    for (const entry of node.entries) {
      const wrong = shape.name(entry.key);
      if (wrong === null) this.#put(keys, entry, shape.each, at);
      else {
        const where = { path: join(at.path, entry.key), place: entry.place };
        this.#problem(where, "invalid_value", `${JSON.stringify(entry.key)} cannot be a name here.`, wrong);
      }
    }
    const written = new Set(node.entries.map(({ key }) => key));
    return { kind: "map", ...at, keys, written, whole: this.problems.length === before };
  }

  #put(keys: Map<string, Read>, entry: Entry, shape: Shape, at: At): void {
    const where = { path: join(at.path, entry.key), place: entry.place };
    const read = this.read(entry.value, shape, where);
    if (read !== null) keys.set(entry.key, read);
  }

  #unknown(entry: Entry, shape: MapShape, at: At): void {
    if (at.path === "" && entry.key.startsWith("x-")) return;
    const where = { path: join(at.path, entry.key), place: entry.place };
    const instead = insteadOf(entry.key, at.path, shape, this.#root);
    this.#problem(where, "unknown_key", "There is no such key.", instead);
  }

  #list(node: Node, shape: ListShape, at: At): ReadList | null {
    if (node.kind !== "list" && !shape.single) return this.#wanted(at, "a list");
    const nodes = node.kind === "list" ? node.items : [node];
    const items: Read[] = [];
    const before = this.problems.length;
    for (const [index, item] of nodes.entries()) {
      const path = node.kind === "list" ? `${at.path}[${index}]` : at.path;
      const read = this.read(item, shape.item, { path, place: item.place });
      if (read !== null) items.push(read);
    }
    return { kind: "list", ...at, items, whole: this.problems.length === before };
  }

  #value(node: MapNode | ListNode | TextNode, shape: ValueShape, at: At): ReadValue | null {
    const { option } = shape;
    if (node.kind === "text") return this.#scalar(node, shape, at);
    if (node.kind === "map" || option.kind !== "list") return this.#wanted(at, wantedOf(option));
    let joined: unknown;
    const before = this.problems.length;
    for (const [index, item] of node.items.entries()) {
      const where = { path: `${at.path}[${index}]`, place: item.place };
      const read =
        item.kind === "text" ? this.#scalar(item, shape, where) : this.#wanted(where, wantedOf(option));
      if (read !== null) joined = joined === undefined ? read.value : option.join(joined, read.value);
    }
    const whole = this.problems.length === before;
    return joined === undefined ? null : { kind: "value", ...at, value: joined, shape, whole };
  }

  #scalar(node: TextNode, shape: ValueShape, at: At): ReadValue | null {
    const where = { path: at.path, place: node.place };
    const substituted = substitute(node.text, this.#env);
    if (!substituted.ok) {
      this.#problem(where, "variable_missing", substituted.message, substituted.instead);
      return null;
    }
    const { references, text } = substituted;
    if (references.length > 0) this.references.push({ written: node.text, value: text }, ...references);
    if (!shape.secrets && isReference(text)) {
      const message = "A secret stands under env only: here its name would count as the value.";
      this.#problem(
        where,
        "invalid_value",
        message,
        "Write the value itself, or the path of a file with it.",
      );
      return null;
    }
    const reading = shape.option.read(text);
    if (reading.ok) return { kind: "value", ...at, value: reading.value, shape, whole: true };
    // As it is written: what a variable holds may be nobody's business.
    this.#problem(
      where,
      "invalid_value",
      `${JSON.stringify(node.text)} cannot be used.`,
      `Write ${reading.wanted}.`,
    );
    return null;
  }

  #wanted(at: At, wanted: string): null {
    this.#problem(at, "invalid_value", "It is not what belongs here.", `Write ${wanted}.`);
    return null;
  }

  #problem(at: At, code: FileProblem["code"], message: string, instead: string): void {
    this.problems.push(fileProblem(at, code, message, instead));
  }
}

function wantedOf(option: AnyOption): string {
  return option.kind === "list" ? "a value, or a list of them" : "a single value";
}

function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}

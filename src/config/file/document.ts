/** From YAML to a {@link Node}. Anchors, aliases and merge keys are followed; the rest of YAML's cleverness is left out. Pure. */

import { type Alias, isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import type { ListNode, MapNode, Node, Place } from "./node.ts";
import type { FileProblem } from "./problem.ts";

export type ReadDocument =
  | { readonly ok: true; readonly root: Node }
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

/** Aliases of aliases can make a short file huge. */
const MOST_NODES = 100_000;

/** Reads one YAML document. */
export function readDocument(source: string): ReadDocument {
  const counter = new LineCounter();
  const document = parseDocument(source, {
    lineCounter: counter,
    prettyErrors: false,
    stringKeys: true,
    uniqueKeys: true,
    version: "1.2",
  });
  const place = (offset: number): Place => {
    const { line, col } = counter.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  if (document.errors.length > 0) {
    return { ok: false, problems: document.errors.map((error) => wrong(error.message, place(error.pos[0]))) };
  }
  const reader = new Reader(place, (alias) => alias.resolve(document));
  try {
    return { ok: true, root: reader.read(document.contents, { line: 1, column: 1 }) };
  } catch (error) {
    if (error instanceof TooMuch) return { ok: false, problems: [wrong(error.message, error.place)] };
    throw error;
  }
}

function wrong(message: string, place: Place): FileProblem {
  const sentence = message.replace(/\.?$/, ".");
  return {
    code: "file_invalid",
    subject: "",
    message: sentence,
    instead: "Write valid YAML.",
    path: "",
    place,
  };
}

class TooMuch extends Error {
  constructor(
    message: string,
    readonly place: Place,
  ) {
    super(message);
  }
}

class Reader {
  readonly #place: (offset: number) => Place;
  readonly #resolve: (alias: Alias) => unknown;
  readonly #open = new Set<unknown>();
  #nodes = 0;

  constructor(place: (offset: number) => Place, resolve: (alias: Alias) => unknown) {
    this.#place = place;
    this.#resolve = resolve;
  }

  /** @param near where the parent stands, for a value that is not there */
  read(value: unknown, near: Place): Node {
    if (++this.#nodes > MOST_NODES)
      throw new TooMuch("The file has too many parts, perhaps by its aliases", near);
    if (isAlias(value)) return this.#alias(value, near);
    if (isMap(value)) return this.#map(value.items, this.#at(value, near));
    if (isSeq(value)) return this.#list(value.items, this.#at(value, near));
    if (!isScalar(value) || value.value === null) return { kind: "nothing", place: this.#at(value, near) };
    const text = typeof value.value === "string" ? value.value : (value.source ?? String(value.value));
    return { kind: "text", place: this.#at(value, near), text };
  }

  #alias(alias: Alias, near: Place): Node {
    const place = this.#at(alias, near);
    const target = this.#resolve(alias);
    if (this.#open.has(target))
      throw new TooMuch(`The alias *${alias.source} stands inside its own anchor`, place);
    this.#open.add(target);
    const node = this.read(target, place);
    this.#open.delete(target);
    return node;
  }

  #list(items: readonly unknown[], place: Place): ListNode {
    return { kind: "list", place, items: items.map((item) => this.read(item, place)) };
  }

  #map(items: readonly { readonly key: unknown; readonly value: unknown }[], place: Place): MapNode {
    const entries = new Map<string, MapNode["entries"][number]>();
    const merged: Node[] = [];
    for (const { key, value } of items) {
      const at = this.#at(key, place);
      const name = isScalar(key) ? String(key.value) : "";
      const node = this.read(value, at);
      if (name === "<<") merged.push(node);
      else entries.set(name, { key: name, place: at, value: node });
    }
    // What the map says itself is stronger than what it merges.
    for (const node of merged.flatMap((one) => (one.kind === "list" ? one.items : [one]))) {
      if (node.kind !== "map")
        throw new TooMuch("A merge key (<<) needs a map, such as *defaults", node.place);
      for (const entry of node.entries) if (!entries.has(entry.key)) entries.set(entry.key, entry);
    }
    return { kind: "map", place, entries: [...entries.values()] };
  }

  #at(value: unknown, near: Place): Place {
    const range = (value as { range?: readonly number[] | null } | null)?.range;
    return range == null ? near : this.#place(range[0]!);
  }
}

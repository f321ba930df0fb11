/** From YAML to a {@link Node}. Anchors, aliases and merge keys are followed; the rest of YAML's cleverness is left out. Pure. */

import {
  type Alias,
  type ErrorCode,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type YAMLParseError,
} from "yaml";
import type { ListNode, MapNode, Node, Place } from "./node.ts";
import type { FileProblem } from "./problem.ts";

export type ReadDocument =
  | { readonly ok: true; readonly root: Node }
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

/** Aliases of aliases can make a short file huge. */
const MOST_NODES = 100_000;

/** Deeper than any file that people write, and far from where a stack ends. */
const MOST_LEVELS = 100;

/** Reads one YAML document. */
export function readDocument(source: string): ReadDocument {
  const counter = new LineCounter();
  const place = (offset: number): Place => {
    const { line, col } = counter.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const document = parseDocument(source, {
    lineCounter: counter,
    prettyErrors: false,
    stringKeys: true,
    uniqueKeys: true,
    version: "1.2",
  });
  // What the reader had no stack for, it says again of all that is around it.
  const tooDeep = document.errors.filter(({ code }) => code === "RESOURCE_EXHAUSTION").slice(0, 1);
  const errors = tooDeep.length > 0 ? tooDeep : document.errors;
  if (errors.length > 0) {
    return { ok: false, problems: errors.map((error) => syntaxProblem(error, place(error.pos[0]))) };
  }
  if (isNothing(document.contents)) {
    return { ok: false, problems: [wrong("The file is empty", TOP, START)] };
  }
  const reader = new Reader(place);
  try {
    const root = reader.read(document.contents, TOP);
    if (reader.problems.length > 0) return { ok: false, problems: reader.problems };
    if (root.kind === "map") return { ok: true, root };
    const what = root.kind === "list" ? "a list" : "a single value";
    return {
      ok: false,
      problems: [wrong(`The file is ${what}, not keys and their values`, root.place, START)],
    };
  } catch (error) {
    if (error instanceof TooMuch) return { ok: false, problems: [wrong(error.message, error.place)] };
    throw error;
  }
}

const TOP: Place = { line: 1, column: 1 };

const START = "Write services: and below it a name with its app; headrace init makes a first file.";

function isNothing(contents: unknown): boolean {
  return contents === null || (isScalar(contents) && contents.value === null);
}

/** What the reader of YAML says for its callers, said for those who write files. */
const SENTENCES: Partial<Record<ErrorCode, readonly [message: string, instead: string]>> = {
  MULTIPLE_DOCS: [
    "A second document begins here, and a file is one",
    "Take the --- away, or put the services under one services: key.",
  ],
  TAB_AS_INDENT: ["A tab stands where a line is indented", "Write spaces."],
  DUPLICATE_KEY: ["The key stands here twice", "Leave one of them out."],
  NON_STRING_KEY: ["A key is a list, a map or an alias", "Write a name."],
  RESOURCE_EXHAUSTION: ["The file is nested too deeply", "Write it with fewer levels."],
};

function syntaxProblem(error: YAMLParseError, place: Place): FileProblem {
  const [message, instead] = SENTENCES[error.code] ?? [error.message];
  return wrong(message, place, instead);
}

function wrong(message: string, place: Place, instead = "Write valid YAML."): FileProblem {
  const sentence = message.replace(/\.?$/, ".");
  return { code: "file_invalid", subject: "", message: sentence, instead, path: "", place };
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
  readonly problems: FileProblem[] = [];
  readonly #place: (offset: number) => Place;
  /** What each name stands for at this point of the file: an anchor may be given anew. */
  readonly #anchors = new Map<string, unknown>();
  /** What each alias stood for where it is written. */
  readonly #targets = new Map<Alias, unknown>();
  readonly #open = new Set<unknown>();
  #nodes = 0;
  #levels = 0;

  constructor(place: (offset: number) => Place) {
    this.#place = place;
  }

  /** @param near where the parent stands, for a value that is not there */
  read(value: unknown, near: Place): Node {
    if (++this.#nodes > MOST_NODES)
      throw new TooMuch("The file has too many parts, perhaps by its aliases", near);
    if (this.#levels >= MOST_LEVELS) throw new TooMuch("The file is nested too deeply", near);
    this.#levels++;
    const node = this.#read(value, near);
    this.#levels--;
    return node;
  }

  #read(value: unknown, near: Place): Node {
    if (isAlias(value)) return this.#alias(value, near);
    this.#note(value);
    if (isMap(value)) return this.#map(value.items, this.#at(value, near));
    if (isSeq(value)) return this.#list(value.items, this.#at(value, near));
    if (!isScalar(value) || value.value === null) return { kind: "nothing", place: this.#at(value, near) };
    const text = typeof value.value === "string" ? value.value : (value.source ?? String(value.value));
    return { kind: "text", place: this.#at(value, near), text };
  }

  /** Only where it is written: what an alias repeats gives its names no second time. */
  #note(value: unknown): void {
    const anchor = isNode(value) && !isAlias(value) ? value.anchor : undefined;
    if (anchor !== undefined && this.#open.size === 0) this.#anchors.set(anchor, value);
  }

  #alias(alias: Alias, near: Place): Node {
    const place = this.#at(alias, near);
    if (!this.#targets.has(alias)) {
      if (!this.#anchors.has(alias.source)) return this.#noAnchor(alias.source, place);
      this.#targets.set(alias, this.#anchors.get(alias.source));
    }
    const target = this.#targets.get(alias);
    if (this.#open.has(target))
      throw new TooMuch(`The alias *${alias.source} stands inside its own anchor`, place);
    this.#open.add(target);
    const node = this.read(target, place);
    this.#open.delete(target);
    return node;
  }

  #noAnchor(name: string, place: Place): Node {
    const instead = `Put &${name} before what it stands for, further up; or write "*${name}" for the text.`;
    this.problems.push(wrong(`There is no anchor &${name}`, place, instead));
    return { kind: "nothing", place };
  }

  #list(items: readonly unknown[], place: Place): ListNode {
    return { kind: "list", place, items: items.map((item) => this.read(item, place)) };
  }

  #map(items: readonly { readonly key: unknown; readonly value: unknown }[], place: Place): MapNode {
    const entries = new Map<string, MapNode["entries"][number]>();
    const merged: Node[] = [];
    for (const { key, value } of items) {
      const at = this.#at(key, place);
      this.#note(key);
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

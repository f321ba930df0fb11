/** A file's content as a tree in which every part knows where it stands. No word of what it means. */

/** Both from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export type Node = MapNode | ListNode | TextNode | NothingNode;

export interface MapNode {
  readonly kind: "map";
  readonly place: Place;
  readonly entries: readonly Entry[];
}

export interface Entry {
  readonly key: string;
  /** Of the key. */
  readonly place: Place;
  readonly value: Node;
}

export interface ListNode {
  readonly kind: "list";
  readonly place: Place;
  readonly items: readonly Node[];
}

/** Any scalar, as it is written: `70%`, `0x1F` and `yes` are texts, and what they mean is up to who reads them. */
export interface TextNode {
  readonly kind: "text";
  readonly place: Place;
  readonly text: string;
}

/** A key without a value, `null` or `~`. */
export interface NothingNode {
  readonly kind: "nothing";
  readonly place: Place;
}

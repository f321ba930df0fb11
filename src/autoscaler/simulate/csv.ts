/** Tables as RFC 4180 has them, and as people write them: spaces around fields, empty lines, lines that begin with #. Pure. */

export interface Field {
  readonly text: string;
  /** Both count from 1, of the field's first character. */
  readonly line: number;
  readonly column: number;
}

/** Fields of one row; a quoted one may hold commas, quotes written twice, and ends of lines. */
export type Fields = readonly Field[];

/** A quote that is not closed, or is followed by text. */
export interface BrokenQuote {
  readonly line: number;
  readonly column: number;
  readonly open: boolean;
}

export type ReadTable =
  | { readonly ok: true; readonly rows: readonly Fields[] }
  | { readonly ok: false; readonly broken: BrokenQuote };

/** Takes a text apart. */
export function readTable(text: string): ReadTable {
  const reader = new TableReader(text.replace(/^\uFEFF/, ""));
  const rows: Fields[] = [];
  while (reader.more) {
    const row = reader.row();
    if (row !== null) rows.push(row);
    if (reader.broken !== null) return { ok: false, broken: reader.broken };
  }
  return { ok: true, rows };
}

const END = /\r\n|\n|\r/y;
const SKIPPED = /[^\S\r\n]*(#[^\r\n]*)?(?=[\r\n]|$)/y;
const SPACES = /[^\S\r\n]*/y;
const PLAIN = /[^,\r\n]*/y;
const QUOTED = /"((?:[^"]|"")*)"/y;

class TableReader {
  broken: BrokenQuote | null = null;
  readonly #text: string;
  #at = 0;
  #line = 1;
  #lineAt = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get more(): boolean {
    return this.#at < this.#text.length;
  }

  /** The next row with its end; null for a line that is skipped. */
  row(): Fields | null {
    if (this.#take(SKIPPED) !== null) {
      this.#end();
      return null;
    }
    const fields = [this.#field()];
    while (this.broken === null && this.#text[this.#at] === ",") {
      this.#at += 1;
      fields.push(this.#field());
    }
    this.#end();
    return fields;
  }

  #field(): Field {
    this.#take(SPACES);
    const place = { line: this.#line, column: this.#at - this.#lineAt + 1 };
    if (this.#text[this.#at] !== '"') return { ...place, text: (this.#take(PLAIN)?.[0] ?? "").trim() };
    const quoted = this.#take(QUOTED);
    if (quoted === null) {
      this.broken = { ...place, open: true };
      return { ...place, text: "" };
    }
    this.#countLines(quoted[0]);
    this.#take(SPACES);
    if (this.more && !/[,\r\n]/.test(this.#text[this.#at]!)) {
      this.broken = { line: this.#line, column: this.#at - this.#lineAt + 1, open: false };
    }
    return { ...place, text: quoted[1]!.replaceAll('""', '"').trim() };
  }

  /** Ends of lines within quotes. */
  #countLines(taken: string): void {
    for (const { index, 0: end } of taken.matchAll(/\r\n|\n|\r/g)) {
      this.#line += 1;
      this.#lineAt = this.#at - taken.length + index + end.length;
    }
  }

  #end(): void {
    if (this.#take(END) === null) return;
    this.#line += 1;
    this.#lineAt = this.#at;
  }

  #take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found !== null) this.#at = pattern.lastIndex;
    return found;
  }
}

/** HTML from templates in which everything that is put in is escaped, unless it is markup itself. */

/** Text that is HTML already. Made by {@link markup}, {@link data} and {@link trusted}. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

/** What a template takes: text and numbers are escaped, null leaves nothing, lists stand one after the other. */
export type Piece = string | number | Markup | null | readonly Piece[];

/** A template: ``markup`<td>${name}</td>` ``. Values in attributes must stand in double quotes. */
export function markup(texts: TemplateStringsArray, ...pieces: readonly Piece[]): Markup {
  let text = texts[0]!;
  for (const [at, piece] of pieces.entries()) text += written(piece) + texts[at + 1]!;
  return new Markup(text);
}

/** Takes text for HTML as it is: for what this program itself wrote, never for what came from a target or a file. */
export function trusted(text: string): Markup {
  return new Markup(text);
}

/** Data for a script element: JSON in which nothing can end the element. */
export function data(value: unknown): Markup {
  return new Markup(JSON.stringify(value).replaceAll("<", "\\u003c"));
}

/** Text in which no character means anything to HTML, in text or in a quoted attribute. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

function written(piece: Piece): string {
  if (piece === null) return "";
  if (piece instanceof Markup) return piece.text;
  if (typeof piece === "string") return escapeHtml(piece);
  if (typeof piece === "number") return String(piece);
  return piece.map(written).join("");
}

/** Plain text tables. Pure. */

export interface Column<T> {
  readonly title: string;
  readonly cell: (row: T) => string;
  /** Numbers stand to the right. */
  readonly right?: boolean;
}

/** Rows under their titles, two spaces between columns, each line ended. */
export function table<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const lines = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ cell }) => cell(row))),
  ];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]!.length)));
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, index) => pad(cell, index))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");

  function pad(cell: string, index: number): string {
    return columns[index]!.right === true ? cell.padStart(widths[index]!) : cell.padEnd(widths[index]!);
  }
}

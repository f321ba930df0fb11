/** A part of the scaling bench: what it shows, and the figures it came to. scaling.ts runs them. */

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it must reach. */
  readonly bar?: { readonly least?: number; readonly most?: number };
  /** Not a bar, but worth a word. */
  readonly note?: string;
}

export interface Part {
  readonly name: string;
  readonly about: string;
  /** @param rounds how often what is compared is repeated */
  run(rounds: number): Promise<readonly Figure[]>;
}

/** Whether a figure reaches its bar; null without one. */
export function reaches({ value, bar }: Figure): boolean | null {
  if (bar === undefined) return null;
  return value >= (bar.least ?? Number.NEGATIVE_INFINITY) && value <= (bar.most ?? Number.POSITIVE_INFINITY);
}

/** The value below which a share of the sorted values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

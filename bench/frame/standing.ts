/** Where Headrace is ahead and where behind, said plainly. Pure. */
import { type Figure, figuresOf } from "./figures.ts";
import type { Results } from "./model.ts";

/** One figure of a part against one peer, over all cases in which they meet. */
export interface Standing {
  readonly part: string;
  readonly peer: string;
  readonly metric: string;
  /** Cases in which Headrace was better in every round, in which it was worse in every round, and the others. */
  readonly ahead: number;
  readonly behind: number;
  readonly even: number;
  /** The case in which it is furthest behind, with how many times worse; null where it is behind in none. */
  readonly worst: { readonly case: string; readonly times: number } | null;
}

export function standings({ parts }: Results): Standing[] {
  const compared = parts
    .flatMap(figuresOf)
    .filter(({ against }) => against !== null && against.ratio !== null);
  const groups = Map.groupBy(compared, ({ part, stack, metric }) => JSON.stringify([part, stack, metric]));
  return [...groups.values()].map((some) => {
    const { part, stack: peer, metric } = some[0]!;
    const behind = some
      .filter((figure) => side(figure) === "behind")
      .map((figure) => ({ case: figure.case, times: timesWorse(figure) }))
      .sort((a, b) => b.times - a.times);
    const ahead = some.filter((figure) => side(figure) === "ahead").length;
    const even = some.length - ahead - behind.length;
    return { part, peer, metric, ahead, behind: behind.length, even, worst: behind[0] ?? null };
  });
}

/** By all rounds: a spread that has 1 within it decides nothing. */
function side({ against, about }: Figure): "ahead" | "behind" | "even" {
  const { low, high } = against!.ratio!;
  if (low <= 1 && high >= 1) return "even";
  return low > 1 === (about.better === "more") ? "ahead" : "behind";
}

function timesWorse({ against, about }: Figure): number {
  const { median } = against!.ratio!;
  return about.better === "more" ? 1 / median : median;
}

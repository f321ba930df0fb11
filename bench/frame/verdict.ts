/** Two runs, held against each other: which figures changed by more than noise. Pure. */
import type { Metric, Results } from "./model.ts";
import { adjustedP, byRound, choose, median, ratios } from "./statistics.ts";

/** A Headrace's figure of two runs. */
export interface Change {
  readonly part: string;
  readonly case: string;
  readonly stack: string;
  readonly metric: string;
  readonly about: Metric;
  /** By whose figure of the same round each value was divided; null where it stands for itself. */
  readonly peer: string | null;
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** Of the medians. */
  readonly factor: number;
  /** Adjusted for all figures that are compared. */
  readonly p: number;
  readonly verdict: "better" | "worse" | "same";
}

export interface Comparison {
  readonly changes: readonly Change[];
  /** Figures that only one of the runs has, or with too few rounds. */
  readonly uncompared: readonly string[];
  /** Families of figures whose rounds are too few for any verdict. */
  readonly blind: readonly string[];
}

export interface Rules {
  /** Chance at which any of all figures may be called changed though nothing did. */
  readonly alpha: number;
  /** A change smaller than this share is none, however sure it is. */
  readonly least: number;
  /** Values as they are, not as ratios to the main peer. */
  readonly absolute: boolean;
}

type Pairless = Omit<Change, "p" | "verdict">;

/** Rounds that a figure must have in each run to be compared at all. */
const FEWEST = 3;

/**
 * Each figure is the ratio to its main peer within a round, where it has one: what the machine did to both falls out. Figures with as many
 * rounds form a family, whose p-values are adjusted together; Bonferroni's rule holds between families, of which there is mostly one.
 */
export function compare(before: Results, after: Results, rules: Rules): Comparison {
  const { found, uncompared } = figures(before, after, rules.absolute);
  const families = Map.groupBy(
    found,
    (figure) => `${figure.before.length} rounds against ${figure.after.length}`,
  );
  const blind: string[] = [];
  const changes = [...families].flatMap(([name, family]) => {
    const { before: one, after: other } = family[0]!;
    // Sides may be swapped without a difference where both have as many rounds.
    const alike = one.length === other.length ? 2 : 1;
    const smallest = (alike / choose(one.length + other.length, one.length)) * families.size;
    if (smallest > rules.alpha) blind.push(`${name}: no p below ${smallest.toFixed(3)} is possible`);
    const p = adjustedP(family).map((each) => Math.min(1, each * families.size));
    return family.map((figure, at) => ({
      ...figure,
      p: p[at] ?? 1,
      verdict: verdict(figure, p[at] ?? 1, rules),
    }));
  });
  return { changes: changes.sort((a, b) => a.p - b.p), uncompared, blind };
}

function verdict({ factor, about }: Pairless, p: number, { alpha, least }: Rules): Change["verdict"] {
  if (p > alpha || Math.abs(Math.log(factor)) < Math.log(1 + least)) return "same";
  return factor > 1 === (about.better === "more") ? "better" : "worse";
}

function figures(
  before: Results,
  after: Results,
  absolute: boolean,
): { found: Pairless[]; uncompared: string[] } {
  const old = new Map(ownFigures(before, absolute).map((figure) => [keyOf(figure), figure]));
  const now = ownFigures(after, absolute);
  const uncompared: string[] = [];
  const found = now.flatMap((figure): Pairless[] => {
    const key = keyOf(figure);
    const other = old.get(key);
    old.delete(key);
    if (other === undefined) {
      uncompared.push(`${key}: not in the first run`);
      return [];
    }
    const [one, two] = [other.values, figure.values];
    if (Math.min(one.length, two.length) < FEWEST) {
      uncompared.push(`${key}: ${one.length} and ${two.length} rounds that count`);
      return [];
    }
    const { values: _, ...rest } = figure;
    return [{ ...rest, before: one, after: two, factor: median(two) / median(one) }];
  });
  return {
    found,
    uncompared: [...uncompared, ...[...old.keys()].map((key) => `${key}: not in the second run`)],
  };
}

interface Own {
  readonly part: string;
  readonly case: string;
  readonly stack: string;
  readonly metric: string;
  readonly about: Metric;
  readonly peer: string | null;
  readonly values: readonly number[];
}

function keyOf({ part, case: name, stack, metric, peer }: Own): string {
  return `${part}: ${name}: ${stack}: ${metric}${peer === null ? "" : `, by ${peer}`}`;
}

/** The figures of every Headrace: of whatever is not held against another. */
function ownFigures({ parts }: Results, absolute: boolean): Own[] {
  return parts.flatMap((part) => {
    const peers = new Set(part.pairs.map(({ case: name, peer }) => `${name}\n${peer}`));
    const seen = new Set(part.samples.map(({ case: name, stack }) => `${name}\n${stack}`));
    return [...seen]
      .filter((each) => !peers.has(each))
      .flatMap((each) => {
        const [name = "", stack = ""] = each.split("\n");
        const main = part.pairs.find((pair) => pair.case === name && pair.stack === stack && pair.main);
        const peer = absolute ? null : (main?.peer ?? null);
        return Object.entries(part.metrics).map(([metric, about]) => {
          const own = byRound(part, name, stack, metric);
          const values =
            peer === null
              ? [...own.values()].filter((value) => value > 0)
              : ratios(own, byRound(part, name, peer, metric));
          return { part: part.name, case: name, stack, metric, about, peer, values };
        });
      })
      .filter(({ values }) => values.length > 0);
  });
}

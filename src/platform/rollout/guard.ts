/**
 * Whether a new revision is worse than the one that it stands in for. Pure.
 *
 * Two shares of its requests are compared with the old one's: those that failed (status 5xx), and those that were slow: they took twice
 * as long as 95 of 100 of the old one's, and so long that somebody minds, as far as the buckets of the histogram tell. What has not been
 * answered for so long is slow before it is answered, and what its client did not wait for is slow, too: a revision that hangs answers
 * nothing. Each by Fisher's exact test, one-sided (R. A. Fisher, The
 * Design of Experiments, 1935, §9): how likely is it that so many or more fall to the new one by chance, if both are alike. It holds for
 * few requests as for many. With many, it finds differences that matter to nobody, so a difference must also be of a size.
 *
 * It is asked again and again while requests come in, and each time is a chance to be wrong. So the looks are few, each at a quarter more
 * requests than the last, and the level is small: from 50 requests to a million there are 45 looks, and for two revisions that are alike
 * the chance that any of them finds one test's difference is below 45 · 0.0005 (Bonferroni's bound), before the size is asked.
 */

/** What a revision did. */
export interface Sample {
  /** Requests that were answered. */
  readonly requests: number;
  /** Those with a status of 5xx. */
  readonly errors: number;
  /** How long the app took to begin its answers: counts by bucket of {@link GuardSettings.boundsS}, one more for what is beyond. */
  readonly times: readonly number[];
  /** Requests whose client left before an answer began. */
  readonly abandoned: number;
  /** By bound of {@link GuardSettings.boundsS}: so many at least have been without an answer for longer. */
  readonly overdue: readonly number[];
  /** Instances that had been ready and ended unasked. */
  readonly crashes: number;
}

/** How much larger a share must be to matter: so many times the old one, and so much above it. */
interface Size {
  readonly times: number;
  readonly above: number;
}

export interface GuardSettings {
  /** Upper bounds of the buckets, seconds, rising. */
  readonly boundsS: readonly number[];
  /** Requests that each of them must have had before anything is said. */
  readonly least: number;
  /** A difference by chance is accepted as one with this probability, for each look and test. */
  readonly level: number;
  /** Requests that fail count as worse from this many times the old share, and this much above it. */
  readonly errors: Size;
  /** The same for those that are slow; none is that is faster than `fromS`, in seconds. */
  readonly slow: { readonly times: number; readonly above: number; readonly fromS: number };
  /** The next look is when there are so many times more requests. */
  readonly nextLook: number;
}

export const defaultGuard = {
  least: 50,
  level: 0.0005,
  errors: { times: 1.5, above: 0.01 },
  slow: { times: 2, above: 0.05, fromS: 0.05 },
  nextLook: 1.25,
} as const satisfies Omit<GuardSettings, "boundsS">;

export interface Verdict {
  readonly kind: "worse" | "not-worse" | "too-few";
  /** Sentences; of what is worse, or why nothing is known. */
  readonly reasons: readonly string[];
}

/** Compares the new revision with the old one. */
export function judge(fresh: Sample, old: Sample, settings: GuardSettings): Verdict {
  const { least, level } = settings;
  const border = slowBorder(old.times, settings);
  const failed: Shares = {
    fresh: { count: fresh.errors, of: fresh.requests },
    old: { count: old.errors, of: old.requests },
  };
  const slow: Shares = { fresh: beyond(fresh, border), old: beyond(old, border) };
  const enough = ({ fresh, old }: Shares) => fresh.of >= least && old.of >= least;
  if (!enough(failed) && !enough(slow)) {
    const reason = `it takes ${least} requests of each to compare, there were ${fresh.requests} and ${old.requests}`;
    return { kind: "too-few", reasons: [reason] };
  }
  const reasons: string[] = [];
  if (enough(failed) && isWorse(failed, settings.errors, level)) {
    reasons.push(`${percent(failed.fresh)} of its requests failed, ${percent(failed.old)} before`);
  }
  if (enough(slow) && isWorse(slow, settings.slow, level)) {
    const bound = timeText(settings.boundsS[border]!);
    reasons.push(
      `${percent(slow.fresh)} of its requests took longer than ${bound}, ${percent(slow.old)} before`,
    );
  }
  return { kind: reasons.length > 0 ? "worse" : "not-worse", reasons };
}

/**
 * Whether its instances crash, however few requests there were: more of them than of the old one's in the same time. Undefined when they do
 * not.
 */
export function judgeCrashes(fresh: Sample, old: Sample): Verdict | undefined {
  if (fresh.crashes <= old.crashes) return undefined;
  const times = (count: number) => (count === 1 ? "once" : `${count} times`);
  const other = old.crashes === 0 ? "the old one did not" : `the old one ${times(old.crashes)}`;
  return { kind: "worse", reasons: [`it crashed ${times(fresh.crashes)}, ${other}`] };
}

/** Requests that are known by now: answered, or known to be slow. */
export function known({ requests, abandoned, overdue }: Sample): number {
  return requests + abandoned + (overdue[0] ?? 0);
}

interface Share {
  readonly count: number;
  readonly of: number;
}

interface Shares {
  readonly fresh: Share;
  readonly old: Share;
}

const rate = ({ count, of }: Share) => (of === 0 ? 0 : count / of);

function isWorse({ fresh, old }: Shares, size: Size, level: number): boolean {
  const bound = Math.max(rate(old) * size.times, rate(old) + size.above);
  return rate(fresh) >= bound && fresh.count > 0 && fisher(fresh, old) < level;
}

/** The last bucket whose requests are not slow. What is beyond the last bound cannot get slower, as far as can be told. */
function slowBorder(times: readonly number[], { boundsS, slow }: GuardSettings): number {
  const total = times.reduce((sum, count) => sum + count, 0);
  let sum = 0;
  const usual = times.findIndex((count) => {
    sum += count;
    return sum >= 0.95 * total;
  });
  const bound = boundsS[usual];
  if (bound === undefined) return boundsS.length - 1;
  const border = boundsS.findIndex((boundS) => boundS >= 2 * bound && boundS >= slow.fromS);
  return border === -1 ? boundsS.length - 1 : border;
}

function beyond({ times, abandoned, overdue }: Sample, border: number): Share {
  const answered = times.reduce((sum, count) => sum + count, 0);
  const late = times.slice(border + 1).reduce((sum, count) => sum + count, 0);
  const without = abandoned + overdue[border]!;
  return { count: late + without, of: answered + without };
}

/** The probability that the first has so many or more, when which ones they are is chance. */
export function fisher(first: Share, second: Share): number {
  const marked = first.count + second.count;
  const all = first.of + second.of;
  // Of `all`, `marked` are marked, and `first.of` are drawn: the hypergeometric distribution, from first.count upwards.
  let term = Math.exp(
    logChoose(marked, first.count) +
      logChoose(all - marked, first.of - first.count) -
      logChoose(all, first.of),
  );
  let sum = 0;
  for (let k = first.count; k <= Math.min(marked, first.of); k++) {
    sum += term;
    if (term < sum * 1e-12) break;
    term *= ((marked - k) * (first.of - k)) / ((k + 1) * (all - marked - first.of + k + 1));
  }
  return Math.min(1, sum);
}

function logChoose(n: number, k: number): number {
  return logFactorial(n) - logFactorial(k) - logFactorial(n - k);
}

/** Exact sums for small numbers; beyond, Stirling's series, whose error there is below 1e-12. */
function logFactorial(n: number): number {
  if (n < 32) {
    let sum = 0;
    for (let i = 2; i <= n; i++) sum += Math.log(i);
    return sum;
  }
  const x = n + 1;
  return (
    (x - 0.5) * Math.log(x) -
    x +
    0.5 * Math.log(2 * Math.PI) +
    1 / (12 * x) -
    1 / (360 * x ** 3) +
    1 / (1260 * x ** 5)
  );
}

/** `12%`, `0.4%` */
function percent(share: Share): string {
  const value = rate(share) * 100;
  return `${value >= 10 ? Math.round(value) : Number(value.toFixed(value >= 1 ? 1 : 2))}%`;
}

function timeText(seconds: number): string {
  return seconds < 1 ? `${seconds * 1_000}ms` : `${seconds}s`;
}

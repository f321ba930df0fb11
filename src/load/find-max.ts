/**
 * The highest rate that keeps a promise. Rates double until one breaks it, then the gap is halved until it is within a twentieth.
 * Pure: what was found so far in, what to try next out.
 *
 * ```
 *   doubling ──a rate broke it──▶ halving ──gap ≤ 5 %, or 12 steps──▶ found
 * ```
 */

/** What was tried, in order. */
export interface Tried {
  readonly rate: number;
  readonly ok: boolean;
}

export type NextStep =
  | { readonly try: number }
  /** The highest rate that kept it; 0 when none did. */
  | { readonly found: number; readonly why: string };

const CLOSE_ENOUGH = 1.05;
const MOST_STEPS = 24;

/** The rate to try next, or the answer. @param first where to begin */
export function nextStep(first: number, tried: readonly Tried[]): NextStep {
  const good = Math.max(0, ...tried.filter(({ ok }) => ok).map(({ rate }) => rate));
  const bad = Math.min(
    Number.POSITIVE_INFINITY,
    ...tried.filter(({ ok, rate }) => !ok && rate > good).map(({ rate }) => rate),
  );
  if (tried.length >= MOST_STEPS) return { found: good, why: `after ${tried.length} steps` };
  if (tried.length === 0) return { try: first };
  if (bad === Number.POSITIVE_INFINITY) return { try: good * 2 };
  if (good === 0) {
    if (bad <= 1) return { found: 0, why: "not even one request per second keeps it" };
    return { try: Math.max(1, Math.floor(bad / 4)) };
  }
  if (bad / good <= CLOSE_ENOUGH || bad - good <= 1)
    return { found: good, why: `${Math.round(bad)}/s does not keep it` };
  return { try: Math.round(Math.sqrt(good * bad)) };
}

/**
 * What share a new revision has at a moment of its rollout. Pure.
 *
 * As Knative's gradual rollout it begins with 1% and then rises in equal steps; here in steps of 5%, the same for every length.
 */

import { type Target, WHOLE } from "../revisions/traffic.ts";

const FIRST = 1;
const STEP = 5;

/** Percent. @param overMs the length of the shift; 0: at once */
export function shareAt(elapsedMs: number, overMs: number): number {
  if (elapsedMs >= overMs) return WHOLE;
  const steps = Math.floor(((elapsedMs / overMs) * WHOLE) / STEP);
  return Math.max(FIRST, steps * STEP);
}

/** When the share rises next, on the same clock; infinite when it does no more. */
export function nextStepMs(elapsedMs: number, overMs: number): number {
  const share = shareAt(elapsedMs, overMs);
  if (share === WHOLE) return Number.POSITIVE_INFINITY;
  const next = share < STEP ? STEP : share + STEP;
  // Never before the step, for want of a bit: whole milliseconds, upwards.
  return Math.ceil((next * overMs) / WHOLE);
}

/**
 * The shares while the new revision has `weight` percent: the others keep theirs in proportion, by the largest remainder, the newer one
 * first. One whose part is less than half a percent may have none.
 */
export function blend(before: readonly Target[], revision: number, weight: number): readonly Target[] {
  const others = before.filter((target) => target.revision !== revision);
  const rest = others.length === 0 ? 0 : WHOLE - weight;
  const total = others.reduce((sum, target) => sum + target.weight, 0);
  const exact = others.map((target) => (target.weight * rest) / total);
  const shares = exact.map(Math.floor);
  const order = exact
    .map((value, index) => ({ index, part: value - Math.floor(value) }))
    .sort((a, b) => b.part - a.part || others[b.index]!.revision - others[a.index]!.revision);
  let left = rest - shares.reduce((sum, share) => sum + share, 0);
  for (const { index } of order) if (left-- > 0) shares[index]!++;
  const targets = others.map((target, index) => ({ revision: target.revision, weight: shares[index]! }));
  return [{ revision, weight: WHOLE - rest }, ...targets]
    .filter((target) => target.weight > 0)
    .sort((a, b) => b.revision - a.revision);
}

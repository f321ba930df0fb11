import type { Clock } from "./clock.ts";

/** A point on the monotonic clock. `Infinity`: never. Made once from a budget; everything that waits looks at what is left of it. */
export type Deadline = number;

/** The deadline `budgetMs` from now; 0 means no limit. */
export function deadlineIn(clock: Clock, budgetMs: number): Deadline {
  return budgetMs === 0 ? Number.POSITIVE_INFINITY : clock.now() + budgetMs;
}

/** Milliseconds left, never negative. */
export function remaining(clock: Clock, deadline: Deadline): number {
  return Math.max(0, deadline - clock.now());
}

/**
 * Waits for `promise` until the deadline. Answers `undefined` when the deadline came first; the promise goes on alone and its
 * later failure is swallowed.
 */
export async function within<T>(
  clock: Clock,
  deadline: Deadline,
  promise: Promise<T>,
): Promise<T | undefined> {
  if (deadline === Number.POSITIVE_INFINITY) return promise;
  let cancel = () => {};
  const late = new Promise<undefined>((resolve) => {
    cancel = clock.after(remaining(clock, deadline), () => resolve(undefined));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    cancel();
    promise.catch(() => {});
  }
}

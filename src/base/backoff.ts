/** How long to wait before the next try. Milliseconds. */
export interface BackoffSettings {
  /** The wait after the first failure. */
  readonly firstMs: number;
  /** No wait is longer. */
  readonly maxMs: number;
  /** Each wait is this many times the one before. */
  readonly factor: number;
  /** Share of the wait that is random, 0 .. 1, so that many waiters do not return as one. */
  readonly jitter: number;
}

/**
 * The wait after `failures` failures in a row (1 for the first), in milliseconds.
 * @param random a number from 0 to 1 (exclusive); an argument, so that the answer is a function of its inputs
 */
export function backoffMs(settings: BackoffSettings, failures: number, random: number): number {
  if (failures <= 0) return 0;
  const full = Math.min(settings.maxMs, settings.firstMs * settings.factor ** (failures - 1));
  return Math.round(full * (1 - settings.jitter * random));
}

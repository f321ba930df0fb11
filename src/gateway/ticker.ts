/**
 * One coarse timer for all connections of a process. Limits of a front are seconds, its connections are many and a
 * request is microseconds: arming a timer per request would cost more than the request. Instead a connection notes when it
 * entered a state (`ticker.now`, a field read), and every tick asks each connection whether its time is over.
 */

/** Asked at every tick. Must not throw. */
export interface Ticked {
  tick(now: number): void;
}

/** A coarse clock that ticks its members while it has any. */
export class Ticker {
  /** Milliseconds on a monotonic clock, as of the latest tick (or the latest join while nobody was there). */
  now = performance.now();
  private readonly members = new Set<Ticked>();
  private timer: ReturnType<typeof setInterval> | null = null;

  /** @param intervalMs - time between ticks: the accuracy of every limit that is kept by this ticker */
  constructor(readonly intervalMs: number) {}

  /** Adds a member. The clock is brought up to date when it stood still. */
  join(member: Ticked): void {
    if (this.timer === null) {
      this.now = performance.now();
      this.timer = setInterval(() => this.tick(), this.intervalMs);
      this.timer.unref();
    }
    this.members.add(member);
  }

  /** Removes a member; the timer stops with the last one. */
  leave(member: Ticked): void {
    this.members.delete(member);
    if (this.members.size === 0 && this.timer !== null) {
      clearInterval(this.timer);
      this.timer = null;
    }
  }

  private tick(): void {
    this.now = performance.now();
    for (const member of this.members) member.tick(this.now);
  }
}

/** An interval that keeps every one of the given limits (milliseconds, 0: none) to within a quarter of itself. */
export function tickInterval(limits: readonly number[]): number {
  let shortest = 2000;
  for (const limit of limits) if (limit > 0 && limit < shortest) shortest = limit;
  return Math.max(10, Math.floor(shortest / 4));
}

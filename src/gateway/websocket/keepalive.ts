/** What the clock calls. */
export interface Ticked {
  tick(now: number): void;
}

/**
 * One timer for all WebSocket sessions of a process instead of two per connection. Runs only while there are sessions,
 * and never keeps the process alive by itself.
 */
export class KeepAlive {
  readonly #periodMs: number;
  readonly #clock: () => number;
  readonly #sessions = new Set<Ticked>();
  #timer: ReturnType<typeof setInterval> | null = null;
  #now = 0;

  /** @param periodMs how often sessions are looked at; the accuracy of their time limits */
  constructor(periodMs: number, clock: () => number = () => performance.now()) {
    this.#periodMs = periodMs;
    this.#clock = clock;
  }

  /** Milliseconds as of the latest tick. */
  get now(): number {
    if (this.#timer === null) this.#now = this.#clock();
    return this.#now;
  }

  add(session: Ticked): void {
    this.#sessions.add(session);
    if (this.#timer !== null) return;
    this.#now = this.#clock();
    this.#timer = setInterval(() => this.run(), this.#periodMs);
    this.#timer.unref();
  }

  remove(session: Ticked): void {
    this.#sessions.delete(session);
    if (this.#sessions.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  /** One look at every session. */
  run(): void {
    this.#now = this.#clock();
    for (const session of this.#sessions) session.tick(this.#now);
  }
}

const PERIOD_MS = 250;
let shared: KeepAlive | undefined;

/** The process's clock, made when first asked for. */
export function sharedKeepAlive(): KeepAlive {
  shared ??= new KeepAlive(PERIOD_MS);
  return shared;
}

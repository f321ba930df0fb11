/**
 * Whose turn it is to change a service. A service is changed by one at a time, others at the same time; what can wait for nothing - a
 * rollback, a stop - goes first, and what is being started for the service, or waits to be, gives up for it.
 *
 * ```
 *  waiting ──its services are free──▶ preparing ──starts()──▶ starting ──commits()──▶ committing ──▶ over
 *     │                                                           │
 *     └── its client leaves, or something urgent comes ───────────┴── something urgent comes ──▶ given up
 * ```
 */

import { HeadraceError } from "../base/errors.ts";

/** What somebody wants to do. */
export interface Work {
  /** `the deploy of api` */
  readonly what: string;
  /** Null: whichever there are. It waits until nothing changes any of them, and keeps those that it does. */
  readonly service: string | null;
  readonly urgent?: boolean;
  /** Aborted when nobody waits for the outcome any more: what has not begun by then is left. */
  readonly client?: AbortSignal | undefined;
}

type Phase = "waiting" | "preparing" | "starting" | "committing";

/** What the one whose turn it is tells, and is told. */
export class Turn {
  readonly #work: Work;
  readonly #turns: Turns;
  readonly #cancel = new AbortController();
  readonly #begun = Promise.withResolvers<void>();
  /** Null: all. */
  #services: ReadonlySet<string> | null;
  phase: Phase = "waiting";

  constructor(work: Work, turns: Turns) {
    this.#work = work;
    this.#turns = turns;
    this.#services = work.service === null ? null : new Set([work.service]);
  }

  get urgent(): boolean {
    return this.#work.urgent === true;
  }

  get wantsAll(): boolean {
    return this.#services === null;
  }

  get what(): string {
    return this.#work.what;
  }

  /** Aborted, with an error to throw, when what is being started is to be given up. */
  get signal(): AbortSignal {
    return this.#cancel.signal;
  }

  /** Resolves when it may begin. @throws HeadraceError change_cancelled */
  get begun(): Promise<void> {
    return this.#begun.promise;
  }

  /**
   * From here on it may take long, and can be given up.
   * @param services those that change: the others are free for others now
   */
  starts(services: ReadonlySet<string>): void {
    this.#services = services;
    this.phase = "starting";
    this.#turns.narrowed(this);
  }

  /** From here on it is done to its end. @throws HeadraceError change_cancelled when it was given up before */
  commits(): void {
    this.signal.throwIfAborted();
    this.phase = "committing";
  }

  /** Whether both want the same service. */
  meets(other: Turn): boolean {
    if (this.#services === null || other.#services === null) return true;
    return !this.#services.isDisjointFrom(other.#services);
  }

  /** It is its turn. */
  begin(): void {
    this.phase = "preparing";
    this.#begun.resolve();
  }

  giveUp(error: HeadraceError): void {
    if (this.phase === "waiting") this.#begun.reject(error);
    else if (this.phase !== "committing") this.#cancel.abort(error);
  }
}

export class Turns {
  readonly #running = new Set<Turn>();
  /** What is urgent first, else in their order. */
  #waiting: readonly Turn[] = [];
  #closed: HeadraceError | undefined;

  /** Those whose turn it is. */
  get running(): number {
    return this.#running.size;
  }

  /**
   * Runs it when nothing else changes its service.
   * @throws HeadraceError change_cancelled, start_cancelled
   */
  async take<T>(work: Work, run: (turn: Turn) => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) throw this.#closed;
    const turn = new Turn(work, this);
    const alone = cancelled(`Nobody waits for ${work.what} any more, so it was left.`);
    if (work.client?.aborted === true) throw alone;
    const left = () => this.#leave(turn, alone);
    work.client?.addEventListener("abort", left, { once: true });
    try {
      this.#enter(turn);
      await turn.begun;
      return await run(turn);
    } finally {
      work.client?.removeEventListener("abort", left);
      this.#running.delete(turn);
      this.#admit();
    }
  }

  /** Nothing begins any more, and what is being started is given up. */
  close(error: HeadraceError): void {
    this.#closed = error;
    for (const turn of this.#waiting) this.#leave(turn, error);
    for (const turn of this.#running) turn.giveUp(error);
  }

  /** A turn has left some of its services, and can be given up for the others. */
  narrowed(turn: Turn): void {
    for (const other of this.#waiting)
      if (other.urgent && other.meets(turn)) turn.giveUp(givenUp(turn, other));
    this.#admit();
  }

  #enter(turn: Turn): void {
    if (turn.urgent) this.#clear(turn);
    const behind = turn.urgent ? this.#waiting.filter(({ urgent }) => !urgent) : [];
    const ahead = this.#waiting.filter((other) => !behind.includes(other));
    this.#waiting = [...ahead, turn, ...behind];
    this.#admit();
  }

  /** What was asked for before must not come after it. What changes all services is not for this one alone, and waits. */
  #clear(turn: Turn): void {
    for (const other of this.#running)
      if (other.phase === "starting" && other.meets(turn)) other.giveUp(givenUp(other, turn));
    for (const other of this.#waiting)
      if (!other.urgent && !other.wantsAll && other.meets(turn)) this.#leave(other, givenUp(other, turn));
  }

  #leave(turn: Turn, error: HeadraceError): void {
    if (!this.#waiting.includes(turn)) return;
    this.#waiting = this.#waiting.filter((other) => other !== turn);
    turn.giveUp(error);
  }

  /** What waits for all does not hold up what waits for one: it would pass on whatever that one waits for. */
  #admit(): void {
    for (const turn of this.#waiting) {
      if ([...this.#running].some((other) => other.meets(turn))) continue;
      this.#waiting = this.#waiting.filter((other) => other !== turn);
      this.#running.add(turn);
      turn.begin();
    }
  }
}

function givenUp({ what }: Turn, other: Turn): HeadraceError {
  const sentence = `${what.slice(0, 1).toUpperCase()}${what.slice(1)}`;
  return cancelled(`${sentence} was given up before it held, for ${other.what}.`);
}

function cancelled(message: string): HeadraceError {
  return new HeadraceError("change_cancelled", message);
}

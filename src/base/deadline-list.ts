/**
 * Many deadlines of one length, one timer. What enters later is due later, so a list in order of entry is in order of
 * due time too: entering and leaving cost a few pointer writes, and the timer only ever looks at the first.
 */

/** An entry is its own list node. An object can be in one list at a time. */
export interface DeadlineNode {
  dueAt: number;
  duePrev: DeadlineNode | null;
  dueNext: DeadlineNode | null;
  /** The list it is in. */
  dueIn: DeadlineList | null;
}

/** Entries that are all due `durationMs` after they entered. */
export class DeadlineList {
  readonly #durationMs: number;
  readonly #expire: (node: DeadlineNode) => void;
  #first: DeadlineNode | null = null;
  #last: DeadlineNode | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `expire` is called with each entry that is due, after it left the list. It must not throw. */
  constructor(durationMs: number, expire: (node: DeadlineNode) => void) {
    this.#durationMs = durationMs;
    this.#expire = expire;
  }

  /** `now` is `performance.now()`. */
  enter(node: DeadlineNode, now: number): void {
    node.dueAt = now + this.#durationMs;
    node.duePrev = this.#last;
    node.dueNext = null;
    node.dueIn = this;
    if (this.#last === null) this.#first = node;
    else this.#last.dueNext = node;
    this.#last = node;
    if (this.#timer === undefined) this.#arm(this.#durationMs);
  }

  /** Takes an entry out of the list it is in, if any. */
  static leave(node: DeadlineNode): void {
    const list = node.dueIn;
    if (list !== null) list.#unlink(node);
  }

  #unlink(node: DeadlineNode): void {
    if (node.duePrev === null) this.#first = node.dueNext;
    else node.duePrev.dueNext = node.dueNext;
    if (node.dueNext === null) this.#last = node.duePrev;
    else node.dueNext.duePrev = node.duePrev;
    node.duePrev = null;
    node.dueNext = null;
    node.dueIn = null;
  }

  #arm(delayMs: number): void {
    this.#timer = setTimeout(() => this.#look(), Math.max(1, Math.ceil(delayMs)));
    // A deadline alone is no reason for the process to live.
    this.#timer.unref();
  }

  #look(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (let node = this.#first; node !== null && node.dueAt <= now; node = this.#first) {
      this.#unlink(node);
      this.#expire(node);
    }
    if (this.#first !== null && this.#timer === undefined) this.#arm(this.#first.dueAt - now);
  }
}

/**
 * How many requests may be placed again: a fifth of those that come, and ten a second besides, over the last ten seconds. A request
 * that kills its instance would otherwise go on to kill the next, and what is placed again competes with what is new.
 *
 * After Finagle's RetryBudget (20 %, 10 a second, 10 s to live), counted in slices of a second.
 */

const SHARE = 0.2;
const PER_SECOND = 10;
const SLICES = 10;
const SLICE_MS = 1_000;

export class RetryBudget {
  readonly #came = new Float64Array(SLICES);
  readonly #spent = new Float64Array(SLICES);
  #slice = 0;
  #endsAt = 0;

  /** A request came in. `now` is in milliseconds, never less than before. */
  deposit(now: number): void {
    this.#turn(now);
    this.#came[this.#slice]!++;
  }

  /** Takes one retry; false when the budget is spent. */
  withdraw(now: number): boolean {
    this.#turn(now);
    let came = 0;
    let spent = 0;
    for (let i = 0; i < SLICES; i++) {
      came += this.#came[i]!;
      spent += this.#spent[i]!;
    }
    if (spent + 1 > came * SHARE + PER_SECOND * SLICES) return false;
    this.#spent[this.#slice]!++;
    return true;
  }

  #turn(now: number): void {
    if (now < this.#endsAt) return;
    const slices =
      this.#endsAt === 0 ? SLICES : Math.min(SLICES, Math.floor((now - this.#endsAt) / SLICE_MS) + 1);
    for (let i = 0; i < slices; i++) {
      this.#slice = (this.#slice + 1) % SLICES;
      this.#came[this.#slice] = 0;
      this.#spent[this.#slice] = 0;
    }
    this.#endsAt = now - ((now - this.#endsAt) % SLICE_MS) + SLICE_MS;
  }
}

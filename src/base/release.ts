/** Undoes one acquisition. May be asynchronous. */
export type Undo = () => void | Promise<void>;

/**
 * A stack of undos: whatever is acquired pushes its undo, and {@link ReleaseStack.release} runs them last in, first out.
 *
 * ```
 *  open ──release()──▶ releasing ──▶ released
 * ```
 *
 * Releasing twice waits for the one release. An undo that fails does not keep the others from running: the first error is thrown
 * at the end, with the rest in an `AggregateError`. An undo pushed after the release began is run at once.
 */
export class ReleaseStack {
  #undos: Undo[] = [];
  #releasing: Promise<void> | null = null;

  /** Remembers the undo of something just acquired. */
  push(undo: Undo): void {
    if (this.#releasing === null) {
      this.#undos.push(undo);
      return;
    }
    const before = this.#releasing;
    this.#releasing = before.finally(undo);
    // Whoever waits for release() sees the error; this keeps a late undo from being an unhandled rejection when nobody does.
    this.#releasing.catch(() => {});
  }

  /** Undoes everything, last first. Idempotent. */
  release(): Promise<void> {
    this.#releasing ??= this.#run();
    return this.#releasing;
  }

  async #run(): Promise<void> {
    const errors: unknown[] = [];
    for (let undo = this.#undos.pop(); undo !== undefined; undo = this.#undos.pop()) {
      try {
        await undo();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, "several things could not be released");
  }
}

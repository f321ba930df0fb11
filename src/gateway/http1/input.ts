const EMPTY = new Uint8Array(0);

/** Bytes that came and were not used yet: the current chunk, and those behind it. */
export class Input {
  /** The current chunk. */
  chunk: Uint8Array = EMPTY;
  /** Up to where it is used. */
  at = 0;
  private readonly behind: Uint8Array[] = [];
  private behindBytes = 0;

  /** Bytes that are not used yet. */
  get length(): number {
    return this.chunk.length - this.at + this.behindBytes;
  }

  push(chunk: Uint8Array): void {
    if (this.at >= this.chunk.length && this.behind.length === 0) {
      this.chunk = chunk;
      this.at = 0;
    } else {
      this.behind.push(chunk);
      this.behindBytes += chunk.length;
    }
  }

  /** Makes sure that the current chunk has unused bytes. False when there are none at all. */
  ready(): boolean {
    while (this.at >= this.chunk.length) {
      const next = this.behind.shift();
      if (next === undefined) {
        // A used chunk must not be kept alive by an idle connection.
        this.chunk = EMPTY;
        this.at = 0;
        return false;
      }
      this.behindBytes -= next.length;
      this.chunk = next;
      this.at = 0;
    }
    return true;
  }

  /** Replaces the current chunk by `chunk`, used up to `at`. */
  replace(chunk: Uint8Array, at: number): void {
    this.chunk = chunk;
    this.at = at;
  }

  clear(): void {
    this.replace(EMPTY, 0);
    this.behind.length = 0;
    this.behindBytes = 0;
  }
}

import type { Exchange } from "./link.ts";

/** Requests that wait for a link, first in, first out. Those that ended meanwhile (timed out, given up) are passed over. */
export class Waiting {
  #queue: Exchange[] = [];
  #head = 0;

  /** How many there are, those that ended included. */
  get length(): number {
    return this.#queue.length - this.#head;
  }

  push(exchange: Exchange): void {
    this.#queue.push(exchange);
  }

  /** The one that has waited longest; undefined when nobody waits. */
  take(): Exchange | undefined {
    while (this.#head < this.#queue.length) {
      const exchange = this.#queue[this.#head++]!;
      // What has passed is let go in large pieces: moving the rest for each would cost more than serving it.
      if (this.#head > 4_096 && this.#head > this.#queue.length / 2) {
        this.#queue = this.#queue.slice(this.#head);
        this.#head = 0;
      }
      if (exchange.dueIn !== null && exchange.link === null) return exchange;
    }
    this.#queue.length = 0;
    this.#head = 0;
    return undefined;
  }
}

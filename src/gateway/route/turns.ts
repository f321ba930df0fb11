/**
 * Whose turn it is in a split, over all gateway processes: a counter for each service, in a file that all of them map. Each request
 * takes the next number, so that shares are exact for all gateways together and not only for each of them.
 */

import { closeSync, ftruncateSync, openSync } from "node:fs";

/** Takes numbers that rise by one, from wherever, and begin anew at 2^32. */
export interface Turns {
  next(): number;
}

/** Counters in a file. Services beyond share one with others: then each has its share of what all of them get. */
const COUNTERS = 1024;
/** Each on a cache line of its own. */
const STRIDE = 16;

/** Makes the file. */
export function createTurnsFile(path: string): void {
  const fd = openSync(path, "w+", 0o600);
  ftruncateSync(fd, COUNTERS * STRIDE * 4);
  closeSync(fd);
}

/** The counters of a file that {@link createTurnsFile} made. */
export class TurnsFile {
  readonly #cells: Int32Array;

  constructor(path: string) {
    const memory = Bun.mmap(path, { shared: true });
    this.#cells = new Int32Array(memory.buffer, memory.byteOffset, COUNTERS * STRIDE);
  }

  /** The counter of the service with this number. */
  of(service: number): Turns {
    return new SharedTurns(this.#cells, (service % COUNTERS) * STRIDE);
  }
}

class SharedTurns implements Turns {
  readonly #cells: Int32Array;
  readonly #at: number;

  constructor(cells: Int32Array, at: number) {
    this.#cells = cells;
    this.#at = at;
  }

  next(): number {
    return Atomics.add(this.#cells, this.#at, 1) >>> 0;
  }
}

/** A counter of one process. */
export class OwnTurns implements Turns {
  #next = 0;

  next(): number {
    return this.#next++ >>> 0;
  }
}

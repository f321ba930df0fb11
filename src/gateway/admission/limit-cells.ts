/**
 * The cells of one bulkhead in the shared table: its permits, and who waits for one. All gateways see them, so that the limit holds over
 * all of them and over all instances.
 *
 * Layout, in 32-bit cells, with C columns (one a gateway process):
 * ```
 *  0         permits taken, by all
 *  1         requests that wait for one, of all
 *  2         since: 2·C cells, one 64-bit float a column, since when its first one waits
 *  2 + 2·C   held: permits of each column
 *  2 + 3·C   waiting of each column
 *  2 + 4·C   intent of each column: 1 while it changes its permits
 * ```
 * A gateway changes the first two atomically and the cells of its own column plainly. When it dies, those that waited are forgotten at
 * once; its permits come back when none of its requests runs in any instance any more ({@link LimitCells.reclaim}).
 */

import type { LineCells } from "./line.ts";

const TAKEN = 0;
const WAITING = 1;
const SINCE = 2;

/** Number of cells of one bulkhead, even. */
export function limitCells(columns: number): number {
  return (2 + 5 * columns + 1) & ~1;
}

/** What counts the requests that wait at all bulkheads and in the line, for the depth that they share. */
export interface DepthCells {
  waitingAll(): number;
  countAtLimits(by: 1 | -1): void;
}

export class LimitCells implements LineCells {
  readonly #cells: Int32Array;
  readonly #doubles: Float64Array;
  readonly #columns: number;
  readonly #depth: DepthCells;

  /** @param memory of {@link limitCells} cells, aligned to 8 bytes, zero at first */
  constructor(memory: Uint8Array, columns: number, depth: DepthCells) {
    this.#cells = new Int32Array(memory.buffer, memory.byteOffset, memory.byteLength >> 2);
    this.#doubles = new Float64Array(memory.buffer, memory.byteOffset, memory.byteLength >> 3);
    this.#columns = columns;
    this.#depth = depth;
  }

  /** Permits taken, by all gateways. */
  taken(): number {
    return Atomics.load(this.#cells, TAKEN);
  }

  /** Takes a permit for `column`, unless `limit` are taken. */
  take(column: number, limit: number): boolean {
    const cells = this.#cells;
    let taken = Atomics.load(cells, TAKEN);
    if (taken >= limit) return false;
    const intent = this.#intent(column);
    cells[intent] = 1;
    while (taken < limit) {
      const seen = Atomics.compareExchange(cells, TAKEN, taken, taken + 1);
      if (seen === taken) {
        cells[this.#held(column)]!++;
        cells[intent] = 0;
        return true;
      }
      taken = seen;
    }
    cells[intent] = 0;
    return false;
  }

  /** Gives a permit of `column` back. */
  give(column: number): void {
    const cells = this.#cells;
    const intent = this.#intent(column);
    cells[intent] = 1;
    cells[this.#held(column)]!--;
    Atomics.sub(cells, TAKEN, 1);
    cells[intent] = 0;
  }

  waiting(): number {
    return Atomics.load(this.#cells, WAITING);
  }

  waitingOf(column: number): number {
    return Atomics.load(this.#cells, this.#waiting(column));
  }

  enterLine(column: number, depth: number): boolean {
    if (this.#depth.waitingAll() >= depth) return false;
    this.#depth.countAtLimits(1);
    Atomics.add(this.#cells, WAITING, 1);
    Atomics.add(this.#cells, this.#waiting(column), 1);
    return true;
  }

  leaveLine(column: number): void {
    Atomics.sub(this.#cells, this.#waiting(column), 1);
    Atomics.sub(this.#cells, WAITING, 1);
    this.#depth.countAtLimits(-1);
  }

  setSince(column: number, since: number): void {
    this.#doubles[(SINCE >> 1) + column] = since;
  }

  oldest(): number {
    let found = -1;
    let first = Number.POSITIVE_INFINITY;
    for (let column = 0; column < this.#columns; column++) {
      if (this.waitingOf(column) <= 0) continue;
      const since = this.#doubles[(SINCE >> 1) + column]!;
      if (since < first) {
        first = since;
        found = column;
      }
    }
    return found;
  }

  /** Forgets those that waited at a gateway that is gone. */
  dropWaiting(column: number): void {
    for (let lost = Atomics.exchange(this.#cells, this.#waiting(column), 0); lost > 0; lost--) {
      Atomics.sub(this.#cells, WAITING, 1);
      this.#depth.countAtLimits(-1);
    }
  }

  /**
   * Gives back the permits of a gateway that is gone, once none of its requests runs any more. If it died in the middle of a change,
   * the count is taken anew from what the living hold.
   */
  reclaim(column: number): void {
    const cells = this.#cells;
    const held = Atomics.exchange(cells, this.#held(column), 0);
    if (Atomics.exchange(cells, this.#intent(column), 0) === 0) {
      if (held !== 0) Atomics.sub(cells, TAKEN, held);
      return;
    }
    for (let tries = 0; tries < 1000; tries++) {
      const taken = Atomics.load(cells, TAKEN);
      let sum = 0;
      let busy = false;
      for (let other = 0; other < this.#columns; other++) {
        sum += Atomics.load(cells, this.#held(other));
        busy ||= Atomics.load(cells, this.#intent(other)) !== 0;
      }
      if (!busy && Atomics.compareExchange(cells, TAKEN, taken, sum) === taken) return;
    }
  }

  #held(column: number): number {
    return SINCE + 2 * this.#columns + column;
  }

  #waiting(column: number): number {
    return SINCE + 3 * this.#columns + column;
  }

  #intent(column: number): number {
    return SINCE + 4 * this.#columns + column;
  }
}

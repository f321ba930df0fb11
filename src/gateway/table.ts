/**
 * The shared table: slots, waiting requests and begun marks, in one file that the platform, every gateway and every
 * instance map into memory. It is what makes several gateway processes behave as one: a slot is taken with a
 * compare-and-swap that all of them see, so a limit holds exactly, and nobody asks anybody.
 *
 * Layout, in 32-bit cells of native byte order:
 * ```
 *  0            header    64 cells: magic, version, rows, columns, waiting in the line, number of limits, waiting at limits
 *  64           columns   one a gateway process, 16 cells each: see Col
 *  64+16·C      rows      one an instance, 4 + 3·C cells each: state, limit, in flight, -, then three groups
 *                         of C cells, one cell a gateway: held (its slots), begun (spec §6), served (its finished requests)
 *  after these  limits    one a bulkhead, see admission/limit-cells.ts
 * ```
 * Who writes what: the platform opens and closes rows and columns; a gateway changes `in flight` and `waiting` atomically and
 * the cells of its own column plainly; an instance writes its row's begun cells. A column's `intent` names the row that
 * is being changed, so that what a killed gateway left half done can be set right.
 */

import { closeSync, ftruncateSync, openSync } from "node:fs";
import { LimitCells, limitCells } from "./admission/limit-cells.ts";

const MAGIC = 0x48525442;
const VERSION = 1;
const HEADER = 64;
const COLUMN = 16;
const ROW_HEAD = 4;

const Head = { MAGIC: 0, VERSION: 1, ROWS: 2, COLUMNS: 3, WAITING: 4, LIMITS: 5, AT_LIMITS: 6 } as const;
const Col = { WAITING: 0, RUNG: 1, INTENT: 2, SERVED: 3, SINCE: 4 } as const;
const Row = { STATE: 0, LIMIT: 1, IN_FLIGHT: 2 } as const;

const FREE = 0;
const OPEN = 1;
const CLOSED = 2;

export interface TableSize {
  readonly rows: number;
  readonly columns: number;
  /** Number of bulkheads; 0 by default. */
  readonly limits?: number;
}

/** One process's view of the shared table. */
export class SlotTable {
  readonly path: string;
  readonly rows: number;
  readonly columns: number;
  /** The cells of the revision's bulkheads, in their order. */
  readonly limits: readonly LimitCells[];
  readonly #cells: Int32Array;
  /** `since` of the columns: milliseconds need more than 32 bits. */
  readonly #doubles: Float64Array;
  readonly #rowSize: number;
  readonly #rowBase: number;
  /** Where to look for a free row next. Going round keeps a row unused for long after its instance is gone. */
  #nextRow = 0;

  private constructor(path: string, size: TableSize, memory: Uint8Array) {
    this.path = path;
    this.rows = size.rows;
    this.columns = size.columns;
    this.#cells = new Int32Array(memory.buffer, memory.byteOffset, memory.byteLength >> 2);
    this.#doubles = new Float64Array(memory.buffer, memory.byteOffset, memory.byteLength >> 3);
    this.#rowSize = rowSize(size.columns);
    this.#rowBase = HEADER + COLUMN * size.columns;
    this.limits = Array.from({ length: size.limits ?? 0 }, (_, i) => {
      const bytes = limitCells(size.columns) * 4;
      const at = this.#row(size.rows) * 4 + i * bytes;
      return new LimitCells(memory.subarray(at, at + bytes), size.columns, this);
    });
  }

  /** Makes the file, mode 0600, and maps it. The directory must exist; an older file of that name is emptied. */
  static create(path: string, size: TableSize): SlotTable {
    const limits = limitCells(size.columns) * (size.limits ?? 0);
    const cells = HEADER + COLUMN * size.columns + rowSize(size.columns) * size.rows + limits;
    const fd = openSync(path, "w+", 0o600);
    ftruncateSync(fd, (cells * 4 + 4095) & ~4095);
    closeSync(fd);
    const table = new SlotTable(path, size, Bun.mmap(path, { shared: true }));
    table.#cells[Head.VERSION] = VERSION;
    table.#cells[Head.ROWS] = size.rows;
    table.#cells[Head.COLUMNS] = size.columns;
    table.#cells[Head.LIMITS] = size.limits ?? 0;
    Atomics.store(table.#cells, Head.MAGIC, MAGIC);
    return table;
  }

  /** Maps a table made by {@link create}. Throws when the file is not one. */
  static open(path: string): SlotTable {
    const memory = Bun.mmap(path, { shared: true });
    const head = new Int32Array(memory.buffer, memory.byteOffset, HEADER);
    if (head[Head.MAGIC] !== MAGIC || head[Head.VERSION] !== VERSION) {
      throw new Error(`${path} is not a slot table of version ${VERSION}`);
    }
    const size = { rows: head[Head.ROWS]!, columns: head[Head.COLUMNS]!, limits: head[Head.LIMITS]! };
    return new SlotTable(path, size, memory);
  }

  // Rows: the platform's part.

  /** Opens a free row with `limit` slots. Undefined when all rows are taken. */
  openRow(limit: number): number | undefined {
    for (let i = 0; i < this.rows; i++) {
      const row = (this.#nextRow + i) % this.rows;
      const at = this.#row(row);
      if (this.#cells[at + Row.STATE] !== FREE) continue;
      this.#nextRow = row + 1;
      this.#cells.fill(0, at, at + this.#rowSize);
      this.#cells[at + Row.LIMIT] = limit;
      Atomics.store(this.#cells, at + Row.STATE, OPEN);
      return row;
    }
    return undefined;
  }

  /** Rows that slots are given out on, in the order of the table. */
  openRows(): number[] {
    const found: number[] = [];
    for (let row = 0; row < this.rows; row++) if (this.isOpen(row)) found.push(row);
    return found;
  }

  /**
   * Gives the first `active` open rows this limit, all by default, and the others none. Slots that are held beyond a lower limit stay
   * until they are given back.
   */
  setLimits(limit: number, active = this.rows): void {
    this.openRows().forEach((row, index) => {
      Atomics.store(this.#cells, this.#row(row) + Row.LIMIT, index < active ? limit : 0);
    });
  }

  /** No new slot is given out on the row; the ones held stay. */
  closeRow(row: number): void {
    Atomics.store(this.#cells, this.#row(row) + Row.STATE, CLOSED);
  }

  /** Gives the row back. Only when its instance is gone and no gateway places on it any more. */
  freeRow(row: number): void {
    Atomics.store(this.#cells, this.#row(row) + Row.STATE, FREE);
  }

  /** Byte offset in the file of the row's first begun cell; the gateway's column times 4 is added to it. */
  begunOffset(row: number): number {
    return (this.#row(row) + ROW_HEAD + this.columns) * 4;
  }

  // Slots.

  /** Slots taken on the row by all gateways. */
  inFlight(row: number): number {
    return Atomics.load(this.#cells, this.#row(row) + Row.IN_FLIGHT);
  }

  limit(row: number): number {
    return this.#cells[this.#row(row) + Row.LIMIT]!;
  }

  isOpen(row: number): boolean {
    return Atomics.load(this.#cells, this.#row(row) + Row.STATE) === OPEN;
  }

  /** Takes a slot for `column`; false when the row is full or closed. */
  take(row: number, column: number): boolean {
    const cells = this.#cells;
    const at = this.#row(row);
    const limit = cells[at + Row.LIMIT]!;
    let taken = Atomics.load(cells, at + Row.IN_FLIGHT);
    if (taken >= limit) return false;
    const intent = this.#col(column) + Col.INTENT;
    cells[intent] = row + 1;
    for (;;) {
      if (taken >= limit) break;
      const seen = Atomics.compareExchange(cells, at + Row.IN_FLIGHT, taken, taken + 1);
      if (seen === taken) {
        cells[at + ROW_HEAD + column]!++;
        cells[intent] = 0;
        if (Atomics.load(cells, at + Row.STATE) === OPEN) return true;
        this.give(row, column);
        return false;
      }
      taken = seen;
    }
    cells[intent] = 0;
    return false;
  }

  /** Gives a slot of `column` back. */
  give(row: number, column: number): void {
    const cells = this.#cells;
    const at = this.#row(row);
    const intent = this.#col(column) + Col.INTENT;
    cells[intent] = row + 1;
    cells[at + ROW_HEAD + column]!--;
    Atomics.sub(cells, at + Row.IN_FLIGHT, 1);
    cells[intent] = 0;
  }

  /** Number of the latest stream of `column` that the instance began (spec §6). */
  begun(row: number, column: number): number {
    return Atomics.load(this.#cells, this.#row(row) + ROW_HEAD + this.columns + column);
  }

  /** Forgets the mark, before `column` opens a new connection to the instance. */
  clearBegun(row: number, column: number): void {
    Atomics.store(this.#cells, this.#row(row) + ROW_HEAD + this.columns + column, 0);
  }

  countServed(row: number, column: number): void {
    this.#cells[this.#row(row) + ROW_HEAD + 2 * this.columns + column]!++;
    this.#cells[this.#col(column) + Col.SERVED]!++;
  }

  /** Requests that all instances have ever finished, those that are gone included. Wraps at 2^32. */
  servedTotal(): number {
    let sum = 0;
    for (let c = 0; c < this.columns; c++) sum += this.#cells[this.#col(c) + Col.SERVED]!;
    return sum >>> 0;
  }

  /** Requests that the row's instance has finished, over all gateways. Wraps at 2^32. */
  served(row: number): number {
    const at = this.#row(row) + ROW_HEAD + 2 * this.columns;
    let sum = 0;
    for (let c = 0; c < this.columns; c++) sum += this.#cells[at + c]!;
    return sum >>> 0;
  }

  /** Slots that `column` holds on the row. */
  held(row: number, column: number): number {
    return this.#cells[this.#row(row) + ROW_HEAD + column]!;
  }

  /** Whether `column` holds a slot on any row that is in use. */
  holds(column: number): boolean {
    for (let row = 0; row < this.rows; row++) {
      const at = this.#row(row);
      if (this.#cells[at + Row.STATE] !== FREE && this.#cells[at + ROW_HEAD + column] !== 0) return true;
    }
    return false;
  }

  /** Slots taken on all rows, those of instances that drain included. */
  running(): number {
    let sum = 0;
    for (let row = 0; row < this.rows; row++) {
      const at = this.#row(row);
      if (this.#cells[at + Row.STATE] !== FREE) sum += Atomics.load(this.#cells, at + Row.IN_FLIGHT);
    }
    return sum;
  }

  // Waiting requests.

  /** Requests in the line, over all gateways: those that only want for a slot. */
  waiting(): number {
    return Atomics.load(this.#cells, Head.WAITING);
  }

  /** Requests that wait, in the line or at a bulkhead, over all gateways. */
  waitingAll(): number {
    return Atomics.load(this.#cells, Head.WAITING) + Atomics.load(this.#cells, Head.AT_LIMITS);
  }

  /** Requests of one gateway that wait, in the line or at a bulkhead. */
  waitingOf(column: number): number {
    let sum = Atomics.load(this.#cells, this.#col(column) + Col.WAITING);
    for (const limit of this.limits) sum += limit.waitingOf(column);
    return sum;
  }

  /** One more or less waits at a bulkhead. */
  countAtLimits(by: 1 | -1): void {
    Atomics.add(this.#cells, Head.AT_LIMITS, by);
  }

  /** Counts one more waiting request of `column`, unless `depth` are waiting already, those at bulkheads included. */
  enterLine(column: number, depth: number): boolean {
    for (;;) {
      const seen = Atomics.load(this.#cells, Head.WAITING);
      if (seen + Atomics.load(this.#cells, Head.AT_LIMITS) >= depth) return false;
      if (Atomics.compareExchange(this.#cells, Head.WAITING, seen, seen + 1) === seen) break;
    }
    Atomics.add(this.#cells, this.#col(column) + Col.WAITING, 1);
    return true;
  }

  leaveLine(column: number): void {
    Atomics.sub(this.#cells, this.#col(column) + Col.WAITING, 1);
    Atomics.sub(this.#cells, Head.WAITING, 1);
  }

  /** Says since when (Unix milliseconds) the first request of `column` has been waiting. */
  setSince(column: number, since: number): void {
    this.#doubles[(this.#col(column) + Col.SINCE) >> 1] = since;
  }

  /** The column whose first waiting request is the oldest; -1 when nobody waits. */
  oldest(): number {
    let found = -1;
    let since = Number.POSITIVE_INFINITY;
    for (let c = 0; c < this.columns; c++) {
      if (Atomics.load(this.#cells, this.#col(c) + Col.WAITING) <= 0) continue;
      const at = this.#doubles[(this.#col(c) + Col.SINCE) >> 1]!;
      if (at < since) {
        since = at;
        found = c;
      }
    }
    return found;
  }

  /** Marks `column` as called; false when a call is under way already. */
  ring(column: number): boolean {
    return Atomics.exchange(this.#cells, this.#col(column) + Col.RUNG, 1) === 0;
  }

  /** The called gateway says that it looks now. */
  answer(column: number): void {
    Atomics.store(this.#cells, this.#col(column) + Col.RUNG, 0);
  }

  // After a gateway's death: the platform's part.

  /** Forgets the waiting requests of a gateway that is gone. */
  dropWaiting(column: number): void {
    const at = this.#col(column);
    const lost = Atomics.exchange(this.#cells, at + Col.WAITING, 0);
    if (lost > 0) Atomics.sub(this.#cells, Head.WAITING, lost);
    Atomics.store(this.#cells, at + Col.RUNG, 0);
    for (const limit of this.limits) limit.dropWaiting(column);
  }

  /** Gives back what a gateway that is gone held of the bulkheads, unless it may still hold a slot: then its requests may still run. */
  reclaimLimits(column: number): void {
    if (this.limits.length === 0 || this.holds(column)) return;
    for (const limit of this.limits) limit.reclaim(column);
  }

  /**
   * Frees the slots that a gateway which is gone holds on the row, once the instance has said that none of its requests runs
   * any more. If it died in the middle of a change of this row, the count is taken anew from what the living hold.
   */
  reclaim(row: number, column: number): void {
    const cells = this.#cells;
    const at = this.#row(row);
    const held = Atomics.exchange(cells, at + ROW_HEAD + column, 0);
    if (cells[this.#col(column) + Col.INTENT] !== row + 1) {
      if (held !== 0) Atomics.sub(cells, at + Row.IN_FLIGHT, held);
      return;
    }
    cells[this.#col(column) + Col.INTENT] = 0;
    for (let tries = 0; tries < 1000; tries++) {
      const taken = Atomics.load(cells, at + Row.IN_FLIGHT);
      let sum = 0;
      let busy = false;
      for (let c = 0; c < this.columns; c++) {
        sum += Atomics.load(cells, at + ROW_HEAD + c);
        busy ||= Atomics.load(cells, this.#col(c) + Col.INTENT) === row + 1;
      }
      if (!busy && Atomics.compareExchange(cells, at + Row.IN_FLIGHT, taken, sum) === taken) return;
    }
  }

  #row(row: number): number {
    return this.#rowBase + row * this.#rowSize;
  }

  #col(column: number): number {
    return HEADER + column * COLUMN;
  }
}

/** Cells of a row, an even number so that rows stay aligned to 8 bytes. */
function rowSize(columns: number): number {
  return (ROW_HEAD + 3 * columns + 1) & ~1;
}

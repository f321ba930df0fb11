/**
 * The line: requests that wait for a slot, first in first out. Each gateway process holds its own part; the shared table
 * counts them all, so that the depth is one limit, and tells whose first request is the oldest, so that a slot that becomes
 * free goes to it wherever it waits.
 */

import { DeadlineList, type DeadlineNode } from "../deadlines.ts";
import type { SlotTable } from "../table.ts";

/** What waits. */
export interface Waiting {
  /** Its place in the line; null when it does not wait. Only the line writes it. */
  place: Place | null;
  /** Called when the wait limit is over; it has left the line. */
  waitedTooLong(): void;
}

/** A place in the line, a node of its list. */
class Place implements DeadlineNode {
  dueAt = 0;
  duePrev: DeadlineNode | null = null;
  dueNext: DeadlineNode | null = null;
  dueIn: DeadlineList | null = null;
  prev: Place | null = null;
  next: Place | null = null;
  constructor(
    readonly owner: Waiting,
    readonly since: number,
  ) {}
}

export type { Place };

export interface LineOptions {
  readonly table: SlotTable;
  readonly column: number;
  /** Most requests that may wait, over all gateways. */
  readonly depth: number;
  /** Longest wait, 0 for no limit. */
  readonly waitMs: number;
  /** Calls another gateway: a slot may be free for its first request. */
  readonly call: (column: number) => void;
}

/** This gateway's part of the line. */
export class Line {
  readonly #options: LineOptions;
  readonly #waits: DeadlineList | undefined;
  #first: Place | null = null;
  #last: Place | null = null;
  #length = 0;
  #serving = false;

  constructor(options: LineOptions) {
    this.#options = options;
    if (options.waitMs > 0) {
      this.#waits = new DeadlineList(options.waitMs, (node) => {
        const place = node as Place;
        this.leave(place.owner);
        place.owner.waitedTooLong();
      });
    }
  }

  /** Requests of this gateway that wait. */
  get length(): number {
    return this.#length;
  }

  /** Whether anybody waits, here or at another gateway: then whoever comes now has to wait too. */
  get busy(): boolean {
    return this.#options.table.waiting() > 0;
  }

  /** Puts a request at the end. False when the line is full. `now` is performance.now(). */
  enter(owner: Waiting, now: number): boolean {
    if (!this.#options.table.enterLine(this.#options.column, this.#options.depth)) return false;
    const place = new Place(owner, performance.timeOrigin + now);
    owner.place = place;
    place.prev = this.#last;
    if (this.#last === null) this.#first = place;
    else this.#last.next = place;
    this.#last = place;
    this.#length++;
    this.#waits?.enter(place, now);
    if (place.prev === null) this.#tellSince();
    return true;
  }

  /** Puts a request at the head: it had a slot and lost it through no fault of its own. The depth does not hold for it, and it keeps its age. */
  reenter(owner: Waiting, since: number): void {
    this.#options.table.enterLine(this.#options.column, Number.MAX_SAFE_INTEGER);
    const place = new Place(owner, performance.timeOrigin + since);
    owner.place = place;
    place.next = this.#first;
    if (this.#first === null) this.#last = place;
    else this.#first.prev = place;
    this.#first = place;
    this.#length++;
    this.#waits?.enter(place, performance.now());
    this.#tellSince();
  }

  /** Takes a request out, wherever it stands. Nothing happens when it does not wait. */
  leave(owner: Waiting): void {
    const place = owner.place;
    if (place === null) return;
    owner.place = null;
    DeadlineList.leave(place);
    if (place.prev === null) this.#first = place.next;
    else place.prev.next = place.next;
    if (place.next === null) this.#last = place.prev;
    else place.next.prev = place.prev;
    this.#length--;
    this.#options.table.leaveLine(this.#options.column);
    if (place.prev === null) this.#tellSince();
  }

  /**
   * Gives free slots to those who wait, oldest first: `take` takes one (null when none is free), `start` sets a request off
   * with it. When the oldest waits at another gateway, that one is called instead, if a slot looks `free`.
   */
  serve<Lease>(desk: {
    free: () => boolean;
    take: () => Lease | null;
    start: (owner: Waiting, lease: Lease) => void;
  }): void {
    // Starting can answer a request at once, whose slot then is free again: the loop that runs already sees to it.
    if (this.#serving) return;
    this.#serving = true;
    const { table, column, call } = this.#options;
    while (table.waiting() > 0) {
      const oldest = table.oldest();
      if (oldest !== column && oldest !== -1) {
        if (desk.free()) call(oldest);
        break;
      }
      const first = this.#first;
      if (first === null) break;
      const lease = desk.take();
      if (lease === null) break;
      this.leave(first.owner);
      desk.start(first.owner, lease);
    }
    this.#serving = false;
  }

  /** Takes everybody out, first to last. */
  clear(each: (owner: Waiting) => void): void {
    for (let place = this.#first; place !== null; place = this.#first) {
      this.leave(place.owner);
      each(place.owner);
    }
  }

  #tellSince(): void {
    this.#options.table.setSince(this.#options.column, this.#first === null ? 0 : this.#first.since);
  }
}

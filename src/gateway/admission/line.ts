/**
 * The line: requests that wait for a slot. Each gateway process holds its own part; the shared table counts them all, so that the
 * depth is one limit, and tells whose first request is next, so that a slot that becomes free goes to it wherever it waits.
 *
 * The higher class goes first, and within a class the oldest, or the newest while the line is overloaded (overload.ts). So that no
 * class waits for ever, every sixteenth slot goes to the lowest class that waits here.
 */

import { DeadlineList, type DeadlineNode } from "../../base/deadline-list.ts";
import { allowedWaitMs, type LineState, Overload } from "./overload.ts";
import { PRIORITIES } from "./priority.ts";

/** Why a request is sent out of the line. */
export type Dismissal =
  /** It waited as long as the line allows. */
  | "waited"
  /** The line is overloaded, and it has waited too long for that. */
  | "shed"
  /** Its deadline can not be met any more. */
  | "too-late"
  /** The line is full, and a request of a higher class came. */
  | "displaced";

/** Where a line is counted over all gateways: cells that they share. */
export interface LineCells {
  /** Requests in the line, over all gateways. */
  waiting(): number;
  /** Counts one more of `column`, unless `depth` wait already. */
  enterLine(column: number, depth: number): boolean;
  leaveLine(column: number): void;
  /** Says since when (Unix milliseconds) the first request of `column` has been waiting. */
  setSince(column: number, since: number): void;
  /** The column whose first request is next; -1 when nobody waits. */
  oldest(): number;
}

/** What waits. */
export interface Waiting {
  /** Its place in the line; null when it does not wait. Only the line writes it. */
  place: Place | null;
  /** Place in {@link PRIORITIES}. */
  readonly rank: number;
  /** Milliseconds until its response is due; infinite without a deadline. */
  remaining(now: number): number;
  /** It has left the line and is not served. */
  dismissed(why: Dismissal): void;
}

/** A place in the line, a node of its list. */
class Place implements DeadlineNode {
  dueAt = 0;
  duePrev: DeadlineNode | null = null;
  dueNext: DeadlineNode | null = null;
  dueIn: DeadlineList | null = null;
  prev: Place | null = null;
  next: Place | null = null;
  /** Null on the way from one line to the next. */
  line: Line | null = null;
  constructor(
    readonly owner: Waiting,
    /** Unix milliseconds. */
    public since: number,
  ) {}
}

export type { Place };

/** The waiting requests of one class, oldest first. */
class Queue {
  first: Place | null = null;
  last: Place | null = null;

  append(place: Place): void {
    place.prev = this.last;
    if (this.last === null) this.first = place;
    else this.last.next = place;
    this.last = place;
  }

  prepend(place: Place): void {
    place.next = this.first;
    if (this.first === null) this.last = place;
    else this.first.prev = place;
    this.first = place;
  }

  remove(place: Place): void {
    if (place.prev === null) this.first = place.next;
    else place.prev.next = place.next;
    if (place.next === null) this.last = place.prev;
    else place.next.prev = place.prev;
    place.prev = null;
    place.next = null;
  }
}

export interface LineOptions {
  readonly table: LineCells;
  readonly column: number;
  /** Most requests that may wait, over all gateways. */
  readonly depth: number;
  /** Longest wait, 0 for no limit. */
  readonly waitMs: number;
  /** Calls another gateway: a slot may be free for its first request. */
  readonly call: (column: number) => void;
  /** The clock of all times here: performance.now(). */
  readonly now: () => number;
  /** How long requests take; null: nothing is shed, and everybody is served in order until the longest wait. */
  readonly serviceTime: { readonly typicalMs: number; readonly neededMs: number } | null;
  /**
   * The line that requests go on to from here, by {@link Line.adopt} or {@link Line.leave}: the longest wait is that of both together,
   * and `waitMs` is not looked at.
   */
  readonly next?: Line;
}

/** The table compares these: a class comes before all of the class below, however long those have waited. */
const RANK_MS = 1e12;
/** One slot in so many goes to the lowest class that waits. */
const LOWEST_TURN = 16;

/** This gateway's part of the line. */
export class Line {
  readonly #options: LineOptions;
  readonly #waits: DeadlineList | undefined;
  readonly #queues: readonly Queue[] = PRIORITIES.map(() => new Queue());
  readonly #overload: Overload | null;
  #length = 0;
  #turn = 0;
  #serving = false;

  constructor(options: LineOptions) {
    this.#options = options;
    this.#overload = options.serviceTime === null ? null : new Overload();
    if (options.next !== undefined) this.#waits = options.next.#waits;
    else if (options.waitMs > 0) {
      this.#waits = new DeadlineList(options.waitMs, (node) => {
        const place = node as Place;
        const line = place.line!;
        line.#overload?.waitedInVain();
        line.#dismiss(place, "waited");
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

  /** What is to be thought of this gateway's part. */
  get state(): LineState {
    return this.#overload?.state ?? (this.#length === 0 ? "empty" : "standing");
  }

  /**
   * Puts a request at the end of its class. False when the line is full, and nobody of a lower class waits here who could be sent
   * away for it. `now` is performance.now().
   */
  enter(owner: Waiting, now: number): boolean {
    const { table, column, depth } = this.#options;
    if (!table.enterLine(column, depth)) {
      if (!this.#displace(owner.rank) || !table.enterLine(column, depth)) return false;
    }
    const place = this.#placeFor(owner, now);
    this.#queues[owner.rank]!.append(place);
    this.#waits?.enter(place, now);
    if (place.prev === null) this.#tellSince();
    return true;
  }

  /** Takes over a request that another line served: it comes to the end of its class, whatever the depth. What it may wait goes on. */
  adopt(owner: Waiting, now: number): void {
    const place = owner.place!;
    this.#options.table.enterLine(this.#options.column, Number.MAX_SAFE_INTEGER);
    place.since = performance.timeOrigin + now;
    this.#count(place);
    this.#queues[owner.rank]!.append(place);
    if (place.prev === null) this.#tellSince();
  }

  /** Puts a request at the head of its class: it had a slot and lost it through no fault of its own. The depth does not hold for it, and it keeps its age. */
  reenter(owner: Waiting, since: number): void {
    this.#options.table.enterLine(this.#options.column, Number.MAX_SAFE_INTEGER);
    const place = this.#placeFor(owner, since);
    this.#queues[owner.rank]!.prepend(place);
    this.#waits?.enter(place, this.#options.now());
    this.#tellSince();
  }

  /** Takes a request out of the line it is in, wherever it stands. Nothing happens when it does not wait. */
  static leave(owner: Waiting): void {
    const place = owner.place;
    if (place === null) return;
    owner.place = null;
    DeadlineList.leave(place);
    if (place.line !== null) place.line.#remove(place);
  }

  #remove(place: Place): void {
    const wasFirst = place.prev === null;
    place.line = null;
    this.#queues[place.owner.rank]!.remove(place);
    if (--this.#length === 0) this.#overload?.emptied();
    this.#options.table.leaveLine(this.#options.column);
    if (wasFirst) this.#tellSince();
  }

  /**
   * Gives free slots to those who wait: `take` takes one for a request (null when none is free), `start` sets it off with it. When the
   * next one waits at another gateway, that one is called instead, if a slot looks `free`.
   */
  serve<Lease>(desk: {
    free: () => boolean;
    take: (owner: Waiting) => Lease | null;
    start: (owner: Waiting, lease: Lease) => void;
  }): void {
    // Starting can answer a request at once, whose slot then is free again: the loop that runs already sees to it.
    if (this.#serving) return;
    this.#serving = true;
    const { table, column, call } = this.#options;
    this.shed(this.#options.now());
    while (table.waiting() > 0) {
      const oldest = table.oldest();
      if (oldest !== column && oldest !== -1) {
        if (desk.free()) call(oldest);
        break;
      }
      const next = this.#next();
      if (next === null) break;
      const lease = desk.take(next.owner);
      if (lease === null) break;
      if (this.#options.next === undefined) Line.leave(next.owner);
      else this.#remove(next);
      desk.start(next.owner, lease);
    }
    this.#serving = false;
  }

  /** While overloaded: sends away who has waited longer than their class may. */
  shed(now: number): void {
    const { serviceTime } = this.#options;
    if (serviceTime === null || this.state !== "overloaded") return;
    const wall = performance.timeOrigin + now;
    for (let rank = this.#queues.length - 1; rank >= 0; rank--) {
      const queue = this.#queues[rank]!;
      const before = wall - allowedWaitMs(rank, serviceTime.typicalMs);
      while (queue.first !== null && queue.first.since < before) this.#dismiss(queue.first, "shed");
    }
  }

  /** Takes everybody out, first to last. */
  clear(each: (owner: Waiting) => void): void {
    for (const queue of this.#queues) {
      for (let place = queue.first; place !== null; place = queue.first) {
        Line.leave(place.owner);
        each(place.owner);
      }
    }
  }

  /** Who is served next; those whose deadline is out of reach are sent away on the way. */
  #next(): Place | null {
    const { serviceTime } = this.#options;
    for (;;) {
      const queue = this.#queueInTurn();
      if (queue === null) return null;
      const now = this.#options.now();
      const place = this.state === "overloaded" ? queue.last! : queue.first!;
      if (serviceTime === null || place.owner.remaining(now) >= serviceTime.neededMs) return place;
      this.#overload?.waitedInVain();
      this.#dismiss(place, "too-late");
    }
  }

  #queueInTurn(): Queue | null {
    let highest: Queue | null = null;
    let lowest: Queue | null = null;
    for (const queue of this.#queues) {
      if (queue.first === null) continue;
      highest ??= queue;
      lowest = queue;
    }
    if (highest === lowest) return highest;
    return ++this.#turn % LOWEST_TURN === 0 ? lowest : highest;
  }

  /** Sends away the newest of the lowest class below `rank`. False when there is none. */
  #displace(rank: number): boolean {
    for (let lower = this.#queues.length - 1; lower > rank; lower--) {
      const { last } = this.#queues[lower]!;
      if (last === null) continue;
      this.#dismiss(last, "displaced");
      return true;
    }
    return false;
  }

  #dismiss(place: Place, why: Dismissal): void {
    Line.leave(place.owner);
    place.owner.dismissed(why);
  }

  /** @param since performance.now() */
  #placeFor(owner: Waiting, since: number): Place {
    const place = new Place(owner, performance.timeOrigin + since);
    owner.place = place;
    this.#count(place);
    return place;
  }

  #count(place: Place): void {
    place.line = this;
    if (this.#length++ === 0) this.#overload?.formed();
  }

  #tellSince(): void {
    let since = 0;
    for (let rank = this.#queues.length - 1; rank >= 0; rank--) {
      const { first } = this.#queues[rank]!;
      if (first !== null) since = first.since + rank * RANK_MS;
    }
    this.#options.table.setSince(this.#options.column, since);
  }
}

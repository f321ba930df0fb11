/**
 * Bulkheads inside a service: of requests of one kind, by path and method, at most so many are in flight at a time, over all gateways
 * and all instances of the revision. One that may not go on waits at the bulkhead, apart from the line: it holds nobody back.
 *
 * ```
 *             a permit is free                     a slot is free
 *   request ───────────────────▶ (line, if need be) ─────────────▶ instance ──app returned──▶ permit and slot are free
 *      │                               ▲
 *      └── none: waits at the bulkhead ┘ the oldest of the highest class goes on when one is free
 * ```
 * A permit is taken before the slot and given back with it, so what waits in the line with a permit counts. The depth of the line and
 * the longest wait hold for both waits together.
 */

import { moreMethodsFirst, takesMethod } from "../methods.ts";
import { appPath, decodedPath } from "../path.ts";
import type { LimitCells } from "./limit-cells.ts";
import { Line, type Waiting } from "./line.ts";

/** One kind of requests. */
export interface LimitSettings {
  /** By whole segments, as the app sees it. */
  readonly path: string;
  /** Upper case; empty for any. */
  readonly methods: readonly string[];
  /** Permits. */
  readonly slots: number;
}

/** A request, as far as bulkheads know it. */
export interface Limited extends Waiting {
  /** Index of its bulkhead, -1 for none. */
  limit: number;
  /** It holds a permit of it. */
  permit: boolean;
}

export interface BulkheadsOptions {
  readonly limits: readonly LimitSettings[];
  /** Of the shared table, one a limit. */
  readonly cells: readonly LimitCells[];
  readonly column: number;
  /** Most requests that may wait, in the line and at bulkheads. */
  readonly depth: number;
  readonly line: Line;
  readonly call: (column: number) => void;
  readonly now: () => number;
  /** A request that waited has its permit; it still has its place, for {@link Line.adopt}. */
  readonly onward: (request: Limited) => void;
}

interface Kind extends LimitSettings {
  /** The path with a slash at its end. */
  readonly below: string;
  readonly index: number;
}

/** This gateway's view of the bulkheads of a revision. */
export class Bulkheads {
  readonly #options: BulkheadsOptions;
  /** The one that says more comes first. */
  readonly #kinds: readonly Kind[];
  readonly #doors: readonly Line[];
  readonly #desks: readonly {
    free: () => boolean;
    take: () => true | null;
    start: (owner: Waiting) => void;
  }[];

  constructor(options: BulkheadsOptions) {
    const { limits, cells, column, depth, line, call, now } = options;
    this.#options = options;
    this.#kinds = limits
      .map((limit, index) => {
        const path = decodedPath(limit.path);
        return { ...limit, path, index, below: path === "/" ? "/" : `${path}/` };
      })
      .sort((a, b) => b.path.length - a.path.length || moreMethodsFirst(a.methods, b.methods));
    this.#doors = cells.map(
      (table) => new Line({ table, column, depth, waitMs: 0, call, now, serviceTime: null, next: line }),
    );
    this.#desks = limits.map((limit, index) => ({
      free: () => cells[index]!.taken() < limit.slots,
      take: () => (cells[index]!.take(column, limit.slots) ? true : null),
      start: (owner) => {
        const request = owner as Limited;
        request.permit = true;
        options.onward(request);
      },
    }));
  }

  /** The index of the bulkhead that a request belongs to: the longest path, then one that names methods. -1: none. */
  of(method: string, target: Uint8Array): number {
    const path = appPath(target);
    for (const { path: own, below, methods, index } of this.#kinds) {
      if (path !== own && !path.startsWith(below)) continue;
      if (takesMethod(methods, method)) return index;
    }
    return -1;
  }

  /** Takes a permit, unless none is free or others wait for one. */
  take(request: Limited): boolean {
    const { limit } = request;
    request.permit = !this.#doors[limit]!.busy && this.#desks[limit]!.take() !== null;
    return request.permit;
  }

  /** Lets a request wait at its bulkhead. False when as many wait as the line holds. */
  wait(request: Limited, arrivedAt: number): boolean {
    const door = this.#doors[request.limit]!;
    if (!door.enter(request, arrivedAt)) return false;
    // A permit may have become free between the look and the entry.
    door.serve(this.#desks[request.limit]!);
    return true;
  }

  /** Lets a request wait that had a permit and lost it through no fault of its own: it goes first, whatever the depth. */
  waitAgain(request: Limited, arrivedAt: number): void {
    const door = this.#doors[request.limit]!;
    door.reenter(request, arrivedAt);
    door.serve(this.#desks[request.limit]!);
  }

  /** A request does not need its permit any more: it goes to who waits for it. */
  give(request: Limited): void {
    if (!request.permit) return;
    request.permit = false;
    this.giveOf(request.limit);
  }

  /** A permit of this bulkhead is free again. */
  giveOf(limit: number): void {
    this.#options.cells[limit]!.give(this.#options.column);
    this.#serve(limit);
  }

  /** Permits may have become free. */
  serve(): void {
    for (let limit = 0; limit < this.#doors.length; limit++) this.#serve(limit);
  }

  #serve(limit: number): void {
    const door = this.#doors[limit]!;
    if (door.busy) door.serve(this.#desks[limit]!);
  }
}

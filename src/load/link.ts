/**
 * What the drivers know of a connection, be it HTTP or WebSocket.
 *
 * ```
 *   connecting ──ready──▶ idle ⇄ busy        (send; ended)
 *        └─────────┴────────┴──▶ gone        (the exchange it had, if any, has ended before)
 * ```
 */

import type { DeadlineList, DeadlineNode } from "../base/deadline-list.ts";
import type { Book } from "./book.ts";
import type { Failure } from "./messages.ts";
import type { Request } from "./request.ts";

/** One request and what becomes of it. Moments are those of `performance.now()`, 0 for "not yet". */
export class Exchange implements DeadlineNode {
  sentAt = 0;
  firstByteAt = 0;
  status = 0;
  /** It was sent over a kept connection that had been closed, and is sent again. */
  resent = false;
  link: Link | null = null;
  dueAt = 0;
  duePrev: DeadlineNode | null = null;
  dueNext: DeadlineNode | null = null;
  dueIn: DeadlineList | null = null;
  constructor(
    readonly request: Request,
    /** From when its user waits. */
    readonly intendedAt: number,
    /** Unique in the run; for placeholders. */
    readonly seq: number,
    /** Where it is counted. */
    readonly book: Book,
  ) {}
}

export type LinkState = "connecting" | "idle" | "busy" | "gone";

export interface Link {
  readonly state: LinkState;
  /** It was connected once, though it may be gone by now. */
  readonly connected: boolean;
  /** Requests answered over it. */
  readonly served: number;
  readonly origin: number;
  /** Only when idle. */
  send(exchange: Exchange): void;
  /** Ends what it carries with this failure and closes. */
  abort(failure: Failure): void;
  /** Closes; only without an exchange. */
  close(): void;
}

/** Whom a link tells. */
export interface LinkOwner {
  /** Connected, and nothing was given to it yet. */
  ready(link: Link, connectMs: number): void;
  /** Exactly once for each exchange. A link that is idle then can carry the next. */
  ended(link: Link, exchange: Exchange, failure: Failure | null): void;
  /** Exactly once, after all else. @param failure of the connection itself; null when it was closed in peace */
  gone(link: Link, failure: Failure | null): void;
}

/**
 * What happened of late, and who listens. Events are Headrace's own log records, of every level but debug, and the states of
 * instances; --log-level does not matter. The ring is bounded in events and in bytes, so a line of tracebacks does not fill the memory.
 */

import type { EventReport } from "../model/event.ts";
import type { LogRecord } from "../model/log.ts";
import { adminEvents } from "./signals.ts";

/** An event, written once for all who listen. */
export interface Held {
  readonly number: number;
  /** Empty where it is of no service. */
  readonly service: string;
  /** As server-sent events have it, with its empty line. */
  readonly text: string;
}

export interface FeedOptions {
  /** Most events that are held. */
  readonly capacity: number;
  /** Most bytes that they have together, about. */
  readonly bytes: number;
  /** Tells this run from others: a reader that comes back after a restart has seen none of these. */
  readonly run: string;
}

export const FEED: Omit<FeedOptions, "run"> = { capacity: 1_000, bytes: 4 * 1024 * 1024 };

/** Log records of level debug that are events all the same. */
const PUBLISHED: ReadonlySet<string> = new Set(["instance.started", "instance.state"]);

export class EventFeed {
  readonly #options: FeedOptions;
  readonly #held: Held[] = [];
  readonly #listeners = new Set<(held: Held) => void>();
  #bytes = 0;
  #number = 0;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Takes a log record; one that is no event is left out. */
  add(record: LogRecord): void {
    if (record.level === "debug" && !PUBLISHED.has(record.event)) return;
    const number = ++this.#number;
    const service = record.fields["service.name"];
    const held: Held = {
      number,
      service: typeof service === "string" ? service : "",
      text: written(`${this.#options.run}-${number}`, record),
    };
    this.#held.push(held);
    this.#bytes += held.text.length;
    const { capacity, bytes } = this.#options;
    while (this.#held.length > capacity || (this.#bytes > bytes && this.#held.length > 1)) {
      this.#bytes -= this.#held.shift()!.text.length;
    }
    for (const listener of this.#listeners) listener(held);
  }

  /** All events that are held, oldest first. */
  held(): readonly Held[] {
    return this.#held;
  }

  /**
   * What came after an event, and how many of that are no longer held.
   * @param id as a reader sent it; one of another run, or none of ours, was before all
   */
  after(id: string): { readonly held: readonly Held[]; readonly lost: number } {
    const [, run, text] = /^(.*)-(\d{1,15})$/.exec(id) ?? [];
    const seen = run === this.#options.run ? Number(text) : 0;
    const oldest = this.#held[0]?.number ?? this.#number + 1;
    return {
      held: this.#held.filter(({ number }) => number > seen),
      lost: Math.max(0, oldest - seen - 1),
    };
  }

  /** Answers how to stop listening. */
  listen(listener: (held: Held) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** What a reader is told whose next event is gone. It has no id, so that the reader's own stays what it was. */
export function lostText(lost: number): string {
  const event = "admin.events_lost";
  const message = `${lost} ${lost === 1 ? "event is" : "events are"} no longer held.`;
  const { level } = adminEvents[event];
  const data: EventReport = { id: "", time: Date.now(), level, event, message, fields: { lost } };
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

function written(id: string, { time, level, event, message, fields }: LogRecord): string {
  const data: EventReport = { id, time, level, event, message, fields };
  // JSON has no bare line feed, which would end the data.
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

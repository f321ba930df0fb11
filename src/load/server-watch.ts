/** The other side: what a Headrace says of the minutes in which it was loaded, read from its metrics once a second. */

import { messageOf } from "../base/errors.ts";
import type { RouteQuestion, RouteReport } from "../model/routed.ts";
import { Scrape } from "./prometheus.ts";
import type { ServerPoint, ServerTime, ServerView } from "./result.ts";

const EVERY_MS = 1_000;
const ANSWER_MS = 900;

const QUEUE = "headrace_queue_duration_seconds";
const SERVICE = "headrace_service_duration_seconds";

export interface WatchOptions {
  /** Base URL of the admin port. */
  readonly admin: string;
  /** Of the admin port; null where none is asked for. */
  readonly token: string | null;
  /** What the run asks for; null when that is not known before. */
  readonly asked: readonly RouteQuestion[] | null;
  /** Unix milliseconds of the start of the run. */
  readonly startsAt: number;
}

/** Looks at one Headrace from `start` to `stop`. What cannot be read leaves gaps, never a failed run. */
export class ServerWatch {
  readonly #options: WatchOptions;
  readonly #points: ServerPoint[] = [];
  #first: Scrape | null = null;
  #last: Scrape | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;
  #reading: Promise<void> | null = null;
  /** The services that the run asks; null: it cannot be told. */
  #services: ReadonlySet<string> | null = null;
  /** The services that are told apart there. */
  #told: readonly string[] = [];
  /** Why it could not be read, the last time; empty when it could. */
  #trouble = "";

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** The last point; null before there is one. */
  get latest(): ServerPoint | null {
    return this.#points.at(-1) ?? null;
  }

  /** Resolves after the first reading: whether there is something to be read. */
  async start(): Promise<boolean> {
    this.#services = await this.#asked();
    await this.#read();
    this.#timer = setInterval(() => {
      this.#reading ??= this.#read().finally(() => {
        this.#reading = null;
      });
    }, EVERY_MS);
    return this.#first !== null;
  }

  /** Reads a last time and answers everything; null when nothing could be read. */
  async stop(): Promise<ServerView | null> {
    clearInterval(this.#timer);
    await this.#reading;
    await this.#read();
    const [first, last] = [this.#first, this.#last];
    if (first === null || last === null) return null;
    return {
      admin: this.#options.admin,
      service: (this.#services === null ? this.#told : [...this.#services]).join(", "),
      requests: last.since(first, "headrace_requests_total"),
      refusals: last.sinceBy(first, "headrace_refusals_total", "reason"),
      coldStarts: last.since(first, "headrace_cold_starts_total"),
      queue: times(last, first, QUEUE),
      run: times(last, first, SERVICE),
      series: this.#points,
    };
  }

  /** What a reader of the figures has to know of them. Sentences. */
  notes(): readonly string[] {
    const { admin } = this.#options;
    if (this.#first === null) return [`The service's side could not be read at ${admin}: ${this.#trouble}.`];
    if (this.#services !== null || this.#told.length < 2) return [];
    return [
      "The service's side is that of all services there: which of them this run asked could not be told.",
    ];
  }

  /** By the routes of that Headrace: where it has several services, the figures of others are not those of this run. */
  async #asked(): Promise<ReadonlySet<string> | null> {
    const { asked } = this.#options;
    if (asked === null) return null;
    try {
      const found = await Promise.all(
        asked.map(async (question) => {
          const answer = await this.#ask("/v1/route", JSON.stringify(question));
          return ((await answer.json()) as RouteReport).service;
        }),
      );
      const services = new Set(found.filter((service) => service !== null));
      return services.size === 0 ? null : services;
    } catch {
      // An older one, or none at all: reading its metrics tells.
      return null;
    }
  }

  /** @param body of a POST; null for a GET */
  async #ask(path: string, body: string | null): Promise<Response> {
    const { admin, token } = this.#options;
    const answer = await fetch(`${admin}${path}`, {
      method: body === null ? "GET" : "POST",
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === null ? {} : { "content-type": "application/json" }),
      },
      body,
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return answer;
  }

  async #read(): Promise<void> {
    try {
      const text = await (await this.#ask("/metrics", null)).text();
      const services = this.#services;
      const scrape = new Scrape(text);
      this.#told = scrape.services;
      this.#take(services === null ? scrape : scrape.keep(services));
      this.#trouble = "";
    } catch (error) {
      this.#trouble = messageOf(error);
    }
  }

  #take(scrape: Scrape): void {
    const before = this.#last;
    this.#last = scrape;
    if (before === null) {
      this.#first = scrape;
      return;
    }
    this.#points.push({
      atS: (Date.now() - this.#options.startsAt) / 1_000,
      ready: scrape.sum("headrace_instances", { state: "ready" }),
      starting: scrape.sum("headrace_instances", { state: "starting" }),
      waiting: scrape.sum("headrace_line_waiting"),
      running: scrape.sum("headrace_instance_in_flight"),
      requests: scrape.since(before, "headrace_requests_total"),
      refused: scrape.since(before, "headrace_refusals_total"),
      coldStarts: scrape.since(before, "headrace_cold_starts_total"),
      queueP99Ms: scrape.quantileSince(before, QUEUE, 0.99) * 1_000,
      memoryBytes: scrape.sum("headrace_instance_memory_bytes") + scrape.sum("headrace_gateway_memory_bytes"),
    });
  }
}

function times(last: Scrape, first: Scrape, name: string): ServerTime {
  const count = last.since(first, `${name}_count`);
  const p50 = last.quantileIn(first, name, 0.5);
  const p99 = last.quantileIn(first, name, 0.99);
  return {
    meanMs: count === 0 ? 0 : (last.since(first, `${name}_sum`) / count) * 1_000,
    p50Ms: p50.value * 1_000,
    p99Ms: p99.value * 1_000,
    p50AtMostMs: p50.atMost === null ? null : p50.atMost * 1_000,
    p99AtMostMs: p99.atMost === null ? null : p99.atMost * 1_000,
  };
}

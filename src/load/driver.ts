/** What open, closed and holding drivers share: making connections, beginning and ending requests, stopping. */

import { readFileSync } from "node:fs";
import { DeadlineList } from "../base/deadline-list.ts";
import { Connection, type ConnectionShared } from "./connection.ts";
import { matcher } from "./expect.ts";
import { Exchange, type Link, type LinkOwner } from "./link.ts";
import { type Limits, readLimits } from "./machine.ts";
import type { Failure } from "./messages.ts";
import type { Destination, GeneratorPlan, OriginPlan } from "./plan.ts";
import { Random } from "./random.ts";
import type { Gauges, Recorder } from "./recorder.ts";
import { filler, type Request, RequestMix, type RequestPlan } from "./request.ts";
import { HeadMemory } from "./response.ts";
import { WebSocketLink } from "./websocket-link.ts";

/** Runs one plan. */
export abstract class Driver implements LinkOwner {
  protected readonly plan: GeneratorPlan;
  protected readonly recorder: Recorder;
  protected readonly random: Random;
  protected readonly mix: RequestMix;
  /** Moment of the start; 0 before it. */
  protected startedAt = 0;
  protected finishing = false;
  protected inFlight = 0;
  #mostInFlight = 0;
  /** Open and connecting. */
  protected readonly links = new Set<Link>();
  protected connecting = 0;
  /** What a link is to send as soon as it is connected. */
  readonly #pending = new Map<Link, Exchange>();
  readonly #deadlines: DeadlineList;
  readonly #shared: ConnectionShared;
  readonly #done = Promise.withResolvers<void>();
  #connected = 0;
  #mostConnected = 0;
  #settled = false;
  #turn = 0;
  #seq: number;
  #openings: number;
  #limits: Limits | undefined;

  constructor(plan: GeneratorPlan, recorder: Recorder) {
    this.plan = plan;
    this.recorder = recorder;
    this.random = new Random(plan.seed * 1_000 + plan.part.index);
    this.mix = new RequestMix(plan.requests);
    this.#seq = plan.part.index;
    this.#openings = plan.part.index;
    this.#turn = plan.part.index;
    this.#deadlines = new DeadlineList(plan.timeoutMs, (node) => this.#expired(node as Exchange));
    const caFile = plan.origins.find(({ tls }) => tls?.caFile)?.tls?.caFile ?? null;
    this.#shared = {
      recorder,
      memory: new HeadMemory(),
      random: this.random,
      matcher: matcher(plan.expect),
      keepAlive: plan.keepAlive,
      ca: caFile === null ? null : readFileSync(caFile, "utf8"),
    };
  }

  /** Begins. Resolves when everything has ended. */
  start(): Promise<void> {
    this.startedAt = performance.now();
    this.recorder.begin(this.startedAt);
    this.begin();
    // Its share may be nothing.
    this.settle();
    return this.#done.promise;
  }

  /** Begins nothing more; what is in flight after `graceMs` is given up. */
  finish(graceMs: number): void {
    this.finishing = true;
    this.recorder.endsAt = Math.min(this.recorder.endsAt, performance.now());
    this.stopBeginning();
    this.settle();
    setTimeout(() => this.#giveUp(), graceMs).unref();
  }

  gauges(): Gauges {
    const now = { connections: this.#connected, inFlight: this.inFlight, users: 0 };
    const most = { mostConnections: this.#mostConnected, mostInFlight: this.#mostInFlight };
    this.#mostConnected = this.#connected;
    this.#mostInFlight = this.inFlight;
    return { ...now, ...most };
  }

  protected abstract begin(): void;
  /** No request may be begun after it. */
  protected abstract stopBeginning(): void;
  /** Whether requests may still come though none is in flight. */
  protected abstract more(): boolean;
  /** A link is idle: just connected, or its answer was recorded. */
  protected abstract free(link: Link): void;
  /** A link is gone, its exchange recorded. */
  protected abstract lost(link: Link, failure: Failure | null): void;

  /** A new request, counted as begun. @param intendedAt moment from which its user waits, if not the one at which it was due */
  protected exchange(request: Request, dueAt: number, intendedAt = dueAt): Exchange {
    const book = this.recorder.book(dueAt);
    const exchange = new Exchange(request, intendedAt, this.#seq, book);
    this.#seq += this.plan.part.of;
    book.started++;
    this.inFlight++;
    if (this.inFlight > this.#mostInFlight) this.#mostInFlight = this.inFlight;
    this.#deadlines.enter(exchange, performance.now());
    return exchange;
  }

  /** Connects; the exchange, if there is one, is sent as soon as that is done. */
  protected connect(origin: number, exchange: Exchange | null): Link {
    const plan = this.plan.origins[origin]!;
    const turn = this.#turn++;
    const way = {
      origin,
      plan,
      to: plan.destinations[turn % plan.destinations.length]!,
      from: this.#from(plan, turn),
    };
    const link = this.plan.webSocket
      ? new WebSocketLink(way, { shared: this.#shared, opening: this.#opening(origin) }, this)
      : new Connection(way, this.#shared, this);
    this.links.add(link);
    this.connecting++;
    if (exchange !== null) {
      exchange.link = link;
      this.#pending.set(link, exchange);
    }
    return link;
  }

  /** An end of its own for each connection of all processes, so that the system need not look for one. */
  #from({ sources }: OriginPlan, turn: number): Destination | null {
    if (sources.length === 0) return null;
    const { index, of } = this.plan.part;
    const nth = (turn - index) * of + index;
    this.#limits ??= readLimits();
    const { firstPort, ports } = this.#limits;
    return {
      host: sources[nth % sources.length]!,
      port: firstPort + (Math.floor(nth / sources.length) % ports),
    };
  }

  /** What a WebSocket is opened with; its number is unique in the run, as that of a request. */
  #opening(origin: number): { readonly path: string; readonly headers: RequestPlan["headers"] } {
    const { path, headers } = this.plan.requests.find((request) => request.origin === origin)!;
    const seq = this.#openings;
    this.#openings += this.plan.part.of;
    const fill = filler({ seq, random: this.random });
    return { path: fill(path), headers: headers.map(([name, value]) => [name, fill(value)] as const) };
  }

  ready(link: Link, connectMs: number): void {
    this.connecting--;
    this.#connected++;
    if (this.#connected > this.#mostConnected) this.#mostConnected = this.#connected;
    this.recorder.connected(connectMs);
    const exchange = this.#pending.get(link);
    if (exchange !== undefined) {
      this.#pending.delete(link);
      link.send(exchange);
    } else this.free(link);
  }

  ended(link: Link, exchange: Exchange, failure: Failure | null): void {
    if (this.mayResend(link, exchange, failure)) {
      exchange.resent = true;
      exchange.book.resent++;
      this.connect(exchange.request.origin, exchange);
      return;
    }
    this.#record(exchange, failure);
    if (link.state === "idle") this.free(link);
    this.settle();
  }

  gone(link: Link, failure: Failure | null): void {
    this.links.delete(link);
    if (link.connected) this.#connected--;
    else this.connecting--;
    const exchange = this.#pending.get(link);
    if (exchange !== undefined) {
      this.#pending.delete(link);
      this.#record(exchange, failure ?? "connect");
    }
    this.lost(link, failure);
    this.settle();
  }

  /** Ends a request that no link carries. */
  protected drop(exchange: Exchange, failure: Failure): void {
    this.#record(exchange, failure);
    this.settle();
  }

  /** Looks whether that was all. */
  protected settle(): void {
    if (this.#settled || this.inFlight > 0 || (!this.finishing && this.more())) return;
    this.#settled = true;
    for (const link of this.links) link.close();
    this.#done.resolve();
  }

  /** Whether a request that met a kept connection which was closed meanwhile is sent again. */
  protected mayResend(link: Link, exchange: Exchange, failure: Failure | null): boolean {
    const stale = failure === "closed" || (failure === "reset" && exchange.firstByteAt === 0);
    return stale && link.served > 0 && !exchange.resent && exchange.request.idempotent && !this.finishing;
  }

  #record(exchange: Exchange, failure: Failure | null): void {
    DeadlineList.leave(exchange);
    this.inFlight--;
    const outcome = {
      name: exchange.request.name,
      intendedAt: exchange.intendedAt,
      sentAt: exchange.sentAt,
      firstByteAt: exchange.firstByteAt,
      endedAt: performance.now(),
      status: exchange.status,
      failure,
    };
    this.recorder.ended(outcome, exchange.book);
  }

  #expired(exchange: Exchange): void {
    const { link } = exchange;
    if (link === null) this.drop(exchange, "timeout");
    else link.abort(link.state === "connecting" ? "connect_timeout" : "timeout");
  }

  #giveUp(): void {
    for (const link of [...this.links]) link.abort("unfinished");
    this.abandon();
    this.settle();
  }

  /** Ends requests that wait for a link as unfinished. */
  protected abandon(): void {}
}

/**
 * The gateway processes: started, told which instances there are, replaced when they die, drained and stopped.
 *
 * ```
 *   starting ──ready──▶ ready ──drain──▶ draining ──exit──▶ gone
 *       └───────────────── died ────────────────────────────┘   (replaced, unless we stop)
 * ```
 * Each has a column in the shared table. The column of one that died is used again only when nothing is held in it: its requests
 * may still run in the instances.
 */

import { join } from "node:path";
import { backoffMs } from "../base/backoff.ts";
import { Exit, HeadraceError } from "../base/errors.ts";
import { createTurnsFile } from "../gateway/route/turns.ts";
import type { FrontSettings, Routing, ServiceSettings } from "../gateway/settings.ts";
import type { SlotTable } from "../gateway/table.ts";
import type { Address } from "../gateway/upstream.ts";
import type { LogRecord } from "../model/log.ts";
import { InternalPortBook } from "./internal-ports.ts";
import { type FromGateway, type RevisionStart, type ToGateway, TURNS_FILE } from "./messages.ts";

export interface GatewaysOptions {
  readonly count: number;
  /** Columns of every shared table. */
  readonly columns: number;
  readonly front: FrontSettings;
  readonly logLevel: "debug" | "info" | "warn" | "error";
  /** Counters of what belongs to no service. */
  readonly meterPath: string;
  readonly runDir: string;
  /** Starts a gateway process that speaks messages.ts on its channel. */
  readonly command: readonly string[];
  readonly ports: GatewaysPorts;
}

/** What the gateways have to know of a revision, and whom they tell what happens there. */
export interface GatewayRevision {
  readonly settings: ServiceSettings;
  readonly table: SlotTable;
  readonly meterPath: string;
  readonly ports: RevisionPorts;
}

export interface RevisionPorts {
  /** Requests wait or were refused in one of them, the first since (Unix milliseconds). */
  waits(since: number): void;
  stuck(instance: string, requestId: string): void;
  instanceLost(instance: string, protocolError: string): void;
}

export interface GatewaysPorts {
  log(record: LogRecord): void;
  /** One died unasked and is replaced after the delay. */
  died(gateway: number, pid: number, status: string, delayMs: number): void;
}

type State = "starting" | "ready" | "draining" | "gone";

export interface GatewayInfo {
  readonly id: number;
  readonly column: number;
  readonly pid: number;
  readonly state: State;
  readonly startedAt: number;
}

interface Gateway {
  readonly id: number;
  readonly column: number;
  readonly process: Bun.Subprocess;
  readonly startedAt: number;
  /** Resolves with the port once it listens; rejects when it cannot, or dies before. */
  readonly listening: PromiseWithResolvers<number>;
  readonly drained: PromiseWithResolvers<void>;
  state: State;
}

/** A revision with what is published of it. */
interface Known extends GatewayRevision {
  routes: readonly Address[];
  failing: boolean;
}

const REPLACE = { firstMs: 50, maxMs: 10_000, factor: 3, jitter: 0.2 };
/** A gateway that lived this long was a good one: its death begins a new count. */
const HEALTHY_MS = 30_000;

export class Gateways {
  readonly #options: GatewaysOptions;
  readonly #gateways = new Map<number, Gateway>();
  /** Columns of gateways that are gone, in which slots may still be held, by gateway id. */
  readonly #lostColumns = new Map<number, number>();
  readonly #acks = new Map<number, { missing: Set<number>; done: () => void }>();
  readonly #revisions = new Map<string, Known>();
  readonly #internal = new InternalPortBook();
  #routing: Routing = { services: [], redirects: [] };
  #stopping = false;
  #nextId = 1;
  #seq = 0;
  #port = 0;
  #deaths = 0;

  constructor(options: GatewaysOptions) {
    this.#options = options;
    this.#port = options.front.port;
  }

  /** Starts all of them. Resolves with the port once each listens. Throws HeadraceError when the address cannot be had. */
  async start(): Promise<number> {
    createTurnsFile(join(this.#options.runDir, TURNS_FILE));
    this.#port = await this.#launch().listening.promise;
    const rest: Promise<number>[] = [];
    for (let i = 1; i < this.#options.count; i++) rest.push(this.#launch().listening.promise);
    await Promise.all(rest);
    this.#internal.handOver();
    return this.#port;
  }

  /**
   * Chooses the ports by which these services will be called by others, and says where all that are known are: environment variables
   * for instances.
   */
  reserve(services: readonly string[]): Readonly<Record<string, string>> {
    this.#internal.reserve(services);
    return this.#internal.env;
  }

  list(): readonly GatewayInfo[] {
    return [...this.#gateways.values()].map(({ id, column, process, state, startedAt }) => {
      return { id, column, pid: process.pid, state, startedAt };
    });
  }

  /** Tells all gateways of a revision. Resolves once every one that lives knows it; requests go there when the routing says so. */
  add(revision: GatewayRevision): Promise<void> {
    const known: Known = { ...revision, routes: [], failing: false };
    this.#revisions.set(revision.settings.key, known);
    return this.#tellAll((seq) => ({ type: "revision", seq, revision: startOf(known) }));
  }

  /** A revision to which nothing is routed is gone. */
  async forget(revision: string): Promise<void> {
    if (!this.#revisions.has(revision)) return;
    await this.#tellAll((seq) => ({ type: "forget", seq, revision }));
    this.#revisions.delete(revision);
  }

  /** Exchanges the routing. Resolves once no gateway that lives goes by the old one. */
  async route(routing: Routing): Promise<void> {
    this.#routing = routing;
    const services = routing.services.map(({ service }) => service);
    this.#internal.reserve(services);
    this.#internal.keep(services);
    const internal = this.#internal.ports;
    await this.#tellAll((seq) => ({ type: "routing", seq, routing, internal }));
    if (this.#gateways.size > 0) this.#internal.handOver();
  }

  /** Tells all gateways which instances a revision has. Resolves once every one that lives has taken it over. */
  publish(revision: string, routes: readonly Address[]): Promise<void> {
    const known = this.#revisions.get(revision);
    if (known === undefined) return Promise.resolve();
    known.routes = routes;
    return this.#tellAll((seq) => ({ type: "routes", seq, revision, routes }));
  }

  #tellAll(message: (seq: number) => ToGateway): Promise<void> {
    const seq = ++this.#seq;
    const { promise, resolve } = Promise.withResolvers<void>();
    const missing = new Set<number>();
    for (const gateway of this.#gateways.values()) {
      if (gateway.state === "gone") continue;
      missing.add(gateway.id);
      this.#send(gateway, message(seq));
    }
    if (missing.size === 0) resolve();
    else this.#acks.set(seq, { missing, done: resolve });
    return promise;
  }

  setFailing(revision: string, failing: boolean): void {
    const known = this.#revisions.get(revision);
    if (known === undefined || failing === known.failing) return;
    known.failing = failing;
    for (const gateway of this.#gateways.values())
      this.#send(gateway, { type: "failing", revision, failing });
  }

  /** An instance on `row` says that nothing runs any more of what came from a connection of `id` that has ended. */
  released(
    revision: string,
    instance: string,
    place: { readonly row: number; readonly gateway: number },
  ): void {
    const { row, gateway: id } = place;
    const living = this.#gateways.get(id);
    if (living !== undefined) {
      this.#send(living, { type: "released", revision, instance });
      return;
    }
    const column = this.#lostColumns.get(id);
    if (column === undefined) return;
    this.#revisions.get(revision)?.table.reclaim(row, column);
    this.#reclaimLimits();
    this.#callAll();
  }

  /** An instance is gone, and with it what gateways that are gone had there. */
  rowFreed(): void {
    if (this.#lostColumns.size === 0) return;
    this.#reclaimLimits();
    this.#callAll();
  }

  /** Gives back what gateways that are gone held of the bulkheads, where nothing of theirs runs any more. */
  #reclaimLimits(): void {
    for (const column of this.#lostColumns.values()) {
      for (const { table } of this.#revisions.values()) table.reclaimLimits(column);
    }
  }

  /** No new connections; resolves once no request is left in any gateway. */
  async drain(): Promise<void> {
    this.#stopping = true;
    const all = [...this.#gateways.values()];
    for (const gateway of all) {
      gateway.state = "draining";
      this.#send(gateway, { type: "drain" });
    }
    await Promise.all(all.map((gateway) => Promise.race([gateway.drained.promise, gateway.process.exited])));
  }

  /** Cuts what is left. Resolves once every process is gone; one that does not go within `graceMs` is killed. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.#internal.handOver();
    const all = [...this.#gateways.values()];
    for (const gateway of all) this.#send(gateway, { type: "stop" });
    await Promise.all(
      all.map(async ({ process }) => {
        const timer = setTimeout(() => process.kill("SIGKILL"), graceMs);
        await process.exited;
        clearTimeout(timer);
      }),
    );
  }

  #launch(): Gateway {
    const id = this.#nextId++;
    const column = this.#freeColumn();
    const { command, front } = this.#options;
    const child = Bun.spawn([...command], {
      stdio: ["ignore", "inherit", "inherit"],
      serialization: "json",
      ipc: (message) => this.#receive(id, message as FromGateway),
    });
    const gateway: Gateway = {
      id,
      column,
      process: child,
      startedAt: performance.now(),
      listening: Promise.withResolvers<number>(),
      drained: Promise.withResolvers<void>(),
      state: "starting",
    };
    gateway.listening.promise.catch(() => {});
    this.#gateways.set(id, gateway);
    this.#send(gateway, {
      type: "start",
      front: { ...front, port: this.#port },
      logLevel: this.#options.logLevel,
      meter: this.#options.meterPath,
      runDir: this.#options.runDir,
      column,
      gateway: id,
      revisions: [...this.#revisions.values()].map(startOf),
      routing: this.#routing,
      internal: this.#internal.ports,
    });
    void child.exited.then(() => this.#onExit(gateway));
    return gateway;
  }

  #receive(id: number, message: FromGateway): void {
    const gateway = this.#gateways.get(id);
    if (gateway === undefined) return;
    const { ports } = this.#options;
    switch (message.type) {
      case "ready":
        gateway.state = "ready";
        gateway.listening.resolve(message.port);
        // What was published between its start and now.
        for (const [revision, { routes }] of this.#revisions) {
          this.#send(gateway, { type: "routes", seq: this.#seq, revision, routes });
        }
        return;
      case "failed":
        gateway.listening.reject(cannotListen(message.code, message.message));
        return;
      case "ack":
        this.#acknowledge(id, message.seq);
        return;
      case "waits":
        this.#revisions.get(message.revision)?.ports.waits(message.since);
        return;
      case "stuck":
        this.#revisions.get(message.revision)?.ports.stuck(message.instance, message.requestId);
        return;
      case "instance-lost":
        this.#revisions.get(message.revision)?.ports.instanceLost(message.instance, message.protocolError);
        return;
      case "drained":
        gateway.drained.resolve();
        return;
      case "log":
        ports.log(message.record);
    }
  }

  #onExit(gateway: Gateway): void {
    const wasReady = gateway.state === "ready";
    gateway.state = "gone";
    this.#gateways.delete(gateway.id);
    this.#lostColumns.set(gateway.id, gateway.column);
    for (const { table } of this.#revisions.values()) table.dropWaiting(gateway.column);
    this.#reclaimLimits();
    for (const seq of [...this.#acks.keys()]) this.#acknowledge(gateway.id, seq);
    const { signalCode, exitCode } = gateway.process;
    gateway.listening.reject(cannotListen("", `the gateway process ended (${signalCode ?? exitCode})`));
    this.#callAll();
    if (this.#stopping || !wasReady) return;
    if (performance.now() - gateway.startedAt > HEALTHY_MS) this.#deaths = 0;
    this.#deaths++;
    this.#replace(gateway.id, gateway.process.pid, String(signalCode ?? exitCode));
  }

  #replace(id: number, pid: number, status: string): void {
    const delayMs = this.#deaths === 1 ? 0 : backoffMs(REPLACE, this.#deaths - 1, Math.random());
    this.#options.ports.died(id, pid, status, delayMs);
    setTimeout(() => {
      if (this.#stopping) return;
      const next = this.#launch();
      next.listening.promise.catch(() => {
        this.#deaths++;
        if (!this.#stopping) this.#replace(next.id, next.process.pid, "cannot listen");
      });
    }, delayMs);
  }

  /** A column that no living gateway has and in which nothing is held. */
  #freeColumn(): number {
    const tables = [...this.#revisions.values()].map(({ table }) => table);
    const used = new Set([...this.#gateways.values()].map((gateway) => gateway.column));
    for (const [id, column] of this.#lostColumns) {
      if (tables.some((table) => table.holds(column))) used.add(column);
      else this.#lostColumns.delete(id);
    }
    for (let column = 0; column < this.#options.columns; column++) if (!used.has(column)) return column;
    throw new Error("every column of the shared table is taken");
  }

  #acknowledge(id: number, seq: number): void {
    const ack = this.#acks.get(seq);
    if (ack === undefined) return;
    ack.missing.delete(id);
    if (ack.missing.size > 0) return;
    this.#acks.delete(seq);
    ack.done();
  }

  /** Slots may have become free without anybody having given them: all gateways look. */
  #callAll(): void {
    for (const gateway of this.#gateways.values()) this.#send(gateway, { type: "look" });
  }

  #send(gateway: Gateway, message: ToGateway): void {
    if (gateway.state === "gone") return;
    try {
      gateway.process.send(message);
    } catch {
      // It is dying; its exit is on the way.
    }
  }
}

function startOf({ settings, table, meterPath, routes, failing }: Known): RevisionStart {
  return { settings, table: table.path, meter: meterPath, routes, failing };
}

function cannotListen(code: string, message: string): HeadraceError {
  if (code === "") return new HeadraceError("gateway_failed", message, { exit: Exit.SYSTEM });
  return new HeadraceError(code, message, { exit: Exit.USAGE });
}

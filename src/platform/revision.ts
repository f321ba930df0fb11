/** One running revision of a service: its shared table, its counters, its pool of instances, its autoscaler. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import { Exit, HeadraceError, messageOf } from "../base/errors.ts";
import type { RunConfig } from "../config/run-config.ts";
import { createMeterFile, MeterReader } from "../gateway/meter.ts";
import { SlotTable } from "../gateway/table.ts";
import {
  findInterpreter,
  logRecord,
  type OutputLine,
  Pool,
  type PoolEvent,
  type PoolPorts,
  type PoolSpec,
} from "../instances/index.ts";
import type { LogSink } from "../model/log.ts";
import { autoscalerSettings } from "./autoscaler-settings.ts";
import { ConcurrencyControl } from "./concurrency.ts";
import { serviceSettings } from "./gateway-settings.ts";
import type { Gateways, RevisionPorts } from "./gateways.ts";
import { appFolder, instanceEnv, poolSpec } from "./pool-spec.ts";
import { Scaling } from "./scaling.ts";
import { StartTimes } from "./start-times.ts";

export interface RevisionOptions {
  readonly config: RunConfig;
  /** `rev-3`. */
  readonly name: string;
  /** What the gateways call it: no other revision, of any service, ever had this key. */
  readonly key: string;
  /** A folder of its own for sockets and shared memory; it is made, its parent is there. */
  readonly runDir: string;
  /** Columns of the shared tables: one a gateway process. */
  readonly columns: number;
  readonly gateways: Gateways;
  readonly log: LogSink;
  /** Code that is imported in place of what is on disk; empty for none. */
  readonly sources: PoolSpec["sources"];
  /** Instances at the start; undefined: as the config says. Where their number is fixed, the config's. */
  readonly instances?: number;
  /** A line that the app wrote. */
  readonly output: (line: OutputLine) => void;
}

/** An instance that had been ready ended unasked. */
export interface Crash {
  readonly uptimeMs: number;
  /** Last lines of its stderr. */
  readonly output: readonly string[];
}

/** An instance that leaves keeps its row until it is gone, and a reload has two generations. */
const SPARE_ROWS = 512;
/** No request waits longer than this for an instance to start and still wants to know how. */
const NEWS_MS = 60_000;

export class Revision {
  readonly name: string;
  readonly key: string;
  readonly config: RunConfig;
  /** Its own folder. */
  readonly runDir: string;
  readonly table: SlotTable;
  readonly meter: MeterReader;
  readonly meterPath: string;
  /** How long instances took to start, by phase. */
  readonly starts = new StartTimes();
  readonly #options: RevisionOptions;
  readonly #rowsById = new Map<string, number>();
  #pool: Pool | undefined;
  #scaling: Scaling | undefined;
  #control: ConcurrencyControl | undefined;
  /** How long the instance took that was ready last. */
  #startMs: number | undefined;
  #crashes = 0;
  readonly #firstCrash = Promise.withResolvers<Crash>();

  /** Makes the shared files. */
  constructor(options: RevisionOptions) {
    const { config, runDir, columns } = options;
    this.#options = options;
    this.name = options.name;
    this.key = options.key;
    this.runDir = runDir;
    this.config = config;
    mkdirSync(runDir, { recursive: true, mode: 0o700 });
    const rows = SPARE_ROWS + 2 * (config.scaling?.maxInstances ?? config.instances);
    this.table = SlotTable.create(join(runDir, "slots"), { rows, columns, limits: config.limits.length });
    this.meterPath = join(runDir, "meter");
    createMeterFile(this.meterPath, columns);
    this.meter = new MeterReader(this.meterPath, columns);
  }

  /** @throws Error before {@link prepare} */
  get pool(): Pool {
    if (this.#pool === undefined) throw new Error(`${this.key} has not been prepared`);
    return this.#pool;
  }

  /** Instances that had been ready and ended unasked. */
  get crashes(): number {
    return this.#crashes;
  }

  /** The first of them. Never resolves when there is none. */
  get firstCrash(): Promise<Crash> {
    return this.#firstCrash.promise;
  }

  /** Undefined where the number of instances is fixed, and before {@link start}. */
  get scaling(): Scaling | undefined {
    return this.#scaling;
  }

  /** Undefined where the slots are given, and before {@link start}. */
  get control(): ConcurrencyControl | undefined {
    return this.#control;
  }

  /**
   * Finds the interpreter and tells the gateways of itself: requests that are routed here wait in the line from now on.
   * @throws HeadraceError when there is no interpreter
   */
  async prepare(): Promise<void> {
    const { config, gateways, runDir, sources } = this.#options;
    const interpreter = await findInterpreter({
      python: config.python === "" ? null : config.python,
      appDir: appFolder(config),
      cwd: config.cwd,
      env: process.env,
    });
    const instances = this.#options.instances;
    const spec = poolSpec(config, {
      ...{ python: interpreter.path, runDir, revision: this.name, sources },
      instances: config.scaling === null ? undefined : instances,
    });
    this.#pool = new Pool(spec, this.#poolPorts());
    await gateways.add({
      settings: serviceSettings(config, {
        ...{ revision: this.name, key: this.key },
        secret: crypto.randomUUID(),
      }),
      table: this.table,
      meterPath: this.meterPath,
      ports: this.#gatewayPorts(),
    });
  }

  /**
   * Starts the pool, and the autoscaler once an instance is ready. {@link prepare} comes first.
   * @throws HeadraceError when the app does not start; {@link stop} takes down what is left
   */
  async start(): Promise<void> {
    await this.pool.start();
    this.#startScaling();
    this.#startMeasuring();
  }

  /** Once an instance is ready, so that it is known that the app starts. */
  #startScaling(): void {
    const { config, gateways, log } = this.#options;
    if (config.scaling === null) return;
    const settings = autoscalerSettings(config.scaling, config.concurrency);
    this.#scaling = new Scaling(settings, {
      table: this.table,
      meter: this.meter,
      gateways,
      pool: this.pool,
      limits: { cpu: config.cpu, memory: config.memory },
      log,
    });
    const { loop } = this.#scaling;
    if (this.#startMs !== undefined) loop.instanceReady(this.#startMs);
    loop.start();
  }

  /** Where the slots are not given. */
  #startMeasuring(): void {
    const { concurrency, concurrencyMost } = this.config;
    if (concurrencyMost === null) return;
    const settings = { least: 1, most: concurrencyMost, initial: concurrency };
    const { table, meter, pool } = this;
    this.#control = new ConcurrencyControl({
      ...{ clock: systemClock, table, meter, pool, settings },
      packable: this.config.affinity === null,
      changed: (limit, why) => this.#slotsChanged(limit, why),
    });
  }

  #slotsChanged(limit: number, why: string): void {
    this.#scaling?.loop.setConcurrency(limit);
    const message = `Slots of an instance: ${limit} (${why})`;
    const event = "autoscaler.concurrency";
    this.#options.log({ time: Date.now(), level: "info", event, message, fields: { slots: limit } });
  }

  /** No more instances are started or stopped for the load's sake. */
  hold(): void {
    this.#control?.stop();
    this.#scaling?.stop();
  }

  /** Stops the instances once their requests are done, or `drainMs` are over. */
  async stop(drainMs: number): Promise<void> {
    this.hold();
    await this.#pool?.stop({ drainMs });
  }

  /** Ends the instances at once. */
  kill(): void {
    this.hold();
    this.#pool?.kill();
  }

  /** Replaces an instance. False when there is none of this id. */
  async restart(instance: string): Promise<boolean> {
    const known = (await this.pool.report()).some((part) => part.id === instance);
    if (known) await this.pool.recycle(instance, "asked for");
    return known;
  }

  /**
   * Replaces all instances that are ready, one after the other.
   * @throws HeadraceError restart_failed when a new one does not start; those that were not replaced stay
   */
  async restartAll(): Promise<void> {
    for (const { id, state } of await this.pool.report()) {
      if (state !== "ready" || (await this.pool.recycle(id, "asked for"))) continue;
      const stays = (await this.pool.report()).some((part) => part.id === id && part.state === "ready");
      if (!stays) continue;
      const message = `The replacement of ${id} did not start, so it stays; the log says why.`;
      throw new HeadraceError("restart_failed", message, { exit: Exit.APP });
    }
  }

  /** Requests that no instance has yet: they keep the revision from being stopped without harm. */
  waiting(): boolean {
    return this.table.waitingAll() > 0;
  }

  /**
   * Replaces all instances, by ones with these variables instead of those of its config.
   * @throws HeadraceError restart_failed when the new ones do not start; the old ones stay
   */
  async restartWith(env: RunConfig["env"]): Promise<void> {
    await this.pool
      .reload({ env: instanceEnv({ ...this.config, env }, this.name) })
      .catch((error: unknown) => {
        const message = `The new instances did not start, so the old ones stay: ${messageOf(error)}`;
        throw new HeadraceError("restart_failed", message, { exit: Exit.APP, cause: error });
      });
  }

  #poolPorts(): PoolPorts {
    const { table } = this;
    const { gateways } = this.#options;
    return {
      clock: systemClock,
      random: Math.random,
      rows: {
        acquire: (slots) => {
          const row = table.openRow(this.#control?.limit ?? Math.min(slots, this.config.concurrency));
          if (row === undefined) return undefined;
          return { row, tablePath: table.path, begunOffset: table.begunOffset(row) };
        },
        close: (row) => table.closeRow(row),
        inFlight: (row) => table.inFlight(row),
        served: (row) => table.served(row),
        free: (row) => {
          table.freeRow(row);
          gateways.rowFreed();
          for (const [id, other] of this.#rowsById) if (other === row) this.#rowsById.delete(id);
        },
      },
      routes: {
        publish: (routes) => {
          for (const { id, row } of routes) this.#rowsById.set(id, row);
          const news = Date.now() - NEWS_MS;
          return gateways.publish(
            this.key,
            routes.map(({ id, row, socket, readyAt, phases }) => {
              return { id, row, socket, ...(readyAt > news ? { start: { readyAt, phases } } : {}) };
            }),
          );
        },
      },
      gatewayReleased: (instance, gateway) => {
        const row = this.#rowsById.get(instance);
        if (row !== undefined) gateways.released(this.key, instance, { row, gateway });
      },
      output: this.#options.output,
      event: (event) => this.#onPoolEvent(event),
    };
  }

  #onPoolEvent(event: PoolEvent): void {
    const { gateways, log } = this.#options;
    log(logRecord(event, Date.now()));
    if (event.kind === "crashed") {
      this.#crashes++;
      this.#firstCrash.resolve(event);
    } else if (event.kind === "crash-loop") gateways.setFailing(this.key, true);
    else if (event.kind === "ready") {
      gateways.setFailing(this.key, false);
      this.#startMs = event.startMs;
      this.starts.observe(event.phases);
      this.#scaling?.loop.instanceReady(event.startMs);
    }
  }

  #gatewayPorts(): RevisionPorts {
    const { config, log } = this.#options;
    return {
      waits: (since) => this.#scaling?.loop.lineFormed(since - performance.timeOrigin),
      stuck: (instance, requestId) => {
        const seconds = (config.timeoutMs + config.timeoutGraceMs) / 1000;
        const reason = `request ${requestId} has not returned after ${seconds} s`;
        void this.#pool?.stuck(instance, reason);
      },
      instanceLost: (instance, error) => {
        if (error === "") return;
        const message = `${instance} broke the worker protocol, its connection was closed: ${error}`;
        const event = "gateway.protocol_error";
        log({ time: Date.now(), level: "error", event, message, fields: { instance, error } });
      },
    };
  }
}

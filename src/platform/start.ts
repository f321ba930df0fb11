/** The composition root: binds the rooms to each other for one service on one machine, and takes them down again. */

import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import { Exit, HeadraceError } from "../base/errors.ts";
import { ReleaseStack } from "../base/release.ts";
import type { RunConfig } from "../config/run-config.ts";
import { revisionName } from "../config/service.ts";
import { createMeterFile, MeterReader } from "../gateway/meter.ts";
import { SlotTable } from "../gateway/table.ts";
import {
  findInterpreter,
  logRecord,
  type OutputLine,
  Pool,
  type PoolEvent,
  type PoolPorts,
} from "../instances/index.ts";
import type { StatusReport } from "../model/instance.ts";
import type { LogSink } from "../model/log.ts";
import type { MetricFamily } from "../model/metric.ts";
import type { DecisionReport } from "../model/scaling.ts";
import { probePort, urlOf } from "./address.ts";
import { gatewaySettings } from "./gateway-settings.ts";
import { Gateways } from "./gateways.ts";
import { appFolder, poolSpec } from "./pool-spec.ts";
import { watchForReload } from "./reload.ts";
import { Reporter } from "./report.ts";
import { autoscalerSettings, Scaling, type ScalingParts } from "./scaling.ts";

/** What the caller gives the platform. */
export interface PlatformIo {
  readonly log: LogSink;
  /** A line that the app wrote. */
  readonly output: (line: OutputLine) => void;
  /** Starts a gateway process: the arguments of {@link Bun.spawn}. */
  readonly gatewayCommand: readonly string[];
  /** Gives the start up. Means nothing once it is done. */
  readonly cancel: AbortSignal;
}

/** A running Headrace. */
export interface Running {
  /** Where the service answers. */
  readonly url: string;
  /** Resolves with the exit code once everything is down. */
  readonly done: Promise<number>;
  /** Drains and stops; with `force` at once. Calling it again only adds force. */
  stop(reason: string, options?: { readonly force?: boolean }): Promise<void>;
  status(): Promise<StatusReport>;
  metrics(): Promise<MetricFamily[]>;
  ready(): { readonly ready: boolean; readonly why: string };
  /** What the autoscaler decided of late, oldest first; empty without one. */
  decisions(): readonly DecisionReport[];
  /** New instances first, then the old ones go. Rejects with HeadraceError when the new ones do not start; the old ones stay. */
  reload(): Promise<void>;
  /** Has an instance write the stacks of all its threads to the log. False when there is no such instance. */
  stacks(instance: string): boolean;
  /** Replaces one instance. False when there is no such instance. */
  restart(instance: string): Promise<boolean>;
}

/** An instance that leaves keeps its row until it is gone, and a reload has two generations. */
const SPARE_ROWS = 512;
/** Columns beyond one a gateway: those of gateways that died stay taken while their requests still run. */
const SPARE_COLUMNS = 14;
const GATEWAY_STOP_MS = 2_000;
const AFTER_DRAIN_MS = 1_000;

/**
 * Starts everything. Resolves when the gateways listen and an instance is ready.
 * @throws HeadraceError when the port, the interpreter or the app cannot be had, or the start was given up; nothing is left running
 * then
 */
export async function start(config: RunConfig, io: PlatformIo): Promise<Running> {
  const release = new ReleaseStack();
  try {
    if (config.uds === "") probePort(config.host, config.port);
    return await unlessCancelled(new Platform(config, io, release).start(), io.cancel);
  } catch (error) {
    await release.release();
    throw error;
  }
}

async function unlessCancelled(starting: Promise<Running>, cancel: AbortSignal): Promise<Running> {
  // What is released under its feet ends it with errors that nobody needs any more.
  starting.catch(() => {});
  const cancelled = Promise.withResolvers<never>();
  const give = () => cancelled.reject(new HeadraceError("start_cancelled", "The start was given up."));
  if (cancel.aborted) give();
  cancel.addEventListener("abort", give, { once: true });
  try {
    return await Promise.race([starting, cancelled.promise]);
  } finally {
    cancel.removeEventListener("abort", give);
  }
}

class Platform {
  readonly #config: RunConfig;
  readonly #io: PlatformIo;
  readonly #release: ReleaseStack;
  readonly #done = Promise.withResolvers<number>();
  #stopping: Promise<void> | undefined;
  #forced = false;
  #pool: Pool | undefined;
  #gateways: Gateways | undefined;
  #scaling: Scaling | undefined;
  /** How long the instance took that was ready last. */
  #startMs: number | undefined;

  constructor(config: RunConfig, io: PlatformIo, release: ReleaseStack) {
    this.#config = config;
    this.#io = io;
    this.#release = release;
  }

  async start(): Promise<Running> {
    const config = this.#config;
    const runDir = this.#runDir();
    const revision = revisionName(config.service);
    const table = SlotTable.create(join(runDir, "slots"), {
      rows: SPARE_ROWS + 2 * (config.scaling?.maxInstances ?? config.instances),
      columns: config.gateways + SPARE_COLUMNS,
    });
    const meterPath = join(runDir, "meter");
    createMeterFile(meterPath, table.columns);
    const interpreter = await findInterpreter({
      python: config.python === "" ? null : config.python,
      appDir: appFolder(config),
      cwd: config.cwd,
      env: process.env,
    });
    const gateways = new Gateways({
      count: config.gateways,
      settings: gatewaySettings(config, config.port, revision),
      logLevel: config.logLevel,
      table,
      meterPath,
      runDir,
      command: this.#io.gatewayCommand,
      ports: this.#gatewayPorts(),
    });
    this.#gateways = gateways;
    const rowsById = new Map<string, number>();
    const spec = poolSpec(config, { python: interpreter.path, runDir, revision });
    const pool = new Pool(spec, this.#poolPorts(table, gateways, rowsById));
    this.#pool = pool;
    this.#release.push(() => gateways.stop(GATEWAY_STOP_MS));
    this.#release.push(() => pool.stop({ drainMs: 0 }));
    // Both at once: requests that come while the app starts wait in the line.
    const listening = gateways.start();
    const [port] = await Promise.all([listening, pool.start()]);
    if (config.reload) this.#release.push(watchForReload(config, () => pool.reload(), this.#io.log));
    const url = urlOf(config, port);
    const meter = new MeterReader(meterPath, table.columns);
    const parts = { table, gateways, pool, meter };
    this.#startScaling(parts);
    return this.#running(url, new Reporter({ config, revision, url, ...parts, scaling: this.#scaling }));
  }

  /** Once an instance is ready, so that it is known that the app starts. */
  #startScaling(parts: Pick<ScalingParts, "table" | "gateways" | "pool" | "meter">): void {
    const { scaling, concurrency } = this.#config;
    if (scaling === null) return;
    const settings = autoscalerSettings(scaling, concurrency);
    this.#scaling = new Scaling(settings, { ...parts, log: this.#io.log });
    const { loop } = this.#scaling;
    this.#release.push(() => loop.stop());
    if (this.#startMs !== undefined) loop.instanceReady(this.#startMs);
    loop.start();
  }

  #running(url: string, reporter: Reporter): Running {
    const pool = this.#pool!;
    return {
      url,
      done: this.#done.promise,
      stop: (reason, options) => this.#stop(reason, options?.force === true),
      status: () => reporter.status(),
      metrics: () => reporter.metrics(),
      ready: () => reporter.ready(),
      decisions: () => this.#scaling?.decisions.list() ?? [],
      reload: () => pool.reload(),
      stacks: (instance) => pool.stacks(instance),
      restart: async (instance) => {
        const known = (await pool.report()).some((part) => part.id === instance);
        if (known) await pool.recycle(instance, "asked for");
        return known;
      },
    };
  }

  #stop(reason: string, force: boolean): Promise<void> {
    if (force && !this.#forced) {
      this.#forced = true;
      this.#pool?.kill();
      void this.#gateways?.stop(0);
    }
    this.#stopping ??= this.#drain(reason);
    return this.#stopping;
  }

  /** No new connections; what is in flight finishes, within the drain time; then instances, then gateways go. */
  async #drain(reason: string): Promise<void> {
    const { drainTimeoutMs } = this.#config;
    const fields = { reason, drain_ms: drainTimeoutMs };
    this.#scaling?.loop.stop();
    this.#log("info", "platform.stopping", `Stopping: ${reason}`, fields);
    if (!this.#forced) {
      const drained = this.#gateways!.drain();
      const timer = Promise.withResolvers<void>();
      const cancel = systemClock.after(drainTimeoutMs, timer.resolve);
      await Promise.race([drained, timer.promise]);
      cancel();
      await this.#pool!.stop({ drainMs: AFTER_DRAIN_MS });
    }
    await this.#release.release();
    this.#log("info", "platform.stopped", "Stopped", {});
    this.#done.resolve(this.#forced ? Exit.SYSTEM : Exit.OK);
  }

  #poolPorts(table: SlotTable, gateways: Gateways, rowsById: Map<string, number>): PoolPorts {
    return {
      clock: systemClock,
      random: Math.random,
      rows: {
        acquire: (slots) => {
          const row = table.openRow(slots);
          if (row === undefined) return undefined;
          return { row, tablePath: table.path, begunOffset: table.begunOffset(row) };
        },
        close: (row) => table.closeRow(row),
        inFlight: (row) => table.inFlight(row),
        free: (row) => {
          table.freeRow(row);
          for (const [id, other] of rowsById) if (other === row) rowsById.delete(id);
        },
      },
      routes: {
        publish: (routes) => {
          for (const { id, row } of routes) rowsById.set(id, row);
          return gateways.publish(routes.map(({ id, row, socket }) => ({ id, row, socket })));
        },
      },
      gatewayReleased: (instance, gateway) => {
        const row = rowsById.get(instance);
        if (row !== undefined) gateways.released(instance, row, gateway);
      },
      output: this.#io.output,
      event: (event) => this.#onPoolEvent(event, gateways),
    };
  }

  #onPoolEvent(event: PoolEvent, gateways: Gateways): void {
    this.#io.log(logRecord(event, Date.now()));
    if (event.kind === "crash-loop") gateways.setFailing(true);
    else if (event.kind === "ready") {
      gateways.setFailing(false);
      this.#startMs = event.startMs;
      this.#scaling?.loop.instanceReady(event.startMs);
    }
  }

  #gatewayPorts(): ConstructorParameters<typeof Gateways>[0]["ports"] {
    return {
      waits: (since) => this.#scaling?.loop.lineFormed(since - performance.timeOrigin),
      stuck: (instance, requestId) => {
        const seconds = (this.#config.timeoutMs + this.#config.timeoutGraceMs) / 1000;
        const reason = `request ${requestId} has not returned after ${seconds} s`;
        void this.#pool?.stuck(instance, reason);
      },
      instanceLost: (instance, protocolError) => {
        if (protocolError === "") return;
        const message = `${instance} broke the worker protocol, its connection was closed: ${protocolError}`;
        this.#log("error", "gateway.protocol_error", message, { instance, error: protocolError });
      },
      log: this.#io.log,
      died: (gateway, pid, status, delayMs) => {
        const when = delayMs === 0 ? "now" : `in ${delayMs} ms`;
        const message = `Gateway ${gateway} ended (${status}); a new one starts ${when}`;
        this.#log("error", "platform.gateway_died", message, { gateway, pid, status, delay_ms: delayMs });
      },
    };
  }

  /** A folder of our own for sockets and the shared table: only this user can enter it, and its path is short enough for sockets. */
  #runDir(): string {
    const base = process.env["XDG_RUNTIME_DIR"] ?? tmpdir();
    const runDir = mkdtempSync(join(base.length > 40 ? "/tmp" : base, "headrace-"));
    chmodSync(runDir, 0o700);
    this.#release.push(() => rmSync(runDir, { recursive: true, force: true }));
    return runDir;
  }

  #log(
    level: "info" | "error",
    event: string,
    message: string,
    fields: Record<string, string | number>,
  ): void {
    this.#io.log({ time: Date.now(), level, event, message, fields });
  }
}

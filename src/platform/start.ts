/** The composition root: binds the rooms to each other for one service on one machine, and takes them down again. */

import { join } from "node:path";
import { Exit } from "../base/errors.ts";
import { ReleaseStack } from "../base/release.ts";
import type { RunConfig } from "../config/run-config.ts";
import { revisionName } from "../config/service.ts";
import type { OutputLine } from "../instances/index.ts";
import type { StatusReport } from "../model/instance.ts";
import type { LogSink } from "../model/log.ts";
import type { MetricFamily } from "../model/metric.ts";
import type { DecisionReport } from "../model/scaling.ts";
import { probePort, urlOf } from "./address.ts";
import { gatewaysPorts, makeRunDir, SPARE_COLUMNS, unlessCancelled, within } from "./common.ts";
import { frontSettings, soleRouting } from "./gateway-settings.ts";
import { Gateways } from "./gateways.ts";
import { watchForReload } from "./reload.ts";
import { Reporter } from "./report.ts";
import { Revision } from "./revision.ts";

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
  /** Replaces all instances, one after the other. @throws HeadraceError restart_failed */
  restartAll(): Promise<void>;
  /** Replaces one instance. False when there is no such instance. */
  restart(instance: string): Promise<boolean>;
}

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

class Platform {
  readonly #config: RunConfig;
  readonly #io: PlatformIo;
  readonly #release: ReleaseStack;
  readonly #done = Promise.withResolvers<number>();
  #stopping: Promise<void> | undefined;
  #forced = false;
  #revision: Revision | undefined;
  #gateways: Gateways | undefined;

  constructor(config: RunConfig, io: PlatformIo, release: ReleaseStack) {
    this.#config = config;
    this.#io = io;
    this.#release = release;
  }

  async start(): Promise<Running> {
    const config = this.#config;
    const { log, output } = this.#io;
    const runDir = makeRunDir(this.#release);
    const name = revisionName(1);
    const columns = config.gateways + SPARE_COLUMNS;
    const meterPath = join(runDir, name, "meter");
    const gateways = new Gateways({
      count: config.gateways,
      columns,
      front: frontSettings(config),
      logLevel: config.logLevel,
      // There is one service: what belongs to none is counted with it.
      meterPath,
      runDir,
      command: this.#io.gatewayCommand,
      ports: gatewaysPorts(log),
    });
    this.#gateways = gateways;
    const env = { ...gateways.reserve([config.service]), ...config.env };
    const revision = new Revision({
      config: { ...config, env },
      name,
      key: name,
      runDir: join(runDir, name),
      sources: [],
      columns,
      gateways,
      log,
      output,
    });
    this.#revision = revision;
    this.#release.push(() => gateways.stop(GATEWAY_STOP_MS));
    this.#release.push(() => revision.stop(0));
    await gateways.route(soleRouting(config.service, name));
    await revision.prepare();
    // Both at once: requests that come while the app starts wait in the line.
    const listening = gateways.start();
    const [port] = await Promise.all([listening, revision.start()]);
    if (config.reload)
      this.#release.push(watchForReload(config, () => revision.pool.reload({ appOnly: true }), log));
    const url = urlOf(config, port);
    return this.#running(url, new Reporter({ revision, url: () => url, gateways }));
  }

  #running(url: string, reporter: Reporter): Running {
    const revision = this.#revision!;
    const { pool } = revision;
    return {
      url,
      done: this.#done.promise,
      stop: (reason, options) => this.#stop(reason, options?.force === true),
      status: () => reporter.status(),
      metrics: () => reporter.metrics(),
      ready: () => reporter.ready(),
      decisions: () => revision.scaling?.decisions.list() ?? [],
      reload: () => pool.reload(),
      stacks: (instance) => pool.stacks(instance),
      restartAll: () => revision.restartAll(),
      restart: (instance) => revision.restart(instance),
    };
  }

  #stop(reason: string, force: boolean): Promise<void> {
    if (force && !this.#forced) {
      this.#forced = true;
      this.#revision?.kill();
      void this.#gateways?.stop(0);
    }
    this.#stopping ??= this.#drain(reason);
    return this.#stopping;
  }

  /** No new connections; what is in flight finishes, within the drain time; then instances, then gateways go. */
  async #drain(reason: string): Promise<void> {
    const { drainTimeoutMs } = this.#config;
    const fields = { reason, drain_ms: drainTimeoutMs };
    this.#revision?.hold();
    this.#log("platform.stopping", `Stopping: ${reason}`, fields);
    if (!this.#forced) {
      await within(drainTimeoutMs, this.#gateways!.drain());
      await this.#revision!.stop(AFTER_DRAIN_MS);
    }
    await this.#release.release();
    this.#log("platform.stopped", "Stopped", {});
    this.#done.resolve(this.#forced ? Exit.SYSTEM : Exit.OK);
  }

  #log(event: string, message: string, fields: Record<string, string | number>): void {
    this.#io.log({ time: Date.now(), level: "info", event, message, fields });
  }
}

/**
 * Many services behind the same gateways: starts them, replaces those that change, takes them down again.
 *
 * A change builds the revisions that are new, waits until each is ready, exchanges the routes as one, then lets the old ones finish and
 * stops them. When anything does not start, nothing has changed. Changes run one at a time.
 */

import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { systemClock } from "../base/clock.ts";
import { Exit, HeadraceError, messageOf } from "../base/errors.ts";
import { ReleaseStack } from "../base/release.ts";
import type { ApplicationConfig, ServiceConfig } from "../config/file/config.ts";
import { createMeterFile, MeterReader } from "../gateway/meter.ts";
import type { Routing } from "../gateway/settings.ts";
import type { OutputLine } from "../instances/index.ts";
import type { StatusReport } from "../model/instance.ts";
import type { LogSink } from "../model/log.ts";
import type { MetricFamily } from "../model/metric.ts";
import type { DecisionReport } from "../model/scaling.ts";
import { probePort, urlOf } from "./address.ts";
import { mergedMetrics } from "./application-metrics.ts";
import { gatewaysPorts, makeRunDir, SPARE_COLUMNS, unlessCancelled, within } from "./common.ts";
import { frontSettings } from "./gateway-settings.ts";
import { Gateways } from "./gateways.ts";
import { Reporter } from "./report.ts";
import { Revision } from "./revision.ts";
import { readSecrets } from "./secrets.ts";
import { serviceLog } from "./service-log.ts";
import { platformEvents } from "./signals.ts";

export interface ApplicationIo {
  readonly log: LogSink;
  /** Takes the lines that the app of a revision writes. */
  readonly output: (service: string, revision: string) => (line: OutputLine) => void;
  readonly gatewayCommand: readonly string[];
  /** Gives the start up. Means nothing once it is done. */
  readonly cancel: AbortSignal;
}

export interface RunningApplication {
  readonly url: string;
  readonly done: Promise<number>;
  stop(reason: string, options?: { readonly force?: boolean }): Promise<void>;
  /** One for each service, in the order of the file. */
  services(): Promise<readonly StatusReport[]>;
  metrics(): Promise<readonly MetricFamily[]>;
  ready(): { readonly ready: boolean; readonly why: string };
  /** Undefined when there is no such service. */
  decisions(service: string): readonly DecisionReport[] | undefined;
  /** Makes `next` what runs. @throws HeadraceError when it cannot: then nothing has changed */
  apply(next: ApplicationConfig): Promise<void>;
  /** A new revision of a service, with its code as it is now. False when there is no such service. */
  deploy(service: string): Promise<boolean>;
  stacks(instance: string): boolean;
  restart(instance: string): Promise<boolean>;
}

interface Service {
  readonly config: ServiceConfig;
  readonly revision: Revision;
  readonly reporter: Reporter;
}

const GATEWAY_STOP_MS = 2_000;
const AFTER_DRAIN_MS = 1_000;
/** How often a revision that gets no more requests is looked at: its last ones have no event. */
const IDLE_CHECK_MS = 20;

/**
 * Starts an application. Resolves when the gateways listen and every service has an instance that is ready.
 * @throws HeadraceError when anything cannot be had, or the start was given up; nothing is left running then
 */
export async function startApplication(
  config: ApplicationConfig,
  io: ApplicationIo,
): Promise<RunningApplication> {
  const release = new ReleaseStack();
  const { host, port, uds } = config.services[0]!.run;
  try {
    if (uds === "") probePort(host, port);
    return await unlessCancelled(new Application(config, io, release).start(), io.cancel);
  } catch (error) {
    await release.release();
    throw error;
  }
}

class Application {
  readonly #io: ApplicationIo;
  readonly #release: ReleaseStack;
  readonly #runDir: string;
  readonly #columns: number;
  readonly #frontMeter: MeterReader;
  readonly #gateways: Gateways;
  readonly #done = Promise.withResolvers<number>();
  /** Of every service, the number that its newest revision has. */
  readonly #numbers = new Map<string, number>();
  /** Revisions that are not gone: those that serve, those that start, those that finish. */
  readonly #all = new Set<Revision>();
  #config: ApplicationConfig;
  #services: ReadonlyMap<string, Service> = new Map();
  #changes: Promise<unknown> = Promise.resolve();
  #url = "";
  #stopping: Promise<void> | undefined;
  #forced = false;

  constructor(config: ApplicationConfig, io: ApplicationIo, release: ReleaseStack) {
    const shared = config.services[0]!.run;
    this.#config = config;
    this.#io = io;
    this.#release = release;
    this.#runDir = makeRunDir(release);
    this.#columns = shared.gateways + SPARE_COLUMNS;
    const meterPath = join(this.#runDir, "front-meter");
    createMeterFile(meterPath, this.#columns);
    this.#frontMeter = new MeterReader(meterPath, this.#columns);
    this.#gateways = new Gateways({
      count: shared.gateways,
      columns: this.#columns,
      front: frontSettings(shared),
      logLevel: shared.logLevel,
      meterPath,
      runDir: this.#runDir,
      command: io.gatewayCommand,
      ports: gatewaysPorts(io.log),
    });
  }

  async start(): Promise<RunningApplication> {
    const gateways = this.#gateways;
    this.#release.push(() => gateways.stop(GATEWAY_STOP_MS));
    this.#release.push(async () => {
      await Promise.all([...this.#all].map((revision) => revision.stop(0)));
    });
    const revisions = new Map<string, Revision>();
    for (const service of this.#config.services) revisions.set(service.name, this.#revision(service));
    await Promise.all([...revisions.values()].map((revision) => revision.prepare()));
    await gateways.route(routing(this.#config, revisions));
    // All at once: requests that come while the apps start wait in their lines.
    const starting = [...revisions.values()].map((revision) => revision.start());
    const [port] = await Promise.all([gateways.start(), ...starting]);
    this.#url = urlOf(this.#config.services[0]!.run, port);
    this.#services = this.#serviceMap(this.#config, revisions);
    return this.#running();
  }

  #running(): RunningApplication {
    return {
      url: this.#url,
      done: this.#done.promise,
      stop: (reason, options) => this.#stop(reason, options?.force === true),
      services: () => Promise.all([...this.#services.values()].map(({ reporter }) => reporter.status())),
      metrics: () => this.#metrics(),
      ready: () => this.#ready(),
      decisions: (service) => {
        const found = this.#services.get(service);
        return found === undefined ? undefined : (found.revision.scaling?.decisions.list() ?? []);
      },
      apply: (next) => this.#exclusive(() => this.#apply(next, new Set())),
      deploy: (service) => this.#exclusive(() => this.#deploy(service)),
      stacks: (instance) => [...this.#all].some((revision) => revision.pool.stacks(instance)),
      restart: async (instance) => {
        for (const { revision } of this.#services.values()) if (await revision.restart(instance)) return true;
        return false;
      },
    };
  }

  async #deploy(service: string): Promise<boolean> {
    if (!this.#services.has(service)) return false;
    await this.#apply(this.#config, new Set([service]));
    return true;
  }

  /** @param anew services that get a new revision though nothing of them has changed in the file */
  async #apply(next: ApplicationConfig, anew: ReadonlySet<string>): Promise<void> {
    const before = frontSettings(this.#config.services[0]!.run);
    if (!Bun.deepEquals(before, frontSettings(next.services[0]!.run))) {
      const message = "listen, limits, logs and gateways cannot be changed while Headrace runs.";
      throw new HeadraceError("restart_needed", message, {
        exit: Exit.USAGE,
        hint: "Stop it and start it again.",
      });
    }
    const revisions = new Map<string, Revision>();
    const fresh: Revision[] = [];
    for (const service of next.services) {
      const known = this.#services.get(service.name);
      if (known !== undefined && !anew.has(service.name) && sameRun(known.config, service)) {
        revisions.set(service.name, known.revision);
        continue;
      }
      const revision = this.#revision(service);
      fresh.push(revision);
      revisions.set(service.name, revision);
    }
    try {
      await Promise.all(fresh.map((revision) => revision.prepare().then(() => revision.start())));
    } catch (error) {
      this.#tellFailure(fresh, error);
      await Promise.all(fresh.map((revision) => this.#retire(revision, 0)));
      throw error;
    }
    const old = [...this.#services.values()].map(({ revision }) => revision);
    await this.#gateways.route(routing(next, revisions));
    this.#config = next;
    this.#services = this.#serviceMap(next, revisions);
    const serving = new Set(revisions.values());
    for (const revision of old)
      if (!serving.has(revision)) void this.#retire(revision, revision.config.drainTimeoutMs);
    const names = fresh.map(({ name }) => name).join(", ");
    this.#log(
      "platform.applied",
      names === "" ? "The routes are those of the file." : `New revisions serve: ${names}`,
    );
  }

  #tellFailure(fresh: readonly Revision[], error: unknown): void {
    const event = "platform.apply_failed";
    const names = fresh.map(({ name }) => name).join(", ");
    const message = `${names} did not start, nothing has changed: ${messageOf(error)}`;
    const known = error instanceof HeadraceError ? { code: error.code, traceback: error.detail } : {};
    const fields = { application: this.#config.name, ...known };
    this.#io.log({ time: Date.now(), level: platformEvents[event].level, event, message, fields });
  }

  #revision(service: ServiceConfig): Revision {
    const number = (this.#numbers.get(service.name) ?? 0) + 1;
    this.#numbers.set(service.name, number);
    const name = `${service.name}-${number}`;
    const secrets = readSecrets(service.secrets, dirname(this.#config.file), process.env);
    // Python tells fresh bytecode by whole seconds and the size of the source: a revision that follows quickly would run the older one.
    const env = { PYTHONDONTWRITEBYTECODE: "1", ...service.run.env, ...secrets };
    const runDir = join(this.#runDir, name);
    mkdirSync(runDir, { recursive: true, mode: 0o700 });
    const revision = new Revision({
      config: { ...service.run, env },
      name,
      runDir,
      columns: this.#columns,
      gateways: this.#gateways,
      log: serviceLog(this.#io.log, service.name, name),
      output: this.#io.output(service.name, name),
    });
    this.#all.add(revision);
    return revision;
  }

  /** Nothing is routed to it any more: lets it finish what it has, what waits in its line included, then it is gone. */
  async #retire(revision: Revision, drainMs: number): Promise<void> {
    const deadline = systemClock.now() + drainMs;
    while (revision.busy() && systemClock.now() < deadline) await Bun.sleep(IDLE_CHECK_MS);
    await revision.stop(Math.max(0, deadline - systemClock.now()));
    await this.#gateways.forget(revision.name);
    this.#all.delete(revision);
    rmSync(join(this.#runDir, revision.name), { recursive: true, force: true });
  }

  #serviceMap(
    config: ApplicationConfig,
    revisions: ReadonlyMap<string, Revision>,
  ): ReadonlyMap<string, Service> {
    return new Map(
      config.services.map((service) => {
        const revision = revisions.get(service.name)!;
        const known = this.#services.get(service.name);
        const reporter = known?.revision === revision ? known.reporter : this.#reporter(revision);
        return [service.name, { config: service, revision, reporter }];
      }),
    );
  }

  #reporter(revision: Revision): Reporter {
    const { config, name, table, meter, pool, scaling, starts, control } = revision;
    const gateways = this.#gateways;
    return new Reporter({
      config,
      revision: name,
      url: this.#url,
      table,
      meter,
      pool,
      scaling,
      starts,
      control,
      gateways,
    });
  }

  async #metrics(): Promise<readonly MetricFamily[]> {
    const parts = await Promise.all(
      [...this.#services].map(async ([service, { revision, reporter }]) => {
        return { labels: { service, revision: revision.name }, families: await reporter.metrics() };
      }),
    );
    return mergedMetrics(this.#frontMeter.families(), parts);
  }

  #ready(): { readonly ready: boolean; readonly why: string } {
    for (const [name, { reporter }] of this.#services) {
      const { ready, why } = reporter.ready();
      if (!ready) return { ready, why: `${name}: ${why}` };
    }
    return { ready: true, why: "" };
  }

  #exclusive<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#changes.then(() => {
      if (this.#stopping !== undefined) throw new HeadraceError("start_cancelled", "Headrace is stopping.");
      return change();
    });
    this.#changes = result.catch(() => {});
    return result;
  }

  #stop(reason: string, force: boolean): Promise<void> {
    if (force && !this.#forced) {
      this.#forced = true;
      for (const revision of this.#all) revision.kill();
      void this.#gateways.stop(0);
    }
    this.#stopping ??= this.#drain(reason);
    return this.#stopping;
  }

  /** No new connections; what is in flight finishes, within the longest drain time; then instances, then gateways go. */
  async #drain(reason: string): Promise<void> {
    for (const revision of this.#all) revision.hold();
    this.#log("platform.stopping", `Stopping: ${reason}`);
    if (!this.#forced) {
      const drainMs = Math.max(...this.#config.services.map(({ run }) => run.drainTimeoutMs));
      await within(drainMs, this.#gateways.drain());
      await Promise.all([...this.#all].map((revision) => revision.stop(AFTER_DRAIN_MS)));
    }
    await this.#release.release();
    this.#log("platform.stopped", "Stopped");
    this.#done.resolve(this.#forced ? Exit.SYSTEM : Exit.OK);
  }

  #log(event: "platform.applied" | "platform.stopping" | "platform.stopped", message: string): void {
    this.#io.log({
      time: Date.now(),
      level: "info",
      event,
      message,
      fields: { application: this.#config.name },
    });
  }
}

/** Whether two services would run alike; where requests for them come from does not matter. */
function sameRun(a: ServiceConfig, b: ServiceConfig): boolean {
  return Bun.deepEquals(a.run, b.run) && Bun.deepEquals(a.secrets, b.secrets);
}

function routing(config: ApplicationConfig, revisions: ReadonlyMap<string, Revision>): Routing {
  return {
    redirects: config.redirects,
    services: config.services.map(({ name, routes }) => {
      return { service: name, routes, split: [{ revision: revisions.get(name)!.name, weight: 1 }] };
    }),
  };
}

/**
 * Many services behind the same gateways: starts them, changes what runs, takes them down again.
 *
 * A change - a new file, a new revision, other shares - starts the revisions that are not there yet, waits until each is ready, notes
 * on disk what is to be, exchanges the routes as one, then lets those that got nothing any more finish, and stops them. When anything
 * does not start, nothing has changed. Changes run one at a time.
 */

import { join } from "node:path";
import { Exit, HeadraceError, messageOf } from "../base/errors.ts";
import { ReleaseStack } from "../base/release.ts";
import type { ApplicationConfig, ServiceConfig } from "../config/file/config.ts";
import { createMeterFile, MeterReader } from "../gateway/meter.ts";
import type { OutputLine } from "../instances/index.ts";
import type { StatusReport } from "../model/instance.ts";
import type { LogSink } from "../model/log.ts";
import type { MetricFamily } from "../model/metric.ts";
import type { DeployWish, RevisionReport, TrafficReport, TrafficWish } from "../model/revision.ts";
import type { DecisionReport } from "../model/scaling.ts";
import { probePort, urlOf } from "./address.ts";
import { mergedMetrics } from "./application-metrics.ts";
import { gatewaysPorts, makeRunDir, SPARE_COLUMNS, unlessCancelled, within } from "./common.ts";
import { Fleet, type Live } from "./fleet.ts";
import { frontSettings } from "./gateway-settings.ts";
import { Gateways } from "./gateways.ts";
import { newestOf, rolledBack, withRevision, withWish } from "./revisions/change.ts";
import { forgetCode } from "./revisions/code.ts";
import { isUnchanged, type RevisionRecord, sharedOptions } from "./revisions/record.ts";
import { noState, type ServiceState, StateStore } from "./revisions/store.ts";
import { needed, trafficText, weightOf } from "./revisions/traffic.ts";
import { routing, type Service, ServiceViews } from "./services.ts";
import { platformEvents } from "./signals.ts";

export interface ApplicationIo {
  readonly log: LogSink;
  /** Takes the lines that the app of a revision writes. */
  readonly output: (service: string, revision: string) => (line: OutputLine) => void;
  readonly gatewayCommand: readonly string[];
  /** Gives the start up. Means nothing once it is done. */
  readonly cancel: AbortSignal;
  /** Where revisions, their code and the traffic are kept; absolute. */
  readonly stateDir: string;
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
  /** A new revision of a service, with its code as it is now; its name. Undefined when there is no such service. */
  deploy(service: string, wish: DeployWish): Promise<string | undefined>;
  traffic(service: string): TrafficReport | undefined;
  /** Other shares or tags. @throws HeadraceError when they cannot be: then nothing has changed */
  setTraffic(service: string, wish: TrafficWish): Promise<TrafficReport | undefined>;
  /** The shares as they were before the last change of them. */
  rollback(service: string): Promise<TrafficReport | undefined>;
  /** Newest first. */
  revisions(service: string): readonly RevisionReport[] | undefined;
  /** Replaces all instances of a service, one after the other. False when there is no such service. @throws HeadraceError restart_failed */
  restartService(service: string): Promise<boolean>;
  stacks(instance: string): boolean;
  restart(instance: string): Promise<boolean>;
}

const GATEWAY_STOP_MS = 2_000;
const AFTER_DRAIN_MS = 1_000;

/**
 * Starts an application, with the revisions and shares that it had when it ran last, as far as its file and its code are as they were.
 * Resolves when the gateways listen and every revision with requests has an instance that is ready.
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
  readonly #frontMeter: MeterReader;
  readonly #gateways: Gateways;
  readonly #store: StateStore;
  readonly #codeDir: string;
  readonly #fleet: Fleet;
  readonly #done = Promise.withResolvers<number>();
  /** What is known of every service that there ever was. */
  #states: ReadonlyMap<string, ServiceState>;
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
    const store = StateStore.open(io.stateDir);
    release.push(() => store.close());
    this.#store = store;
    this.#states = store.load();
    this.#codeDir = join(io.stateDir, "code");
    const runDir = makeRunDir(release);
    const columns = shared.gateways + SPARE_COLUMNS;
    const meterPath = join(runDir, "front-meter");
    createMeterFile(meterPath, columns);
    this.#frontMeter = new MeterReader(meterPath, columns);
    this.#gateways = new Gateways({
      count: shared.gateways,
      columns,
      front: frontSettings(shared),
      logLevel: shared.logLevel,
      meterPath,
      runDir,
      command: io.gatewayCommand,
      ports: gatewaysPorts(io.log),
    });
    const { log, output } = io;
    const gateways = this.#gateways;
    this.#fleet = new Fleet({ runDir, codeDir: this.#codeDir, columns, gateways, log, output });
  }

  async start(): Promise<RunningApplication> {
    const gateways = this.#gateways;
    this.#release.push(() => gateways.stop(GATEWAY_STOP_MS));
    this.#release.push(async () => {
      await Promise.all([...this.#fleet.all].map((revision) => revision.stop(0)));
    });
    // Requests that come while the apps start wait in their lines; a free port is known once a gateway has it.
    const states = await this.#statesFor(this.#config);
    const { services, fresh } = this.#assemble(this.#config, states);
    await Promise.all(fresh.map(({ revision }) => revision.prepare()));
    await gateways.route(routing(this.#config, services));
    const starting = fresh.map(({ revision }) => revision.start());
    const [port] = await Promise.all([gateways.start(), ...starting]);
    this.#url = urlOf(this.#config.services[0]!.run, port);
    this.#keep(states);
    this.#services = services;
    await this.#collect();
    for (const [name, { state }] of services) if (state.before !== null) this.#told(name, state);
    return this.#running();
  }

  #running(): RunningApplication {
    const views = new ServiceViews(() => this.#services);
    return {
      url: this.#url,
      done: this.#done.promise,
      stop: (reason, options) => this.#stop(reason, options?.force === true),
      services: () => views.status(),
      metrics: async () => mergedMetrics(this.#frontMeter.families(), await views.metrics()),
      ready: () => views.ready(),
      decisions: (service) => views.decisions(service),
      traffic: (service) => views.traffic(service),
      revisions: (service) => views.revisions(service),
      apply: (next) => this.#exclusive(() => this.#apply(next)),
      deploy: (service, wish) => this.#exclusive(() => this.#deploy(service, wish)),
      setTraffic: async (service, wish) => {
        await this.#exclusive(() => this.#direct(service, (state) => withWish(state, wish)));
        return views.traffic(service);
      },
      rollback: async (service) => {
        await this.#exclusive(() => this.#direct(service, rolledBack));
        return views.traffic(service);
      },
      restartService: async (service) => {
        const found = this.#services.get(service);
        for (const { revision } of found?.live.values() ?? []) await revision.restartAll();
        return found !== undefined;
      },
      stacks: (instance) => [...this.#fleet.all].some((revision) => revision.pool.stacks(instance)),
      restart: async (instance) => {
        for (const { live } of this.#services.values())
          for (const { revision } of live.values()) if (await revision.restart(instance)) return true;
        return false;
      },
    };
  }

  async #apply(next: ApplicationConfig): Promise<void> {
    const shared = (config: ApplicationConfig) => sharedOptions(config.services[0]!.run);
    if (!Bun.deepEquals(shared(this.#config), shared(next))) {
      const message = "listen, limits, logs, admin and gateways cannot be changed while Headrace runs.";
      throw new HeadraceError("restart_needed", message, {
        exit: Exit.USAGE,
        hint: "Stop it and start it again.",
      });
    }
    const fresh = await this.#change(next, await this.#statesFor(next));
    const names = fresh.map(({ revision }) => `${revision.name} of ${revision.config.service}`).join(", ");
    const text = names === "" ? "The routes are those of the file." : `New revisions serve: ${names}`;
    this.#log("platform.applied", text);
  }

  async #deploy(name: string, { noTraffic = false }: DeployWish): Promise<string | undefined> {
    const service = this.#services.get(name);
    if (service === undefined) return undefined;
    const record = await this.#fleet.record(service.config, newestOf(service.state) + 1);
    const state = withRevision(service.state, record, !noTraffic);
    const [made] = await this.#change(
      this.#config,
      new Map([[name, state]]),
      new Map([[name, record.number]]),
    );
    const revision = made!.revision.name;
    const about = { "service.name": name, "service.version": revision };
    if (noTraffic)
      this.#log("platform.applied", `${revision} of ${name} starts, and gets no requests yet`, about);
    else this.#log("platform.applied", `New revisions serve: ${revision} of ${name}`, about);
    return revision;
  }

  /** Other shares or tags of a service; nothing when there is no such service. */
  async #direct(name: string, change: (state: ServiceState) => ServiceState): Promise<void> {
    const service = this.#services.get(name);
    if (service === undefined) return;
    const state = change(service.state);
    if (Bun.deepEquals(state, service.state)) return;
    await this.#change(this.#config, new Map([[name, state]]));
    this.#told(name, state);
  }

  /** For services that are as they were, what they were; for the others a new revision that gets all requests. */
  async #statesFor(config: ApplicationConfig): Promise<ReadonlyMap<string, ServiceState>> {
    const states = new Map<string, ServiceState>();
    for (const service of config.services) {
      const { name } = service;
      const state = this.#states.get(name) ?? noState;
      const newest = state.revisions.get(newestOf(state));
      const same = newest !== undefined && isUnchanged(newest, service);
      // The code of one that runs is what it was at its deploy, whatever the files say by now.
      if (same && this.#services.has(name)) continue;
      const record = await this.#fleet.record(service, newestOf(state) + 1);
      const known = same && record.code !== "" && record.code === newest.code;
      states.set(name, known ? state : withRevision(state, record, true));
    }
    return states;
  }

  /**
   * Makes the config and the states what runs; services without a state stay as they are.
   * @param proven by service, a revision that is started, too, though nothing leads to it: it has to show that it can be
   * @returns the revisions that were started
   * @throws HeadraceError when one does not start: nothing has changed then
   */
  async #change(
    config: ApplicationConfig,
    states: ReadonlyMap<string, ServiceState>,
    proven: ReadonlyMap<string, number> = new Map(),
  ): Promise<readonly Live[]> {
    const { services, fresh } = this.#assemble(config, states, proven);
    try {
      await Promise.all(fresh.map(({ revision }) => revision.prepare().then(() => revision.start())));
      this.#keep(states);
    } catch (error) {
      this.#tellFailure(fresh, error);
      await Promise.all(fresh.map(({ revision }) => this.#fleet.retire(revision, 0)));
      throw error;
    }
    const lives = (all: ReadonlyMap<string, Service>) =>
      [...all.values()].flatMap(({ live }) => [...live.values()]);
    const before = [...lives(this.#services), ...fresh];
    await this.#gateways.route(routing(config, services));
    this.#config = config;
    this.#services = services;
    const serving = new Set(lives(services));
    for (const live of before) {
      if (serving.has(live)) continue;
      void this.#fleet.retire(live.revision, live.revision.config.drainTimeoutMs);
    }
    await this.#collect();
    return fresh;
  }

  #tellFailure(fresh: readonly Live[], error: unknown): void {
    const event = "platform.apply_failed";
    const names = fresh.map(({ revision }) => `${revision.name} of ${revision.config.service}`).join(", ");
    const message = `${names} did not start, nothing has changed: ${messageOf(error)}`;
    const known = error instanceof HeadraceError ? { code: error.code, traceback: error.detail } : {};
    const fields = { application: this.#config.name, ...known };
    this.#io.log({ time: Date.now(), level: platformEvents[event].level, event, message, fields });
  }

  /** The services as they are to be: with the revisions that run already, and those that have to be started. */
  #assemble(
    config: ApplicationConfig,
    states: ReadonlyMap<string, ServiceState>,
    proven: ReadonlyMap<string, number> = new Map(),
  ): { readonly services: ReadonlyMap<string, Service>; readonly fresh: readonly Live[] } {
    const services = new Map<string, Service>();
    const fresh: Live[] = [];
    try {
      for (const service of config.services) {
        const { name } = service;
        const state = states.get(name) ?? this.#states.get(name)!;
        const running = this.#services.get(name)?.live ?? new Map<number, Live>();
        const live = new Map<number, Live>();
        const wanted = needed(state.traffic);
        const extra = proven.get(name);
        for (const number of extra === undefined ? wanted : wanted.union(new Set([extra]))) {
          const known = running.get(number);
          const one = known ?? this.#make(config, service, state, number);
          if (known === undefined) fresh.push(one);
          if (wanted.has(number)) live.set(number, one);
        }
        services.set(name, { config: service, state, live });
      }
    } catch (error) {
      for (const { revision } of fresh) this.#fleet.all.delete(revision);
      throw error;
    }
    return { services, fresh };
  }

  #make(config: ApplicationConfig, service: ServiceConfig, state: ServiceState, number: number): Live {
    const record: RevisionRecord = state.revisions.get(number)!;
    const known = this.#states.get(service.name)?.revisions.has(number) === true;
    const running = [...(this.#services.get(service.name)?.live.values() ?? [])];
    const ready = running.reduce((sum, { revision }) => sum + revision.pool.counts.ready, 0);
    // As many as it will need for its share of what comes now, so that the shift itself makes no line.
    const enough = Math.ceil((ready * weightOf(state.traffic.targets, number)) / 100);
    const least = record.config.instances;
    const most = record.config.scaling?.maxInstances ?? least;
    const instances = Math.min(Math.max(least, enough), most);
    return this.#fleet.make(config, service, record, { fresh: !known, instances, url: () => this.#url });
  }

  /** On disk first: what is routed can always be restored. */
  #keep(states: ReadonlyMap<string, ServiceState>): void {
    this.#store.save(states);
    this.#states = new Map([...this.#states, ...states]);
  }

  /** Code that no revision is made of any more goes. What cannot be removed now is tried again after the next change. */
  async #collect(): Promise<void> {
    const records = [...this.#states.values()].flatMap(({ revisions }) => [...revisions.values()]);
    await forgetCode(this.#codeDir, new Set(records.map(({ code }) => code))).catch(() => {});
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
      for (const revision of this.#fleet.all) revision.kill();
      void this.#gateways.stop(0);
    }
    this.#stopping ??= this.#drain(reason);
    return this.#stopping;
  }

  /** No new connections; what is in flight finishes, within the longest drain time; then instances, then gateways go. */
  async #drain(reason: string): Promise<void> {
    for (const revision of this.#fleet.all) revision.hold();
    this.#log("platform.stopping", `Stopping: ${reason}`);
    if (!this.#forced) {
      const drainMs = Math.max(...this.#config.services.map(({ run }) => run.drainTimeoutMs));
      await within(drainMs, this.#gateways.drain());
      await Promise.all([...this.#fleet.all].map((revision) => revision.stop(AFTER_DRAIN_MS)));
    }
    await this.#release.release();
    this.#log("platform.stopped", "Stopped");
    this.#done.resolve(this.#forced ? Exit.SYSTEM : Exit.OK);
  }

  #told(service: string, { traffic }: ServiceState): void {
    const tags = traffic.tags.map(({ tag, revision }) => `, ${tag} is rev-${revision}`).join("");
    const message = `Requests for ${service}: ${trafficText(traffic.targets)}${tags}`;
    this.#log("platform.traffic", message, { "service.name": service });
  }

  #log(
    event: "platform.applied" | "platform.traffic" | "platform.stopping" | "platform.stopped",
    message: string,
    about: Readonly<Record<string, string>> = {},
  ): void {
    const fields = { application: this.#config.name, ...about };
    this.#io.log({ time: Date.now(), level: "info", event, message, fields });
  }
}

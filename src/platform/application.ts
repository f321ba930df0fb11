/**
 * Many services behind the same gateways: starts them, says what a new file, a new revision and other shares change of what runs
 * (changes.ts does it), takes them down again.
 */

import { join } from "node:path";
import { Exit, HeadraceError } from "../base/errors.ts";
import { ReleaseStack } from "../base/release.ts";
import type { ApplicationConfig } from "../config/file/config.ts";
import { revisionName } from "../config/service.ts";
import { createMeterFile, MeterReader } from "../gateway/meter.ts";
import { BOUNDS_S } from "../gateway/signals.ts";
import type { OutputLine } from "../instances/index.ts";
import type { StatusReport } from "../model/instance.ts";
import type { LogSink } from "../model/log.ts";
import type { MetricFamily } from "../model/metric.ts";
import type {
  DeployReport,
  DeployWish,
  RevisionReport,
  RolloutReport,
  TrafficReport,
  TrafficWish,
} from "../model/revision.ts";
import type { RouteQuestion, RouteReport } from "../model/routed.ts";
import type { DecisionReport } from "../model/scaling.ts";
import { probePort, urlOf } from "./address.ts";
import { ApplicationLog } from "./application-log.ts";
import { mergedMetrics } from "./application-metrics.ts";
import { Beginning } from "./beginning.ts";
import { Changes } from "./changes.ts";
import { gatewaysPorts, makeRunDir, SPARE_COLUMNS, unlessCancelled, within } from "./common.ts";
import { Fleet } from "./fleet.ts";
import { frontSettings } from "./gateway-settings.ts";
import { Gateways } from "./gateways.ts";
import { alone, newestOf, rolledBack, withRevision, withTargets, withWish } from "./revisions/change.ts";
import type { Ledger } from "./revisions/ledger.ts";
import { isUnchanged, sharedOptions } from "./revisions/record.ts";
import type { ServiceState } from "./revisions/store.ts";
import type { Target } from "./revisions/traffic.ts";
import type { Counts } from "./rollout/counts.ts";
import { defaultGuard, type GuardSettings } from "./rollout/guard.ts";
import { firstShares, type RolloutPlan } from "./rollout/rollout.ts";
import { Rollouts } from "./rollout/rollouts.ts";
import { routedBy } from "./routed.ts";
import { SecretMask } from "./secrets.ts";
import { ServiceSwitch } from "./service-switch.ts";
import { routing, type Service, ServiceViews } from "./services.ts";
import type { Turn, Work } from "./turns.ts";

export interface ApplicationIo {
  readonly log: LogSink;
  /** Takes the lines that the app of a revision writes. */
  readonly output: (service: string, revision: string) => (line: OutputLine) => void;
  readonly gatewayCommand: readonly string[];
  /** Gives the start up. Means nothing once it is done. */
  readonly cancel: AbortSignal;
  /** Revisions, their code and the traffic. It is the caller's, who had it before anything else was touched, and closes it last. */
  readonly ledger: Ledger;
  /** Every service begins with a new revision that gets all requests. */
  readonly fresh: boolean;
}

export interface RunningApplication {
  readonly url: string;
  readonly done: Promise<number>;
  stop(reason: string, options?: { readonly force?: boolean }): Promise<void>;
  /** One for each service, in the order of the file. */
  services(): Promise<readonly StatusReport[]>;
  metrics(): Promise<readonly MetricFamily[]>;
  ready(): { readonly ready: boolean; readonly why: string };
  /** Which service a request would go to. */
  route(question: RouteQuestion): RouteReport;
  /** Undefined when there is no such service. */
  decisions(service: string): readonly DecisionReport[] | undefined;
  /**
   * Makes `next` what runs. @throws HeadraceError when it cannot: then nothing has changed
   * @param client of this and what follows: aborted when nobody waits for it any more; it is left when it has not begun
   */
  apply(next: ApplicationConfig, client?: AbortSignal): Promise<void>;
  /** A new revision of a service, with its code as it is now. Undefined when there is no such service. */
  deploy(service: string, wish: DeployWish, client?: AbortSignal): Promise<DeployReport | undefined>;
  /** The same, unless its code is that of its newest revision. Nothing when there is no such service. */
  renew(service: string): Promise<void>;
  traffic(service: string): TrafficReport | undefined;
  /** Other shares or tags. @throws HeadraceError when they cannot be: then nothing has changed */
  setTraffic(service: string, wish: TrafficWish, client?: AbortSignal): Promise<TrafficReport | undefined>;
  /** The shares as they were before the last change of them. */
  rollback(service: string, client?: AbortSignal): Promise<TrafficReport | undefined>;
  /** Newest first. */
  revisions(service: string): readonly RevisionReport[] | undefined;
  /** Replaces all instances of a service, one after the other. False when there is no such service. @throws HeadraceError restart_failed */
  restartService(service: string, client?: AbortSignal): Promise<boolean>;
  /** Takes a service down: its requests are refused, those in flight finish. Resolves when it is down; false when there is no such service. */
  stopService(service: string, client?: AbortSignal): Promise<boolean>;
  /** Starts it again. Resolves when it serves. @throws HeadraceError when it does not start: it stays down then */
  startService(service: string, client?: AbortSignal): Promise<boolean>;
  stacks(instance: string): boolean;
  restart(instance: string): Promise<boolean>;
}

const GUARD: GuardSettings = { ...defaultGuard, boundsS: BOUNDS_S };
const NO_TIMES = [...BOUNDS_S, 0].map(() => 0);
const NOTHING: Counts = {
  ...{ arrived: 0, settled: 0, abandoned: 0, requests: 0, errors: 0, crashes: 0 },
  times: NO_TIMES,
};
/** A new revision has to stay up so long, unless somebody says otherwise, before it gets requests. */
const SETTLE_MS = 2_000;

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
  readonly #release: ReleaseStack;
  readonly #frontMeter: MeterReader;
  readonly #gateways: Gateways;
  readonly #ledger: Ledger;
  readonly #log: ApplicationLog;
  readonly #fleet: Fleet;
  readonly #rollouts: Rollouts;
  readonly #fresh: boolean;
  readonly #cancel: AbortSignal;
  readonly #done = Promise.withResolvers<number>();
  readonly #mask = new SecretMask();
  readonly #switch: ServiceSwitch;
  readonly #changes: Changes;
  #url = "";
  #stopping: Promise<void> | undefined;
  #forced = false;

  constructor(config: ApplicationConfig, io: ApplicationIo, release: ReleaseStack) {
    this.#fresh = io.fresh;
    this.#cancel = io.cancel;
    const shared = config.services[0]!.run;
    this.#release = release;
    const { ledger } = io;
    this.#ledger = ledger;
    const log = this.#mask.log(io.log);
    const output: ApplicationIo["output"] = (...of) => this.#mask.output(io.output(...of));
    this.#log = new ApplicationLog(log, config.name);
    this.#rollouts = new Rollouts(log);
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
      ports: gatewaysPorts(log),
    });
    const gateways = this.#gateways;
    const { codeDir } = ledger;
    const mask = this.#mask;
    this.#fleet = new Fleet({ runDir, codeDir, columns, gateways, log, output, mask });
    this.#changes = new Changes(config, {
      ...{ ledger, gateways, mask, fleet: this.#fleet, log: this.#log },
      isOff: (service) => this.#switch.isOff(service),
      url: () => this.#url,
    });
    this.#switch = new ServiceSwitch({ changes: this.#changes, fleet: this.#fleet, log: this.#log });
  }

  get #config(): ApplicationConfig {
    return this.#changes.config;
  }

  get #services(): ReadonlyMap<string, Service> {
    return this.#changes.services;
  }

  start(): Promise<RunningApplication> {
    return this.#mask.errors(this.#start());
  }

  async #start(): Promise<RunningApplication> {
    const gateways = this.#gateways;
    this.#release.push(() => gateways.stop(GATEWAY_STOP_MS));
    this.#release.push(async () => {
      await Promise.all([...this.#fleet.all].map((revision) => revision.stop(0)));
    });
    const states = await this.#statesFor(this.#config, this.#fresh);
    const beginning = new Beginning({
      ...{ config: this.#config, states, anew: this.#fresh, cancel: this.#cancel },
      before: (service) => this.#ledger.state(service),
      make: (service, state, number) => this.#changes.live(this.#config, service, state, number),
      ...{ fleet: this.#fleet, gateways, log: this.#log },
    });
    const port = await beginning.run();
    this.#url = urlOf(this.#config.services[0]!.run, port);
    const services = beginning.services();
    for (const [name, service] of services) this.#log.begun(service, this.#ledger.state(name));
    this.#ledger.keep(beginning.states);
    this.#changes.begin(services);
    await this.#changes.collect();
    return this.#running();
  }

  #running(): RunningApplication {
    const changes = this.#changes;
    const views = new ServiceViews({
      services: () => this.#services,
      rollouts: this.#rollouts,
      url: () => this.#url,
    });
    return {
      url: this.#url,
      done: this.#done.promise,
      stop: (reason, options) => this.#stop(reason, options?.force === true),
      services: () => views.status(),
      metrics: async () => mergedMetrics(this.#frontMeter.families(), await views.metrics()),
      ready: () => views.ready(),
      route: (question) => routedBy(routing(this.#config, this.#services), question),
      decisions: (service) => views.decisions(service),
      traffic: (service) => views.traffic(service),
      revisions: (service) => views.revisions(service),
      apply: (next, client) => {
        const work = { what: "the new file", service: null, client };
        return changes.take(work, (turn) => this.#apply(turn, next));
      },
      deploy: (service, wish, client) => {
        const work = { what: `the deploy of ${service}`, service, client };
        return changes.take(work, (turn) => this.#deploy(turn, service, wish));
      },
      renew: (service) => {
        const work = { what: `the renewal of ${service}`, service };
        return changes.take(work, (turn) => this.#renew(turn, service));
      },
      setTraffic: async (service, wish, client) => {
        const work = { what: `the change of the traffic of ${service}`, service, client };
        await changes.take(work, (turn) => this.#direct(turn, service, (state) => withWish(state, wish)));
        return views.traffic(service);
      },
      rollback: async (service, client) => {
        const work = { what: `the rollback of ${service}`, service, urgent: true, client };
        await changes.take(work, (turn) => this.#direct(turn, service, rolledBack));
        return views.traffic(service);
      },
      restartService: (service) => this.#mask.errors(this.#switch.restart(service)),
      stopService: (service, client) => {
        this.#rollouts.end(service, "the service was stopped");
        return this.#switch.stop(service, client);
      },
      startService: (service, client) => this.#switch.start(service, client),
      stacks: (instance) => [...this.#fleet.all].some((revision) => revision.pool.stacks(instance)),
      restart: async (instance) => {
        for (const { live } of this.#services.values())
          for (const { revision } of live.values()) if (await revision.restart(instance)) return true;
        return false;
      },
    };
  }

  async #apply(turn: Turn, next: ApplicationConfig): Promise<void> {
    const states = await this.#statesOf(next).catch((error: unknown) => {
      this.#log.failed([], error);
      throw error;
    });
    const fresh = await this.#changes.make(turn, { config: next, states, settleMs: SETTLE_MS });
    for (const name of states.keys()) this.#rollouts.end(name);
    this.#switch.forgetAllBut(new Set(this.#services.keys()));
    this.#log.applied(fresh);
  }

  /** What a changed file makes of the services. @throws HeadraceError restart_needed */
  async #statesOf(next: ApplicationConfig): Promise<ReadonlyMap<string, ServiceState>> {
    const shared = (config: ApplicationConfig) => sharedOptions(config.services[0]!.run);
    if (Bun.deepEquals(shared(this.#config), shared(next))) return this.#statesFor(next);
    const message = "listen, limits, logs, admin and gateways cannot be changed while Headrace runs.";
    const hint = "Stop it and start it again.";
    throw new HeadraceError("restart_needed", message, { exit: Exit.USAGE, hint });
  }

  async #renew(turn: Turn, name: string): Promise<void> {
    const service = this.#services.get(name);
    if (service === undefined) return;
    const { config, state } = service;
    const newest = newestOf(state);
    const { code } = await this.#changes.record(config, newest + 1);
    if (code !== "" && code === state.revisions.get(newest)?.code) this.#log.unchanged(name);
    // Whoever looks at what they have just written does not want to wait.
    else await this.#deploy(turn, name, { settleMs: 0 });
  }

  async #deploy(turn: Turn, name: string, wish: DeployWish): Promise<DeployReport | undefined> {
    const service = this.#services.get(name);
    if (service === undefined) return undefined;
    const { noTraffic = false, overMs = 0, guard = false } = wish;
    if (noTraffic && (overMs > 0 || guard)) throw noRollout();
    const deployed = () => this.#deployed(turn, service, wish);
    // What is to get requests is meant to serve: it starts a service that was stopped.
    return noTraffic ? deployed() : this.#switch.starting(name, deployed);
  }

  async #deployed(turn: Turn, service: Service, wish: DeployWish): Promise<DeployReport> {
    const { noTraffic = false, overMs = 0, guard = false, settleMs = SETTLE_MS } = wish;
    const { name } = service.config;
    const made = await this.#changes.record(service.config, newestOf(service.state) + 1);
    const record = { ...made, madeBy: "deploy" } as const;
    const before = service.state.traffic.targets;
    const { before: earlier } = service.state;
    const settings = guard ? GUARD : null;
    const plan = { service: name, revision: record.number, before, earlier, overMs, guard: settings };
    const shares = noTraffic ? before : firstShares(plan);
    const back = [...(earlier ?? []), ...this.#rollouts.earlier(name)];
    const state = withRevision(service.state, record, shares, back);
    const proven = new Map([[name, record.number]]);
    await this.#changes.make(turn, { states: new Map([[name, state]]), proven, settleMs });
    const revision = revisionName(record.number);
    this.#log.deployed(name, revision, noTraffic);
    if (!noTraffic) this.#rollouts.end(name);
    const stepwise = overMs > 0 || guard;
    return { service: name, revision, rollout: stepwise ? this.#rollOut(plan, service) : null };
  }

  /** @param original what the service was before */
  #rollOut(plan: RolloutPlan, original: Service): RolloutReport {
    const { service, before, earlier } = plan;
    const what = `a step of the rollout of ${service}`;
    const step = (work: Work, expected: readonly Target[], next: (state: ServiceState) => ServiceState) =>
      this.#changes.take(work, async (turn) => {
        const { state } = this.#services.get(service) ?? {};
        if (state === undefined || !Bun.deepEquals(state.traffic.targets, expected)) return false;
        await this.#changes.make(turn, { states: new Map([[service, next(state)]]) });
        return true;
      });
    return this.#rollouts.begin(plan, {
      sampler: (number) => {
        // At once, the old one has left already; what it counted stays.
        const live = original.live.get(number) ?? this.#services.get(service)?.live.get(number);
        if (live === undefined) return () => NOTHING;
        const { revision } = live;
        return () => ({ ...revision.meter.outcome(), crashes: revision.crashes });
      },
      shift: (expected, targets) =>
        step({ what, service }, expected, (state) => withTargets(state, targets, before)),
      back: (expected) => {
        const work = { what: `the way back of ${service}`, service, urgent: true };
        // A rollback by hand is not to bring back what went back.
        return step(work, expected, (state) => ({ ...withTargets(state, before), before: earlier }));
      },
    });
  }

  /** Other shares or tags of a service; nothing when there is no such service. */
  async #direct(turn: Turn, name: string, change: (state: ServiceState) => ServiceState): Promise<void> {
    const service = this.#services.get(name);
    if (service === undefined) return;
    const state = change(service.state);
    if (Bun.deepEquals(state, service.state)) return;
    await this.#changes.make(turn, { states: new Map([[name, state]]) });
    if (!Bun.deepEquals(state.traffic.targets, service.state.traffic.targets)) this.#rollouts.end(name);
    this.#log.traffic(name, state.traffic);
  }

  /**
   * For services that are as they were, what they were; for the others a new revision that gets all requests.
   * @param anew a new revision for all, and nothing else that has to start
   */
  async #statesFor(config: ApplicationConfig, anew = false): Promise<ReadonlyMap<string, ServiceState>> {
    const states = new Map<string, ServiceState>();
    const codes = new Map<string, Promise<string>>();
    const madeBy = this.#services.size === 0 ? "start" : "file";
    for (const service of config.services) {
      const { name } = service;
      const state = this.#ledger.state(name);
      const newest = state.revisions.get(newestOf(state));
      const same = newest !== undefined && isUnchanged(newest, service);
      // The code of one that runs is what it was at its deploy, whatever the files say by now.
      if (same && this.#services.has(name)) continue;
      const made = await this.#changes.record(service, newestOf(state) + 1, codes);
      const record = { ...made, madeBy } as const;
      const known = !anew && same && record.code !== "" && record.code === newest.code;
      states.set(name, known ? state : withRevision(anew ? alone(state) : state, record));
    }
    return states;
  }

  #stop(reason: string, force: boolean): Promise<void> {
    if (force && !this.#forced) {
      this.#forced = true;
      for (const revision of this.#fleet.all) revision.kill();
      void this.#gateways.stop(0);
    }
    this.#changes.close(new HeadraceError("start_cancelled", "Headrace is stopping."));
    this.#stopping ??= this.#drain(reason);
    return this.#stopping;
  }

  /** No new connections; what is in flight finishes, within the longest drain time; then instances, then gateways go. */
  async #drain(reason: string): Promise<void> {
    this.#rollouts.stop();
    for (const revision of this.#fleet.all) revision.hold();
    this.#log.stopping(reason);
    if (!this.#forced) {
      const drainMs = Math.max(...this.#config.services.map(({ run }) => run.drainTimeoutMs));
      await within(drainMs, this.#gateways.drain());
      await Promise.all([...this.#fleet.all].map((revision) => revision.stop(AFTER_DRAIN_MS)));
    }
    await this.#release.release();
    this.#log.stopped();
    this.#done.resolve(this.#forced ? Exit.SYSTEM : Exit.OK);
  }
}

function noRollout(): HeadraceError {
  const message =
    "A revision without traffic has no rollout: there is nothing to shift and nothing to watch.";
  const hint = "Leave --no-traffic out, or --over and --guard.";
  return new HeadraceError("traffic_invalid", message, { exit: Exit.USAGE, hint });
}

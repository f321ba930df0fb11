/**
 * Makes what runs what it is to be: starts the revisions that are not there yet, waits until each is ready, notes on disk what is to be,
 * exchanges the routes as one, then lets those that got nothing any more finish, and stops them. When anything does not start, nothing has
 * changed. Revisions of several services start at the same time ({@link Turns}); what follows takes moments, and is one at a time.
 */

import { systemClock } from "../base/clock.ts";
import { Exit, HeadraceError } from "../base/errors.ts";
import type { ApplicationConfig, ServiceConfig } from "../config/file/config.ts";
import type { ApplicationLog } from "./application-log.ts";
import type { Fleet, Live } from "./fleet.ts";
import type { Gateways } from "./gateways.ts";
import { patienceMs } from "./pool-spec.ts";
import type { Revision } from "./revision.ts";
import type { Ledger } from "./revisions/ledger.ts";
import type { ServiceState } from "./revisions/store.ts";
import { needed, unknownRevision, weightOf } from "./revisions/traffic.ts";
import type { SecretMask } from "./secrets.ts";
import { routing, type Service } from "./services.ts";
import { type Turn, Turns, type Work } from "./turns.ts";

export interface ChangesParts {
  readonly ledger: Ledger;
  readonly fleet: Fleet;
  readonly gateways: Pick<Gateways, "route">;
  readonly log: Pick<ApplicationLog, "failed">;
  readonly mask: Pick<SecretMask, "errors">;
  /** Whether nothing of a service is to run. */
  readonly isOff: (service: string) => boolean;
  readonly url: () => string;
}

/** What is to be. What is not said stays. */
export interface Change {
  readonly config?: ApplicationConfig;
  readonly states?: ReadonlyMap<string, ServiceState>;
  /** Services that are stopped or started, with their states as they are. */
  readonly switched?: readonly string[];
  /** By service, a revision that is started, too, though nothing leads to it: it has to show that it can be. */
  readonly proven?: ReadonlyMap<string, number>;
  /** What is started has to stay up so long before it counts as started, milliseconds; 0 or left out: not at all. */
  readonly settleMs?: number;
}

interface Assembled {
  readonly services: ReadonlyMap<string, Service>;
  /** Those that have to be started. */
  readonly fresh: readonly Live[];
}

export class Changes {
  readonly #turns = new Turns();
  readonly #parts: ChangesParts;
  #config: ApplicationConfig;
  #services: ReadonlyMap<string, Service> = new Map();
  /** Commits are one at a time. */
  #commits: Promise<unknown> = Promise.resolve();
  /** Code is kept, or forgotten. */
  #code: Promise<unknown> = Promise.resolve();

  constructor(config: ApplicationConfig, parts: ChangesParts) {
    this.#config = config;
    this.#parts = parts;
  }

  get config(): ApplicationConfig {
    return this.#config;
  }

  /** What runs; empty before {@link begin}. */
  get services(): ReadonlyMap<string, Service> {
    return this.#services;
  }

  /** The start is done. */
  begin(services: ReadonlyMap<string, Service>): void {
    this.#services = services;
  }

  /** See {@link Turns.take}. */
  take<T>(work: Work, run: (turn: Turn) => Promise<T>): Promise<T> {
    return this.#parts.mask.errors(this.#turns.take(work, run));
  }

  /** See {@link Turns.close}. */
  close(error: HeadraceError): void {
    this.#turns.close(error);
  }

  /** See {@link Fleet.record}. */
  record(...what: Parameters<Fleet["record"]>): ReturnType<Fleet["record"]> {
    return this.#withCode(() => this.#parts.fleet.record(...what));
  }

  /** Forgets code that no revision is made of, unless a change is under way that may have kept some which is noted nowhere yet. */
  collect(): Promise<void> {
    return this.#withCode(async () => {
      if (this.#turns.running <= 1) await this.#parts.ledger.collect();
    });
  }

  /**
   * Makes it what runs. All that it changes has to be the turn's.
   * @returns the revisions that were started
   * @throws HeadraceError when one does not start, or the turn was given up: nothing has changed then
   */
  async make(turn: Turn, change: Change): Promise<readonly Live[]> {
    const { config = this.#config, states = new Map(), switched = [], proven = new Map() } = change;
    const there = new Set(config.services.map(({ name }) => name));
    const gone = [...this.#services.keys()].filter((name) => !there.has(name));
    const names = new Set([...states.keys(), ...switched]);
    turn.starts(names.union(new Set(gone)));
    let fresh: readonly Live[] = [];
    let services: ReadonlyMap<string, Service>;
    try {
      ({ services, fresh } = this.#assemble(config, states, { names, proven }));
      await prepareAll(fresh);
      turn.signal.throwIfAborted();
      await unlessAborted(turn.signal, startAll(fresh, change.settleMs ?? 0));
    } catch (error) {
      if (!turn.signal.aborted) throw await this.#failed(fresh, error);
      // Whoever it is given up for does not wait until it is gone.
      void this.#failed(fresh, error);
      throw error;
    }
    await this.#inTurn(() => this.#commit(turn, { ...change, states }, { services, fresh }));
    await this.collect();
    return fresh;
  }

  /** The services as they are to be: with the revisions that run already, and those that have to be started. */
  #assemble(
    config: ApplicationConfig,
    states: ReadonlyMap<string, ServiceState>,
    { names, proven }: { readonly names: ReadonlySet<string>; readonly proven: Change["proven"] },
  ): Assembled {
    const { fleet, ledger, isOff } = this.#parts;
    const services = new Map<string, Service>();
    const fresh: Live[] = [];
    try {
      for (const service of config.services.filter(({ name }) => names.has(name))) {
        const { name } = service;
        const state = states.get(name) ?? ledger.state(name);
        const running = this.#services.get(name)?.live ?? new Map<number, Live>();
        const live = new Map<number, Live>();
        const stopped = isOff(name);
        const wanted = stopped ? new Set<number>() : needed(state.traffic);
        const extra = proven?.get(name);
        for (const number of extra === undefined ? wanted : wanted.union(new Set([extra]))) {
          const known = running.get(number);
          const one = known ?? this.live(config, service, state, number);
          if (known === undefined) fresh.push(one);
          if (wanted.has(number)) live.set(number, one);
        }
        services.set(name, { config: service, state, stopped, live });
      }
    } catch (error) {
      for (const { revision } of fresh) fleet.all.delete(revision);
      throw error;
    }
    return { services, fresh };
  }

  async #commit(turn: Turn, change: Change, { services: changed, fresh }: Assembled): Promise<void> {
    const { ledger, gateways, fleet } = this.#parts;
    try {
      turn.commits();
      ledger.keep(change.states ?? new Map());
    } catch (error) {
      throw await this.#failed(fresh, error);
    }
    // Other services may have changed while the revisions started, and the file as well.
    const config = change.config ?? this.#config;
    const services = new Map(
      config.services.map((own) => {
        const service = changed.get(own.name) ?? this.#services.get(own.name)!;
        return [own.name, { ...service, config: own }];
      }),
    );
    const before = [...lives(this.#services), ...fresh];
    await gateways.route(routing(config, services));
    this.#config = config;
    this.#services = services;
    const serving = new Set(lives(services));
    for (const { revision } of before.filter((live) => !serving.has(live))) {
      const run = revision.config;
      // Who stops a service waits for it.
      const asked = services.get(run.service)?.stopped === true;
      void fleet.retire(revision, asked ? run.drainTimeoutMs : patienceMs(run));
    }
  }

  /** Answers with the error. */
  async #failed(fresh: readonly Live[], error: unknown): Promise<unknown> {
    const { fleet, log } = this.#parts;
    log.failed(fresh, error);
    await Promise.all(fresh.map(({ revision }) => fleet.retire(revision, 0)));
    return error;
  }

  /** A revision that can be started. @throws HeadraceError secret_missing, secret_unusable, revision_unknown */
  live(config: ApplicationConfig, service: ServiceConfig, state: ServiceState, number: number): Live {
    const record = state.revisions.get(number);
    if (record === undefined) throw unknownRevision(number, new Set(state.revisions.keys()));
    const known = this.#parts.ledger.state(service.name).revisions.has(number);
    const running = [...(this.#services.get(service.name)?.live.values() ?? [])];
    const ready = running.reduce((sum, { revision }) => sum + revision.pool.counts.ready, 0);
    // As many as it will need for its share of what comes now, so that the shift itself makes no line.
    const enough = Math.ceil((ready * weightOf(state.traffic.targets, number)) / 100);
    const least = record.config.instances;
    const most = record.config.scaling?.maxInstances ?? least;
    const instances = Math.min(Math.max(least, enough), most);
    const { fleet, url } = this.#parts;
    return fleet.make(config, service, record, { fresh: !known, instances, url });
  }

  #inTurn<T>(commit: () => Promise<T>): Promise<T> {
    const result = this.#commits.then(commit);
    this.#commits = result.catch(() => {});
    return result;
  }

  #withCode<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#code.then(action);
    this.#code = result.catch(() => {});
    return result;
  }
}

/** Whatever one of them says, the others are not in the middle of it then: they can be taken down. @throws HeadraceError */
async function prepareAll(fresh: readonly Live[]): Promise<void> {
  const outcomes = await Promise.allSettled(fresh.map((live) => live.prepare()));
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}

/** @throws HeadraceError when one does not start, or does not stay up */
async function startAll(fresh: readonly Live[], settleMs: number): Promise<void> {
  await Promise.all(fresh.map(({ revision }) => revision.start()));
  if (settleMs === 0 || fresh.length === 0) return;
  const settled = Promise.withResolvers<void>();
  const cancel = systemClock.after(settleMs, settled.resolve);
  try {
    await Promise.race([settled.promise, ...fresh.map(({ revision }) => crashOf(revision))]);
  } finally {
    cancel();
  }
}

/** @throws HeadraceError revision_crashed, once it has crashed */
async function crashOf(revision: Revision): Promise<never> {
  const { uptimeMs, output } = await revision.firstCrash;
  const message = `${revision.name} of ${revision.config.service} crashed ${Math.round(uptimeMs)} ms after it was ready, so it gets no requests.`;
  throw new HeadraceError("revision_crashed", message, { exit: Exit.APP, detail: output.join("\n") });
}

/** @throws the signal's reason, once it is aborted; what was to be waited for goes on, and how it ends is nobody's concern */
async function unlessAborted(signal: AbortSignal, action: Promise<void>): Promise<void> {
  action.catch(() => {});
  const { promise, reject } = Promise.withResolvers<never>();
  const give = () => reject(signal.reason);
  signal.addEventListener("abort", give, { once: true });
  try {
    await Promise.race([action, promise]);
  } finally {
    signal.removeEventListener("abort", give);
  }
}

function lives(services: ReadonlyMap<string, Service>): readonly Live[] {
  return [...services.values()].flatMap(({ live }) => [...live.values()]);
}

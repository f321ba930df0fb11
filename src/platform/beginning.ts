/**
 * How the services of an application begin: each with the revisions and shares that it had, or, where its code or its options are others
 * now, with a new one. A new one that does not start must not take down what did: each service by itself goes on with what it had.
 *
 * ```
 *   new ──does not start──▶ as it was ──does not start──▶ the whole start fails
 * ```
 */

import { HeadraceError } from "../base/errors.ts";
import type { ApplicationConfig, ServiceConfig } from "../config/file/config.ts";
import { revisionName } from "../config/service.ts";
import type { ApplicationLog } from "./application-log.ts";
import type { Fleet, Live } from "./fleet.ts";
import type { Gateways } from "./gateways.ts";
import type { ServiceState } from "./revisions/store.ts";
import { needed } from "./revisions/traffic.ts";
import { routing, type Service } from "./services.ts";

export interface BeginningOptions {
  readonly config: ApplicationConfig;
  /** What each service is to be, by its name. */
  readonly states: ReadonlyMap<string, ServiceState>;
  /** What it was. */
  readonly before: (service: string) => ServiceState;
  /** Whoever wants to begin anew does not want what was there. */
  readonly anew: boolean;
  /** Makes a revision that can be prepared. @throws HeadraceError secret_missing */
  readonly make: (service: ServiceConfig, state: ServiceState, number: number) => Live;
  readonly fleet: Pick<Fleet, "retire">;
  readonly gateways: Pick<Gateways, "route" | "start">;
  readonly log: Pick<ApplicationLog, "goesOn">;
  readonly cancel: AbortSignal;
}

export class Beginning {
  /** What each service is by now. */
  readonly states: Map<string, ServiceState>;
  readonly #options: BeginningOptions;
  /** What was made of each service, ready or not. */
  readonly #made = new Map<string, Live[]>();
  readonly #services = new Map<string, Service>();
  #failed = false;

  constructor(options: BeginningOptions) {
    this.#options = options;
    this.states = new Map(options.states);
  }

  /**
   * Requests that come while the apps start wait in their lines; the port is known once a gateway has it.
   * @returns the port
   * @throws HeadraceError when a service starts neither way, or the port cannot be had; the caller takes down what is left
   */
  async run(): Promise<number> {
    const { config, gateways } = this.#options;
    const all = config.services;
    try {
      await Promise.all(all.map((service) => this.#attempt(service, () => this.#prepare(service))));
      await this.#route();
      const starting = all.map((service) =>
        this.#attempt(service, async (again) => {
          if (again) {
            await this.#prepare(service);
            await this.#route();
          }
          await this.#start(service);
        }),
      );
      const [port] = await Promise.all([gateways.start(), ...starting]);
      return port;
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }

  /** In the order of the file; complete once it has run. */
  services(): ReadonlyMap<string, Service> {
    const all = this.#options.config.services;
    return new Map(all.map(({ name }) => [name, this.#services.get(name)!]));
  }

  /** A step with what a service is to be and, when that fails, with what it was. */
  async #attempt(service: ServiceConfig, step: (again: boolean) => Promise<void>): Promise<void> {
    try {
      await step(false);
    } catch (error) {
      const gone = this.#made.get(service.name) ?? [];
      if (!this.#goBack(service, error)) throw error;
      // The code as it is now is what somebody can mend: that is the error to show when nothing starts.
      await step(true).catch(() => Promise.reject(error));
      await Promise.all(gone.map(({ revision }) => this.#options.fleet.retire(revision, 0)));
    }
  }

  /** From now on a service is what it was. False when that is what it is, when it was nothing, or the start has come to its end. */
  #goBack({ name }: ServiceConfig, error: unknown): boolean {
    const { anew, cancel, log } = this.#options;
    const before = this.#options.before(name);
    const state = this.states.get(name);
    if (anew || this.#failed || cancel.aborted || !(error instanceof HeadraceError)) return false;
    if (state === undefined || state === before || before.traffic.targets.length === 0) return false;
    this.states.set(name, before);
    const [number] = [...needed(state.traffic)].filter((revision) => !before.revisions.has(revision));
    log.goesOn(name, { revision: number ?? 0, before: before.traffic.targets, error });
    return true;
  }

  async #prepare(service: ServiceConfig): Promise<void> {
    const { make } = this.#options;
    const { name } = service;
    const state = this.states.get(name)!;
    const live = new Map<number, Live>();
    const made: Live[] = [];
    this.#made.set(name, made);
    const steps = [...needed(state.traffic)].map((number) =>
      this.#restoring(name, number, async () => {
        const one = make(service, state, number);
        made.push(one);
        live.set(number, one);
        await one.prepare();
      }),
    );
    await all(steps);
    // Not before: what is routed has to be known to the gateways.
    this.#services.set(name, { config: service, state, stopped: false, live });
  }

  async #start({ name }: ServiceConfig): Promise<void> {
    if (this.#failed) throw new HeadraceError("start_cancelled", "The start was given up.");
    const { live } = this.#services.get(name)!;
    await all(
      [...live].map(([number, { revision }]) => this.#restoring(name, number, () => revision.start())),
    );
  }

  #route(): Promise<void> {
    return this.#options.gateways.route(routing(this.#options.config, this.#services));
  }

  /** One that is restored says so when it cannot be. */
  async #restoring(service: string, number: number, step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      if (!(error instanceof HeadraceError) || !this.#options.before(service).revisions.has(number))
        throw error;
      const { code, exit, detail } = error;
      const message = `${revisionName(number)} of ${service} cannot be restored: ${error.message}`;
      const hint = "headrace up --fresh begins with what the file says.";
      throw new HeadraceError(code, message, { exit, detail, hint, cause: error });
    }
  }
}

/** Waits for all of them, so that nothing is under way when the first error is thrown. */
async function all(steps: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(steps);
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

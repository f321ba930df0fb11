/**
 * Which services are stopped, and how they are stopped and started. It is not noted on disk: a new start of Headrace starts all.
 *
 * ```
 *   serving ──stop──▶ stopped ──start, or a deploy──▶ serving
 * ```
 * The routes of a stopped service stay its own; its requests are refused. What is in flight at the stop finishes.
 */

import { Exit, HeadraceError } from "../base/errors.ts";
import type { ApplicationLog } from "./application-log.ts";
import type { Fleet } from "./fleet.ts";
import type { Service } from "./services.ts";

export interface SwitchPorts {
  readonly services: () => ReadonlyMap<string, Service>;
  /** Makes what runs what it should be, by {@link ServiceSwitch.isOff}. */
  readonly change: () => Promise<unknown>;
  /** One change at a time. */
  readonly exclusive: <T>(change: () => Promise<T>) => Promise<T>;
  readonly fleet: Pick<Fleet, "retire">;
  readonly log: Pick<ApplicationLog, "serviceStopped" | "serviceStarted">;
}

export class ServiceSwitch {
  readonly #ports: SwitchPorts;
  readonly #off = new Set<string>();

  constructor(ports: SwitchPorts) {
    this.#ports = ports;
  }

  isOff(service: string): boolean {
    return this.#off.has(service);
  }

  /** Resolves when nothing of it runs any more. False when there is no such service. */
  async stop(name: string): Promise<boolean> {
    const { services, change, exclusive, fleet, log } = this.#ports;
    const live = await exclusive(async () => {
      const service = services().get(name);
      if (service === undefined || this.#off.has(name)) return service && [];
      this.#off.add(name);
      await change();
      log.serviceStopped(name);
      return [...service.live.values()];
    });
    // Other changes go on while it drains.
    await Promise.all((live ?? []).map(({ revision }) => fleet.retire(revision, 0)));
    return live !== undefined;
  }

  /** Resolves when it serves. False when there is no such service. @throws HeadraceError when it does not start: it stays down then */
  start(name: string): Promise<boolean> {
    const { services, change, exclusive, log } = this.#ports;
    return exclusive(async () => {
      if (!services().has(name)) return false;
      if (!this.#off.has(name)) return true;
      await this.starting(name, change);
      log.serviceStarted(name);
      return true;
    });
  }

  /** A change that starts a service, if it was stopped. It stays stopped when the change fails. */
  async starting<T>(name: string, change: () => Promise<T>): Promise<T> {
    const wasOff = this.#off.delete(name);
    try {
      return await change();
    } catch (error) {
      if (wasOff) this.#off.add(name);
      throw error;
    }
  }

  /** Replaces its instances; the values of its secrets are read anew. False when there is no such service. @throws HeadraceError service_stopped, restart_failed, secret_missing, secret_unusable */
  async restart(name: string): Promise<boolean> {
    const service = this.#ports.services().get(name);
    if (service === undefined) return false;
    if (service.stopped) {
      const hint = `Start it: headrace start ${name}.`;
      throw new HeadraceError("service_stopped", `${name} is stopped.`, { exit: Exit.USAGE, hint });
    }
    for (const live of service.live.values()) await live.restart();
    return true;
  }

  /** Services that the file does not have any more are forgotten. */
  forgetAllBut(names: ReadonlySet<string>): void {
    for (const name of this.#off) if (!names.has(name)) this.#off.delete(name);
  }
}

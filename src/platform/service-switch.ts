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
import type { Changes } from "./changes.ts";
import type { Fleet } from "./fleet.ts";

export interface SwitchPorts {
  readonly changes: Pick<Changes, "services" | "take" | "make">;
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

  /**
   * Resolves when nothing of it runs any more. False when there is no such service.
   * @param client aborted when nobody waits for it any more
   */
  async stop(name: string, client?: AbortSignal): Promise<boolean> {
    const { changes, fleet, log } = this.#ports;
    const work = { what: `the stop of ${name}`, service: name, urgent: true, client };
    const live = await changes.take(work, async (turn) => {
      const service = changes.services.get(name);
      if (service === undefined || this.#off.has(name)) return service && [];
      await this.#stopping(name, () => changes.make(turn, { switched: [name] }));
      log.serviceStopped(name);
      return [...service.live.values()];
    });
    // Other changes go on while it drains.
    await Promise.all((live ?? []).map(({ revision }) => fleet.retire(revision, 0)));
    return live !== undefined;
  }

  /**
   * Resolves when it serves. False when there is no such service.
   * @throws HeadraceError when it does not start: it stays down then
   */
  start(name: string, client?: AbortSignal): Promise<boolean> {
    const { changes, log } = this.#ports;
    const work = { what: `the start of ${name}`, service: name, client };
    return changes.take(work, async (turn) => {
      if (!changes.services.has(name)) return false;
      if (!this.#off.has(name)) return true;
      await this.starting(name, () => changes.make(turn, { switched: [name] }));
      log.serviceStarted(name);
      return true;
    });
  }

  /** A change that stops a service. It is not stopped when the change fails. */
  async #stopping(name: string, change: () => Promise<unknown>): Promise<void> {
    this.#off.add(name);
    try {
      await change();
    } catch (error) {
      this.#off.delete(name);
      throw error;
    }
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
    const service = this.#ports.changes.services.get(name);
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

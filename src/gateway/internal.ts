/**
 * The ports on loopback by which services call each other: one for each service, so that a plain URL is enough, and one where the host
 * says which, `thumbnails.internal`. Ports for clients know neither these hosts nor services without a route.
 */

import { messageOf } from "../base/errors.ts";
import type { Accept } from "./client.ts";
import { Listener, type ListenerOptions } from "./listener.ts";
import type { FrontSettings, InternalPorts } from "./settings.ts";

const LOOPBACK = "127.0.0.1";

export interface InternalOptions {
  readonly front: FrontSettings;
  /** The pipeline for the port of a service; empty: the host says which. */
  readonly accept: (service: string) => Accept;
  readonly listener: Pick<ListenerOptions, "refused" | "log">;
}

export class Internal {
  readonly #options: InternalOptions;
  readonly #listeners = new Map<number, Listener>();
  /** Those that take no more connections, until the last one has gone. */
  readonly #leaving = new Set<Listener>();

  constructor(options: InternalOptions) {
    this.#options = options;
  }

  /** Connections that are open. */
  connections(): number {
    let sum = 0;
    for (const listener of [...this.#listeners.values(), ...this.#leaving]) sum += listener.connections();
    return sum;
  }

  /** Listens on these ports, and on no other any more. A port that cannot be had is logged: clients are served all the same. */
  async set({ shared, services, reusePort }: InternalPorts): Promise<void> {
    const wanted = new Map(services.map(({ service, port }) => [port, service]));
    wanted.set(shared, "");
    for (const [port, listener] of this.#listeners) {
      if (wanted.has(port)) continue;
      this.#listeners.delete(port);
      this.#leaving.add(listener);
      void listener.drain().then(() => this.#leaving.delete(listener));
    }
    const fresh = [...wanted].filter(([port]) => !this.#listeners.has(port));
    await Promise.all(fresh.map(([port, service]) => this.#listen(service, { port, reusePort })));
  }

  async #listen(service: string, address: { port: number; reusePort: boolean }): Promise<void> {
    const { front, accept, listener } = this.#options;
    const { port } = address;
    try {
      const settings = { ...front, ...address, host: LOOPBACK, uds: "", tlsCert: "", tlsKey: "" };
      this.#listeners.set(port, await Listener.start({ settings, accept: accept(service), ...listener }));
    } catch (error) {
      const message = `Services cannot call ${service === "" ? "each other by host" : service}: port ${port} cannot be had`;
      const fields = { service, port, error: messageOf(error) };
      listener.log({ time: Date.now(), level: "error", event: "gateway.internal_port", message, fields });
    }
  }

  /** Cuts every connection. */
  close(): void {
    for (const listener of [...this.#listeners.values(), ...this.#leaving]) listener.close();
  }
}

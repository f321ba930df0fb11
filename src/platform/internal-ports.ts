/**
 * The ports on loopback by which services call each other. Instances have to know them before the gateways listen, so they are chosen
 * here, and held until the gateways have them: nobody else can take one meanwhile.
 */

import type { InternalPorts } from "../gateway/settings.ts";

const LOOPBACK = "127.0.0.1";
/** The port where the host says which service. */
const SHARED = "";

/** Whether several sockets can have one port, so that the hand-over leaves no gap. */
const SHAREABLE = process.platform === "linux";

interface Port {
  readonly port: number;
  /** Undefined once gateways listen there. */
  held: { stop(closeActive?: boolean): void } | undefined;
}

export class InternalPortBook {
  readonly #ports = new Map<string, Port>();

  /** Chooses ports for services that have none yet. Those of others stay, until {@link keep}. */
  reserve(services: readonly string[]): void {
    for (const service of [SHARED, ...services]) {
      if (!this.#ports.has(service)) this.#ports.set(service, reserved());
    }
  }

  /** Forgets the ports of all other services. */
  keep(services: readonly string[]): void {
    const kept = new Set([SHARED, ...services]);
    for (const [service, { held }] of this.#ports) {
      if (kept.has(service)) continue;
      held?.stop(true);
      this.#ports.delete(service);
    }
  }

  /** The gateways listen. */
  handOver(): void {
    for (const port of this.#ports.values()) {
      port.held?.stop(true);
      port.held = undefined;
    }
  }

  /** What the gateways are told. {@link reserve} comes first. */
  get ports(): InternalPorts {
    const services = [...this.#ports].filter(([service]) => service !== SHARED);
    return {
      reusePort: SHAREABLE,
      shared: this.#ports.get(SHARED)!.port,
      services: services.map(([service, { port }]) => ({ service, port })),
    };
  }

  /** What instances find in their environment: `HEADRACE_URL`, and `HEADRACE_SERVICE_<NAME>_URL` for each service. */
  get env(): Readonly<Record<string, string>> {
    const { shared, services } = this.ports;
    const each = services.map(({ service, port }) => [variableOf(service), urlOf(port)] as const);
    return { HEADRACE_URL: urlOf(shared), ...Object.fromEntries(each) };
  }
}

/** `legacy-api` is `HEADRACE_SERVICE_LEGACY_API_URL`. */
function variableOf(service: string): string {
  return `HEADRACE_SERVICE_${service.toUpperCase().replaceAll("-", "_")}_URL`;
}

function urlOf(port: number): string {
  return `http://${LOOPBACK}:${port}`;
}

function reserved(): Port {
  const address = { hostname: LOOPBACK, port: 0, reusePort: SHAREABLE };
  const socket = { open: (opened: Bun.Socket<undefined>) => void opened.end(), data() {} };
  const held = Bun.listen<undefined>({ ...address, socket });
  held.unref();
  if (!SHAREABLE) held.stop(true);
  return { port: held.port, held: SHAREABLE ? held : undefined };
}

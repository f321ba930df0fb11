/** The instances that this gateway places requests on, as the platform publishes them. */

import type { Affinity } from "./balance/affinity.ts";
import type { Policy } from "./balance/policy.ts";
import type { SlotTable } from "./table.ts";
import { type Address, Upstream, type UpstreamPorts } from "./upstream.ts";

interface Entry {
  readonly upstream: Upstream;
  /**
   * Slots of ours whose connection was lost, each with the bulkhead that it holds a permit of (-1: none). They are held until the
   * instance is out, or says that nothing of ours runs.
   */
  readonly orphans: number[];
  /** Resolvers of publications that wait for this connection. */
  waiting: (() => void)[];
}

export interface UpstreamsOptions {
  readonly table: SlotTable;
  readonly column: number;
  readonly gateway: number;
  readonly window: number;
  readonly policy: Policy;
  /** Who gets a request with a key; null: keys mean nothing. */
  readonly affinity: Affinity<Upstream> | null;
  /** An instance can take requests, or a slot came back. */
  readonly available: () => void;
  /** A permit of this bulkhead that went with a lost slot is free. */
  readonly permit: (limit: number) => void;
  /** A connection ended unasked. */
  readonly lost: (instance: string, protocolError: string) => void;
}

export class Upstreams {
  readonly #options: UpstreamsOptions;
  readonly #ports: UpstreamPorts;
  readonly #entries = new Map<string, Entry>();
  /** Those that may be placed on, oldest first. */
  #ready: Upstream[] = [];
  #turn = 0;
  /** `#ready` has changed since affinity was told. */
  #moved = true;

  constructor(options: UpstreamsOptions) {
    this.#options = options;
    this.#ports = {
      table: options.table,
      column: options.column,
      gateway: options.gateway,
      window: options.window,
      ready: (upstream) => this.#onReady(upstream),
      lost: (upstream, why) => this.#onLost(upstream, why),
      unreachable: (upstream) => this.#settle(upstream),
    };
  }

  /** Whether there is any instance that could serve a request, free or not. */
  get any(): boolean {
    return this.#ready.length > 0;
  }

  /** Instances that are published: each costs a connection. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Makes the published list the one that holds. Resolves once every instance of it is connected or found gone, and none that is
   * not in it gets another request.
   */
  async publish(list: readonly Address[]): Promise<void> {
    const published = new Set(list.map((address) => address.id));
    for (const [id, entry] of this.#entries) {
      if (!published.has(id)) this.#retire(id, entry);
    }
    const pending: Promise<void>[] = [];
    for (const address of list) {
      const known = this.#entries.get(address.id);
      if (known?.upstream.state === "ready") continue;
      const entry = known ?? { upstream: new Upstream(address, this.#ports), orphans: [], waiting: [] };
      this.#entries.set(address.id, entry);
      pending.push(new Promise((resolve) => entry.waiting.push(resolve)));
    }
    this.#order();
    await Promise.all(pending);
  }

  /** Takes a slot by the request's key, if it has one and that says something, else by the policy; null when none is free. */
  take(key: string): Upstream | null {
    const { table, column, policy } = this.#options;
    if (key !== "") {
      const upstream = this.#takeBy(key);
      if (upstream !== null) return upstream;
    }
    for (;;) {
      const ready = this.#ready;
      const at = policy(ready, this.#turn++);
      if (at === -1) return null;
      const upstream = ready[at]!;
      if (upstream.state !== "ready") {
        this.#order();
        continue;
      }
      if (table.take(upstream.address.row, column)) return upstream;
      if (!table.isOpen(upstream.address.row)) this.#remove(at);
    }
  }

  #takeBy(key: string): Upstream | null {
    const { table, column, affinity } = this.#options;
    if (affinity === null) return null;
    for (;;) {
      this.tellAffinity();
      const upstream = affinity.pick(key);
      if (upstream === null) return null;
      if (upstream.state !== "ready") this.#order();
      else if (table.take(upstream.address.row, column)) return upstream;
      else if (!table.isOpen(upstream.address.row)) this.#remove(this.#ready.indexOf(upstream));
    }
  }

  /** Affinity goes by the instances that there are now. */
  tellAffinity(): void {
    if (!this.#moved) return;
    this.#moved = false;
    this.#options.affinity?.set(this.#ready);
  }

  #remove(at: number): void {
    this.#ready.splice(at, 1);
    this.#moved = true;
  }

  /** The instance with the fewest requests, full or not, for a request that takes no slot. */
  leastBusy(): Upstream | null {
    let found: Upstream | null = null;
    for (const upstream of this.#ready) {
      if (upstream.state === "ready" && (found === null || upstream.inFlight < found.inFlight))
        found = upstream;
    }
    return found;
  }

  /** Whether a slot looks free. */
  free(): boolean {
    return this.#ready.some((upstream) => upstream.inFlight < upstream.slots);
  }

  give(upstream: Upstream): void {
    const { table, column } = this.#options;
    table.give(upstream.address.row, column);
    table.countServed(upstream.address.row, column);
    const entry = this.#entries.get(upstream.address.id);
    if (entry === undefined && upstream.state !== "closed") this.#closeIdle(upstream);
  }

  /** The connection of a request that holds a slot was lost, and perhaps a permit of the bulkhead `limit` (-1: none). */
  orphan(upstream: Upstream, exempt: boolean, limit: number): void {
    if (exempt) return;
    const entry = this.#entries.get(upstream.address.id);
    if (entry === undefined || entry.upstream !== upstream) this.#giveOrphans(upstream, [limit]);
    else entry.orphans.push(limit);
  }

  /** The instance says that nothing runs any more of what came over a connection of ours that ended. */
  released(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#giveOrphans(entry.upstream, entry.orphans);
    this.#options.available();
  }

  #retire(id: string, entry: Entry): void {
    this.#entries.delete(id);
    for (const resolve of entry.waiting) resolve();
    this.#giveOrphans(entry.upstream, entry.orphans);
    this.#order();
    this.#closeIdle(entry.upstream);
  }

  #giveOrphans({ address }: Upstream, orphans: number[]): void {
    const { table, column, permit } = this.#options;
    for (const limit of orphans.splice(0)) {
      table.give(address.row, column);
      if (limit !== -1) permit(limit);
    }
  }

  /** A retired instance is let go once its last request is done; if its connection is lost there is nothing to wait for. */
  #closeIdle(upstream: Upstream): void {
    if (upstream.openStreams === 0 || upstream.state === "lost" || upstream.state === "connecting")
      upstream.close();
  }

  #onReady(upstream: Upstream): void {
    this.#order();
    const entry = this.#entries.get(upstream.address.id);
    if (entry === undefined) {
      upstream.close();
      return;
    }
    this.#settle(upstream);
    this.#options.available();
  }

  /** Connected, or found gone: whoever published it need not wait any longer. */
  #settle(upstream: Upstream): void {
    const entry = this.#entries.get(upstream.address.id);
    for (const resolve of entry?.waiting.splice(0) ?? []) resolve();
  }

  #onLost(upstream: Upstream, protocolError: string): void {
    this.#order();
    if (this.#entries.get(upstream.address.id)?.upstream === upstream) {
      this.#options.lost(upstream.address.id, protocolError);
    } else {
      upstream.close();
    }
  }

  #order(): void {
    const { table } = this.#options;
    this.#moved = true;
    this.#ready = [];
    for (const { upstream } of this.#entries.values()) {
      if (upstream.state === "ready" && table.isOpen(upstream.address.row)) this.#ready.push(upstream);
    }
  }
}

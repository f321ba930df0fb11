/** Looks at the instances when {@link nextLookMs} says, and replaces those that {@link decideRecycling} names. */

import { showDuration, showSize } from "../base/units.ts";
import { measure } from "./local/usage.ts";
import type { Member } from "./member.ts";
import type { PoolPorts } from "./ports.ts";
import {
  decideRecycling,
  isNear,
  LOOK_MS,
  nextLookMs,
  type Paced,
  type RecycleSettings,
  type Recycling,
} from "./recycle.ts";

/** Reading the memory of a process costs the kernel a walk over its pages: so many a look, in turn. */
const MEASURED_AT_A_LOOK = 50;
/** A replacement that did not start is not tried again before. */
const AGAIN_MS = 30_000;

interface Watched {
  readonly jitter: number;
  memoryBytes: number;
  /** Requests served at the last look; and when that was, on the pool's clock. */
  served: number;
  seenAt: number;
  /** On the pool's clock. */
  notBefore: number;
}

export interface RecyclerOptions {
  readonly settings: RecycleSettings;
  readonly ports: Pick<PoolPorts, "clock" | "random" | "rows">;
  /** Instances that serve now, and those of them that drain. */
  readonly members: () => readonly Member[];
  /** Replaces one; resolves with whether that worked. */
  readonly recycle: (id: string, reason: string) => Promise<boolean>;
}

export class Recycler {
  readonly #options: RecyclerOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #underway = new Set<string>();
  /** Replaced, and not gone: they finish the requests that they have. */
  readonly #leaving = new Set<string>();
  #turn = 0;
  /** On the pool's clock. */
  #measuredAt = Number.NEGATIVE_INFINITY;
  #stopped = false;
  #cancel = () => {};

  constructor(options: RecyclerOptions) {
    this.#options = options;
    this.#next([]);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #next(seen: readonly Paced[]): void {
    if (this.#stopped) return;
    const { ports, settings } = this.#options;
    this.#cancel = ports.clock.after(nextLookMs(seen, settings), () => {
      void this.#look().then((candidates) => this.#next(candidates));
    });
  }

  async #look(): Promise<readonly Paced[]> {
    const { settings, ports, members } = this.#options;
    const all = members();
    const serving = all.filter(({ machine }) => machine.state === "ready");
    for (const id of this.#leaving) if (!all.some((member) => member.id === id)) this.#leaving.delete(id);
    this.#forget(serving);
    if (this.#wantsMemory()) await this.#measure(serving);
    const now = ports.clock.now();
    const candidates = serving.flatMap((member) => {
      const watched = this.#watchedOf(member.id);
      if (watched.notBefore > now || this.#underway.has(member.id)) return [];
      const { id, ageMs, row } = member;
      const { memoryBytes, jitter } = watched;
      const served = ports.rows.served(row);
      const pace = (served - watched.served) / Math.max(1, now - watched.seenAt);
      watched.served = served;
      watched.seenAt = now;
      return [{ id, ageMs, served, memoryBytes, jitter, pace }];
    });
    const others = { starting: this.#underway.size, leaving: this.#leaving.size };
    for (const due of decideRecycling(candidates, others, settings)) void this.#replace(due);
    return candidates;
  }

  async #replace(due: Recycling): Promise<void> {
    const { ports, recycle } = this.#options;
    this.#underway.add(due.id);
    const done = await recycle(due.id, reasonOf(due));
    this.#underway.delete(due.id);
    if (done) this.#leaving.add(due.id);
    if (!done) this.#watchedOf(due.id).notBefore = ports.clock.now() + AGAIN_MS;
  }

  #wantsMemory(): boolean {
    const { ports, settings } = this.#options;
    if (settings.maxMemory === 0) return false;
    const near = [...this.#watched.values()].some(({ memoryBytes }) => isNear(memoryBytes, settings));
    return near || ports.clock.now() - this.#measuredAt >= LOOK_MS;
  }

  async #measure(serving: readonly Member[]): Promise<void> {
    this.#measuredAt = this.#options.ports.clock.now();
    const from = this.#turn >= serving.length ? 0 : this.#turn;
    const some = serving.slice(from, from + MEASURED_AT_A_LOOK);
    this.#turn = from + some.length;
    const usages = await Promise.all(some.map((member) => measure(member.pid)));
    for (const [index, member] of some.entries()) {
      this.#watchedOf(member.id).memoryBytes = usages[index]!.memoryBytes;
    }
  }

  #watchedOf(id: string): Watched {
    let watched = this.#watched.get(id);
    if (watched === undefined) {
      const { clock, random } = this.#options.ports;
      watched = { jitter: random(), memoryBytes: 0, served: 0, seenAt: clock.now(), notBefore: 0 };
      this.#watched.set(id, watched);
    }
    return watched;
  }

  #forget(serving: readonly Member[]): void {
    const ids = new Set(serving.map(({ id }) => id));
    for (const id of this.#watched.keys()) if (!ids.has(id)) this.#watched.delete(id);
  }
}

/** A sentence for the log. */
export function reasonOf({ cause, seen, limit }: Recycling): string {
  if (cause === "memory") return `its memory is ${showSize(seen)}, over ${showSize(limit)}`;
  if (cause === "requests") return `it has served ${seen} requests, and may serve ${limit}`;
  return `it is ${showDuration(seen)} old, and may be ${showDuration(limit)}`;
}

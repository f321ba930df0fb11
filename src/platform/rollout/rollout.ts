/**
 * The rollout of one revision: gives it its shares at their times, looks whether it is worse than what it stands in for, and goes back
 * when it is.
 *
 * ```
 *             ┌───── its time is over ─────┐
 *  shifting ──┴──100% at once──▶ watching ─┴─▶ done
 *     │                             │
 *     ├─────────── worse ───────────┼────────▶ went-back
 *     ├────── a step failed ────────┼────────▶ failed
 *     └── somebody else's change ───┴────────▶ superseded
 * ```
 * The revision is ready before it begins. What it decides by is in steps.ts and guard.ts; this file acts on it.
 */

import type { Clock } from "../../base/clock.ts";
import { HeadraceError, messageOf } from "../../base/errors.ts";
import { revisionName } from "../../config/service.ts";
import type { RolloutReport, RolloutState } from "../../model/revision.ts";
import { all, type Target, weightOf } from "../revisions/traffic.ts";
import { type Counts, since, together, Watch } from "./counts.ts";
import { type GuardSettings, judge, judgeCrashes, known, type Verdict } from "./guard.ts";
import { blend, nextStepMs, shareAt } from "./steps.ts";

export interface RolloutPlan {
  readonly service: string;
  readonly revision: number;
  /** The shares before it began. */
  readonly before: readonly Target[];
  /** What a rollback would have brought back then, and does again once it went back; null for nothing. */
  readonly earlier: readonly Target[] | null;
  /** Length of the shift; 0: at once. */
  readonly overMs: number;
  /** Null: nothing is watched. */
  readonly guard: GuardSettings | null;
}

export interface RolloutPorts {
  readonly clock: Clock;
  /** What a revision has done since its start. It may be asked after the revision has lost its requests. */
  sampler(revision: number): () => Counts;
  /** Changes the shares, unless they are not `expected` any more: then false. Rejects when it cannot; nothing has changed then. */
  shift(expected: readonly Target[], targets: readonly Target[]): Promise<boolean>;
  /** Brings back what was before the rollout, under the same condition. */
  back(expected: readonly Target[]): Promise<boolean>;
  told(report: RolloutReport): void;
}

/** After a shift at once the new revision is watched so long. */
export const WATCH_MS = 60_000;
/** How often the counters are read: they are memory that gateways write to, and tell nobody. What hangs is known to within so long. */
const LOOK_MS = 250;

const CHANGED = "the traffic was changed meanwhile";

const EDGES: Readonly<Record<RolloutState, readonly RolloutState[]>> = {
  shifting: ["watching", "done", "went-back", "failed", "superseded"],
  watching: ["done", "went-back", "failed", "superseded"],
  done: [],
  "went-back": [],
  failed: [],
  superseded: [],
};

/** The shares that a rollout begins with. */
export function firstShares({ before, revision, overMs }: RolloutPlan): readonly Target[] {
  return overMs === 0 ? all(revision) : blend(before, revision, shareAt(0, overMs));
}

export class Rollout {
  readonly #plan: RolloutPlan;
  readonly #ports: RolloutPorts;
  readonly #startedAt: number;
  readonly #fresh: Watch;
  readonly #old: Watch;
  readonly #oldWhole: Watch;
  #state: RolloutState = "shifting";
  #targets: readonly Target[];
  #why = "";
  /** The next look is at so many requests. */
  #lookAt: number;
  #cancel = () => {};
  #stopped = false;

  /** The first shares hold already. */
  constructor(plan: RolloutPlan, ports: RolloutPorts) {
    this.#plan = plan;
    this.#ports = ports;
    this.#startedAt = ports.clock.now();
    this.#targets = firstShares(plan);
    this.#lookAt = plan.guard?.least ?? 0;
    const old = plan.before
      .filter(({ revision }) => revision !== plan.revision)
      .map(({ revision }) => ports.sampler(revision));
    const boundsS = plan.guard?.boundsS ?? [];
    this.#fresh = new Watch(since(ports.sampler(plan.revision)), boundsS);
    this.#old = new Watch(since(together(old)), boundsS);
    this.#oldWhole = new Watch(together(old), boundsS);
    if (plan.overMs === 0) this.#become("watching");
    else this.#tell();
    this.#wait();
  }

  get report(): RolloutReport {
    const { revision, overMs, guard } = this.#plan;
    return {
      revision: revisionName(revision),
      state: this.#state,
      weight: weightOf(this.#targets, revision),
      overMs,
      guarded: guard !== null,
      why: this.#why,
    };
  }

  /** See {@link RolloutPlan.earlier}. */
  get earlier(): readonly Target[] {
    return this.#plan.earlier ?? [];
  }

  /** It has come to its end, and does nothing any more. */
  get over(): boolean {
    return EDGES[this.#state].length === 0;
  }

  /** Somebody else decides about the traffic. A step that is under way is the last one. */
  supersede(why = CHANGED): void {
    this.stop();
    if (!this.over) this.#become("superseded", why);
  }

  /** Nothing is done any more: the application stops. */
  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #wait(): void {
    const { clock } = this.#ports;
    const { overMs, guard } = this.#plan;
    const elapsed = clock.now() - this.#startedAt;
    // A step may have taken all the time that was left: then the end is next, and it is over already.
    const next = overMs === 0 ? WATCH_MS : Math.min(nextStepMs(elapsed, overMs), overMs);
    const pause = guard === null ? next - elapsed : Math.min(LOOK_MS, next - elapsed);
    this.#cancel = clock.after(Math.max(1, pause), () => void this.#beat());
  }

  async #beat(): Promise<void> {
    try {
      await this.#act(this.#ports.clock.now() - this.#startedAt);
    } catch (error) {
      if (this.#stopped) return;
      const given = error instanceof HeadraceError && error.code === "change_cancelled";
      if (given) this.#become("superseded", CHANGED);
      else this.#become("failed", messageOf(error));
    }
    if (!this.over && !this.#stopped) this.#wait();
  }

  async #act(elapsed: number): Promise<void> {
    const { overMs, before, revision } = this.#plan;
    const over = elapsed >= (overMs === 0 ? WATCH_MS : overMs);
    const verdict = this.#look(over);
    if (verdict?.kind === "worse") {
      const went = await this.#ports.back(this.#targets);
      if (this.#stopped) return;
      if (!went) return this.#become("superseded", CHANGED);
      this.#targets = before;
      return this.#become("went-back", verdict.reasons.join("; "));
    }
    const why = over && verdict?.kind === "too-few" ? `nothing is known: ${verdict.reasons.join("; ")}` : "";
    const targets = overMs === 0 ? all(revision) : blend(before, revision, shareAt(elapsed, overMs));
    if (!Bun.deepEquals(targets, this.#targets)) {
      const shifted = await this.#ports.shift(this.#targets, targets);
      if (this.#stopped) return;
      if (!shifted) return this.#become("superseded", CHANGED);
      this.#targets = targets;
      if (!over) this.#tell();
    }
    if (over) this.#become("done", why);
  }

  /** Undefined: it is not time to look. */
  #look(last: boolean): Verdict | undefined {
    const { guard } = this.#plan;
    if (guard === null) return undefined;
    const now = this.#ports.clock.now();
    const fresh = this.#fresh.read(now);
    const old = this.#old.read(now);
    const oldWhole = this.#oldWhole.read(now);
    const crashed = judgeCrashes(fresh, old);
    if (crashed !== undefined) return crashed;
    if (known(fresh) < this.#lookAt && !last) return undefined;
    this.#lookAt = Math.ceil(Math.max(known(fresh), guard.least) * guard.nextLook);
    // At once, the old one has no requests beside the new one: what it did before has to do.
    return judge(fresh, old.requests < guard.least ? oldWhole : old, guard);
  }

  #become(state: RolloutState, why = ""): void {
    if (!EDGES[this.#state].includes(state))
      throw new Error(`a rollout cannot go from ${this.#state} to ${state}`);
    this.#state = state;
    this.#why = why;
    this.#tell();
  }

  #tell(): void {
    this.#ports.told(this.report);
  }
}

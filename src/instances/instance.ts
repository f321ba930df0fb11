/**
 * The state machine of one instance.
 *
 * ```
 *             ready               drained or over time        exit
 *  starting ─────────▶ ready ────▶ draining ─────────▶ stopping ─────▶ stopped
 *   │    │               │            │                  ▲
 *   │    └───────────────┼────────────┼──────────────────┘  (stopped while starting)
 *   └──────────────┬─────┴────────────┘
 *                  ▼  exit that nobody asked for
 *               failed
 * ```
 *
 * `stopped` and `failed` are final. Every change goes through {@link Instance.become}, which refuses an edge that is not drawn
 * here and emits one event.
 */

import type { InstanceState } from "../model/instance.ts";

const edges: Readonly<Record<InstanceState, readonly InstanceState[]>> = {
  starting: ["ready", "stopping", "failed"],
  ready: ["draining", "failed"],
  draining: ["stopping", "failed"],
  stopping: ["stopped"],
  stopped: [],
  failed: [],
};

export interface StateChange {
  readonly from: InstanceState;
  readonly to: InstanceState;
  readonly why: string;
}

export class Instance {
  readonly id: string;
  #state: InstanceState = "starting";
  readonly #changed: (change: StateChange) => void;

  constructor(id: string, changed: (change: StateChange) => void) {
    this.id = id;
    this.#changed = changed;
  }

  get state(): InstanceState {
    return this.#state;
  }

  /** Its process is gone. */
  get isOver(): boolean {
    return this.#state === "stopped" || this.#state === "failed";
  }

  /** @throws Error when the edge is not drawn above: a bug of ours, never of an app. */
  become(to: InstanceState, why: string): void {
    const from = this.#state;
    if (!edges[from].includes(to))
      throw new Error(`instance ${this.id}: ${from} cannot become ${to} (${why})`);
    this.#state = to;
    this.#changed({ from, to, why });
  }
}

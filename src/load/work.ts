/** What is to be run: processes that can be started, and what each of them is told. */

import type { GeneratorPlan } from "./plan.ts";
import { destinationsOf, prepare } from "./prepare.ts";
import { type GeneratorProcess, spawnGenerator } from "./process.ts";
import { forShard, type ScenarioPlan, spawnPython } from "./python.ts";
import type { PlanFacts } from "./result.ts";
import { type LoadSettings, type Shape, shapeDurationMs } from "./settings.ts";

/** When a run is done, as far as it is known before. */
export type Goal =
  | { readonly kind: "time" | "about"; readonly seconds: number }
  | { readonly kind: "requests"; readonly count: number };

export interface Work<Plan> {
  /** Starts a process for each plan, in their order. */
  readonly spawn: () => readonly GeneratorProcess<Plan>[];
  readonly plans: readonly Plan[];
  readonly facts: PlanFacts;
  /** How long requests are begun, with the warm-up; null when it is not known before. */
  readonly plannedS: number | null;
  /** For those who look on. */
  readonly goal: Goal;
  readonly warmupS: number;
  /** Where the service is. */
  readonly addresses: readonly string[];
  /** Local addresses that connections come from; empty: the system chooses. */
  readonly sources: readonly string[];
  /** What the machine allows, in a sentence; null where it was no question. */
  readonly allowance: string | null;
}

/** From so many connections on it is worth a word that the machine allows them. */
const MANY = 1_000;

/** Requests to URLs. @param command starts a process of ours that speaks messages.ts on its channel */
export async function urlWork(
  settings: LoadSettings,
  command: readonly string[],
): Promise<Work<GeneratorPlan>> {
  const { plans, connections, addresses, sources, allowance } = await prepare(settings);
  const { shape, timeoutMs, seed } = settings;
  const stages = shape.model === "open" ? shape.stages : [];
  return {
    spawn: () => plans.map(() => spawnGenerator<GeneratorPlan>(command)),
    plans,
    facts: {
      model: shape.model,
      arrivals: shape.model !== "open" ? null : shape.poisson ? "poisson" : "constant",
      stages: stages.map(({ atMs, rate }) => ({ atS: atMs / 1_000, rate })),
      connections,
      processes: plans.length,
      timeoutMs,
      seed,
    },
    plannedS: plannedS(shape),
    goal: goalOf(shape),
    warmupS: settings.warmupMs / 1_000,
    addresses,
    sources,
    allowance: shape.model === "hold" || (shape.model === "closed" && connections >= MANY) ? allowance : null,
  };
}

function plannedS(shape: Shape): number | null {
  const known = shape.model === "open" || (shape.model === "closed" && shape.requestLimit === null);
  return known ? shapeDurationMs(shape) / 1_000 : null;
}

function goalOf(shape: Shape): Goal {
  const seconds = shapeDurationMs(shape) / 1_000;
  if (shape.model === "hold") return { kind: "about", seconds };
  if (shape.model === "closed" && shape.requestLimit !== null)
    return { kind: "requests", count: shape.requestLimit };
  return { kind: "time", seconds };
}

/** A scenario, or a Locust file. */
export interface ScenarioSettings {
  readonly plan: Omit<ScenarioPlan, "shard">;
  readonly processes: number;
  /** Path of the interpreter. */
  readonly python: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Users that a file of Python describes. Throws HeadraceError when nobody takes connections at the host that is named. */
export async function scenarioWork(settings: ScenarioSettings): Promise<Work<ScenarioPlan>> {
  const { plan, processes } = settings;
  const destinations = plan.host === null ? [] : await destinationsOf(new URL(plan.host));
  const plans = Array.from({ length: processes }, (_, index) => forShard(plan, index, processes));
  return {
    spawn: () => plans.map(() => spawnPython(settings)),
    plans,
    facts: {
      model: plan.model,
      arrivals: plan.model === "open" ? plan.arrivals : null,
      stages: plan.stages,
      connections: plan.users,
      processes,
      timeoutMs: plan.timeoutMs,
      seed: plan.seed,
    },
    plannedS: plan.durationS,
    goal: { kind: "time", seconds: plan.durationS ?? 0 },
    warmupS: plan.warmupS,
    addresses: destinations.map(({ host }) => host),
    sources: [],
    allowance: null,
  };
}

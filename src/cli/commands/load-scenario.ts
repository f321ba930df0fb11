/** `headrace load scenario.py` and `locustfile.py`: from the flags to what Python processes are told. */

import { existsSync } from "node:fs";
import { isAbsolute } from "node:path";
import { absolute } from "../../config/resolve.ts";
import { type ScenarioPlan, scenarioKind } from "../../load/python.ts";
import type { ScenarioSettings } from "../../load/work.ts";
import { interpreterFor } from "../../platform/interpreter.ts";
import type { Io } from "../io.ts";
import { unfitFlags } from "./load-fit.ts";
import { type Asked, type Complaints, headerOf, shapeOf } from "./load-settings.ts";

/** Whether a target is a file of Python. */
export function isScenario(target: string | null): target is string {
  return target?.endsWith(".py") === true && !/^[a-z]+:\/\//i.test(target);
}

/** What the file's users do, by the flags. @param more arguments after the file; Locust's own */
export function scenarioPlan(
  asked: Asked,
  more: readonly string[],
  complaints: Complaints,
): Omit<ScenarioPlan, "shard"> {
  const { values, origins, cwd } = asked;
  const file = absolute(asked.url ?? "", cwd);
  const exists = existsSync(file);
  if (!exists) complaints.add("", `The file ${asked.url} does not exist.`, "Name a file of Python.");
  const kind = exists ? scenarioKind(file) : "scenario";
  const open = origins.rate !== "" || values.stages.length > 0;
  if (kind === "scenario" && more.length > 0)
    complaints.add(
      "",
      `${JSON.stringify(more[0])} is too much.`,
      "Only a Locust file takes arguments of its own.",
    );
  complaints.problems.push(...unfitFlags(kind === "locust" ? kind : open ? "iterations" : "users", origins));
  checkHost(values.host, complaints);
  const warmupMs = Math.ceil(values.warmup / 1_000) * 1_000;
  const shape = open ? shapeOf(asked, warmupMs, complaints) : null;
  const stages =
    shape?.model === "open" ? shape.stages.map(({ atMs, rate }) => ({ atS: atMs / 1_000, rate })) : [];
  return {
    kind,
    file,
    host: values.host === "" ? null : values.host.replace(/\/+$/, ""),
    model: open ? "open" : "closed",
    users: values.users || values.connections || (open ? 1_000 : 1),
    spawnRate: values.spawnRate === 0 ? null : values.spawnRate,
    stages,
    arrivals: values.arrivals,
    seed: values.seed,
    warmupS: warmupMs / 1_000,
    durationS: stages.at(-1)?.atS ?? (values.duration + warmupMs) / 1_000,
    graceMs: values.timeout,
    timeoutMs: values.timeout,
    insecure: values.insecure,
    headers: values.header.map((entry) => headerOf(entry, complaints)),
    arguments: more,
  };
}

function checkHost(host: string, complaints: Complaints): void {
  if (host !== "" && !(/^https?:\/\/[^/]/i.test(host) && URL.canParse(host)))
    complaints.add("--host", `${JSON.stringify(host)} is no URL.`, "Write --host http://127.0.0.1:8080.");
}

/** With the interpreter. Throws HeadraceError when there is none. */
export async function scenarioSettings(
  plan: Omit<ScenarioPlan, "shard">,
  asked: Asked,
  io: Io,
): Promise<ScenarioSettings> {
  const { values } = asked;
  const python =
    values.python === "" || isAbsolute(values.python) || !values.python.includes("/")
      ? values.python
      : absolute(values.python, io.cwd);
  const interpreter = await interpreterFor(plan.file, { python, cwd: io.cwd, env: io.env });
  return { plan, processes: values.processes || 1, python: interpreter.path, cwd: io.cwd, env: io.env };
}

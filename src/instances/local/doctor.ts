/**
 * Imports an app in scratch processes and says what that takes and leaves behind. The Python side is headrace/worker/doctor.py: it
 * looks at one preload level, writes one JSON object to stdout and ends.
 */

import type { Clock } from "../../base/clock.ts";
import { showDuration } from "../../base/units.ts";
import type { DoctorReport, ImportNode, MemorySizes, PackageCost } from "../../model/doctor.ts";
import { bootObject } from "../boot.ts";
import { describeExit, plainFailure, startError } from "../errors.ts";
import type { Exit, OutputLine } from "../ports.ts";
import { type PoolSpec, timings } from "../settings.ts";
import { type Running, signalProcess } from "./launcher.ts";
import type { Finding } from "./messages.ts";
import { spawnWorker } from "./spawn.ts";
import { type Looked, needsImports, verdict } from "./verdict.ts";

/** The report, but for what the caller knows: the interpreter's path and what named it. */
export type Examination = Omit<DoctorReport, "python"> & { readonly python: string };

export interface ExaminePorts {
  readonly clock: Clock;
  /** A line that the app wrote, to stdout or stderr. */
  readonly output: (line: OutputLine) => void;
}

/**
 * Examines the app that `spec` names, as its pool would import it.
 * @throws HeadraceError when it cannot be imported; its detail is the traceback
 */
export async function examine(spec: PoolSpec, ports: ExaminePorts): Promise<Examination> {
  const app = (await look(spec, "app", ports)) as AppSeen;
  const imports = needsImports(spec, app) ? await look(spec, "imports", ports) : null;
  return {
    app: spec.app,
    name: app.name,
    interface: app.interface,
    python: app.python,
    preload: { asked: spec.preload, ...verdict(spec, app, imports) },
    findings: [...findingsAt("app", app), ...(imports === null ? [] : findingsAt("imports", imports))],
    forkMs: app.fork_ms,
    modules: app.modules,
    imports: nodeOf(app.tree, spec.app),
    worker: nodeOf(app.worker, "the worker"),
    packages: app.packages.map(({ own_ms, memory, ...row }) => ({
      ...row,
      ownMs: own_ms,
      memoryBytes: memory,
    })),
    memory: app.memory,
  };
}

/** What the scratch process writes at level app; at level imports, the part that {@link Looked} names. */
interface AppSeen extends Looked {
  readonly name: string;
  readonly interface: string;
  readonly python: string;
  readonly modules: number;
  readonly tree: NodeSeen;
  readonly worker: NodeSeen;
  readonly packages: readonly (Pick<PackageCost, "name" | "kind" | "modules"> & {
    readonly own_ms: number;
    readonly memory: number;
  })[];
  readonly memory: { readonly before: MemorySizes; readonly after: MemorySizes };
  readonly fork_ms: number | null;
}

interface NodeSeen {
  readonly name: string;
  readonly ms: number;
  readonly own_ms: number;
  readonly memory: number;
  readonly failed: boolean;
  readonly children: readonly NodeSeen[];
}

interface FailureSeen {
  readonly failed: { readonly code: string; readonly message: string; readonly traceback: string };
}

async function look(spec: PoolSpec, preload: "app" | "imports", ports: ExaminePorts): Promise<Looked> {
  const identity = { id: "doctor", token: "", role: "doctor", preload, row: null } as const;
  const boot = bootObject(spec, identity, { control: "", logs: "", memoryRlimit: 0 });
  const written: string[] = [];
  const launched = spawnWorker(spec, boot, (line) => {
    if (line.stream === "stdout") written.push(line.line);
    else ports.output(line);
  });
  if (launched.kind === "failed") throw startError(launched.failure);
  const exit = await ended(launched.running, spec.startupTimeoutMs, ports.clock);
  const seen = parse(written.join(""));
  if (seen !== undefined && !("failed" in seen)) return seen;
  if (seen !== undefined) {
    const { code, message, traceback } = seen.failed;
    throw startError({ code: code.replaceAll("-", "_"), message, traceback, output: [], exit: null });
  }
  if (exit !== "late") {
    const message = `The app's process ended with ${describeExit(exit)} while it was imported.`;
    throw startError({ ...plainFailure("app_exited", message), exit });
  }
  const message = `The import had not ended after ${showDuration(spec.startupTimeoutMs)}.`;
  throw startError(plainFailure("start_timeout", message));
}

/** Waits for the end of the process and of its output. One that takes too long writes its stacks, and is killed. */
async function ended(running: Running, limitMs: number, clock: Clock): Promise<Exit | "late"> {
  const exit = await within(running.exited, limitMs, clock);
  if (exit === "late") {
    signalProcess(running.pid, "SIGUSR2");
    await within(running.exited, timings.lastWordsMs, clock);
  }
  endGroup(running.pid);
  await running.exited;
  // Only a daemon that has left the group can keep the pipes open.
  await within(running.outputEnded, timings.exitGraceMs, clock);
  return exit;
}

/** Kills the process and those that the app has started in its group, if there are any left. */
function endGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group is empty.
  }
}

async function within<T>(promise: Promise<T>, ms: number, clock: Clock): Promise<T | "late"> {
  const late = Promise.withResolvers<"late">();
  const cancel = clock.after(ms, () => late.resolve("late"));
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    cancel();
  }
}

/**
 * Undefined for a report that is not whole: the process ended before it was written. What files of the interpreter print at its
 * start (sitecustomize) comes before it.
 */
function parse(text: string): AppSeen | FailureSeen | undefined {
  try {
    return JSON.parse(text.slice(text.indexOf('{"'))) as AppSeen | FailureSeen;
  } catch {
    return undefined;
  }
}

function findingsAt(level: "app" | "imports", { findings }: { readonly findings: readonly Finding[] }) {
  return findings.map((finding) => ({ level, ...finding }));
}

function nodeOf(seen: NodeSeen, name = seen.name): ImportNode {
  const { ms, own_ms: ownMs, memory: memoryBytes, failed } = seen;
  return { name, ms, ownMs, memoryBytes, failed, children: seen.children.map((child) => nodeOf(child)) };
}

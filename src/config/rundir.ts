/**
 * Where running Headraces leave a note of themselves, so that `headrace ps` finds them: one JSON file each, in a folder that only
 * this user can enter.
 */

import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { Exit, HeadraceError, systemCode } from "../base/errors.ts";
import type { Environment } from "./parse.ts";

/** One running Headrace. */
export interface RunState {
  /** Of the supervisor. */
  readonly pid: number;
  /** When the process began, in the kernel's own count; tells it from a later process of the same number. 0: unknown. */
  readonly startTicks: number;
  readonly service: string;
  readonly app: string;
  readonly url: string;
  /** Empty when the admin port is off. */
  readonly adminUrl: string;
  /** Path of the Unix socket of its admin API; empty or left out where there is none. */
  readonly adminSocket?: string;
  /** Unix milliseconds. */
  readonly startedAt: number;
}

/** The folder: $XDG_RUNTIME_DIR/headrace, else /tmp/headrace-UID. */
export function runDirPath(env: Environment, uid: number): string {
  const runtime = env.XDG_RUNTIME_DIR;
  return runtime?.startsWith("/") ? `${runtime.replace(/\/+$/, "")}/headrace` : `/tmp/headrace-${uid}`;
}

/**
 * Makes the folder, mode 0700, and answers its path.
 * @throws HeadraceError run_dir_unsafe when it exists and belongs to somebody else, or is no folder
 */
export function ensureRunDir(env: Environment, uid = process.getuid?.() ?? 0): string {
  const path = runDirPath(env, uid);
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw unsafe(path, "cannot be made", error);
  }
  const info = lstatSync(path);
  if (!info.isDirectory()) throw unsafe(path, "is not a folder");
  if (info.uid !== uid) throw unsafe(path, "belongs to another user");
  if ((info.mode & 0o077) !== 0) chmodSync(path, 0o700);
  return path;
}

function unsafe(path: string, why: string, cause?: unknown): HeadraceError {
  const hint = "Remove it, or set XDG_RUNTIME_DIR to a folder of your own.";
  return new HeadraceError("run_dir_unsafe", `${path} ${why}.`, { exit: Exit.USAGE, hint, cause });
}

/** Notes this process. A reader sees the whole file or none. */
export function writeRunState(dir: string, state: RunState): void {
  const path = statePath(dir, state.pid);
  const temporary = `${path}.new`;
  writeFileSync(temporary, `${JSON.stringify(state)}\n`, { mode: 0o600 });
  renameSync(temporary, path);
}

/** Takes the note away. No note is no error. */
export function removeRunState(dir: string, pid: number): void {
  rmSync(statePath(dir, pid), { force: true });
}

/** All that run, oldest first. Notes of processes that are gone are removed. */
export function listRunStates(dir: string): readonly RunState[] {
  const states: RunState[] = [];
  for (const name of namesIn(dir)) {
    if (!/^\d+\.json$/.test(name)) continue;
    const state = readState(`${dir}/${name}`);
    if (state !== null && stillRuns(state)) states.push(state);
    else
      for (const path of [`${dir}/${name}`, socketPath(dir, parseInt(name, 10))])
        rmSync(path, { force: true });
  }
  return states.sort((a, b) => a.startedAt - b.startedAt);
}

/** When a process began, in clock ticks since the machine did; 0 where that cannot be known, null when there is no such process. */
export function startTicks(pid: number): number | null {
  try {
    // The command in the second field may hold anything, parentheses too: what follows the last one has fixed places.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? null : Number(fields[19]);
  } catch {
    return aliveBySignal(pid) ? 0 : null;
  }
}

function aliveBySignal(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === "EPERM";
  }
}

/** Whether the process that was noted with its {@link startTicks} is there, and no later one of the same number. */
export function stillRuns(noted: Pick<RunState, "pid" | "startTicks">): boolean {
  const ticks = startTicks(noted.pid);
  return ticks !== null && (ticks === 0 || noted.startTicks === 0 || ticks === noted.startTicks);
}

function namesIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

function readState(path: string): RunState | null {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return isRunState(value) ? value : null;
  } catch {
    return null;
  }
}

function isRunState(value: unknown): value is RunState {
  if (typeof value !== "object" || value === null) return false;
  const kinds = { pid: "number", startTicks: "number", service: "string", app: "string" };
  const more = { url: "string", adminUrl: "string", startedAt: "number" };
  return Object.entries({ ...kinds, ...more }).every(
    ([key, kind]) => typeof (value as Readonly<Record<string, unknown>>)[key] === kind,
  );
}

/** Where the Unix socket of its admin API is, in the same folder. */
export function socketPath(dir: string, pid: number): string {
  return `${dir}/${pid}.sock`;
}

function statePath(dir: string, pid: number): string {
  return `${dir}/${pid}.json`;
}

/**
 * Control groups for instances: one group each, below our own, with a share of the processors and a most of memory. Version 2 where its
 * controllers can be had, else version 1 (proc(5), cgroups(7), and the kernel's admin-guide on both versions).
 *
 * Version 2 has a rule that groups with controllers for their children hold no processes themselves: if our group holds none but our
 * own process, that one is moved into a child first. In a group that others share nothing is changed, and there are no limits.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf, systemCode } from "../../base/errors.ts";
import { randomId } from "../../base/ids.ts";

/** What an instance may use; 0 for as much as there is. */
export interface Limits {
  /** Cores, such as 0.5. */
  readonly cpu: number;
  /** Bytes. */
  readonly memory: number;
}

/** Where the system says what it has; other folders in tests. */
export interface CgroupPlaces {
  /** `/sys/fs/cgroup`. */
  readonly root: string;
  /** `/proc/self/cgroup`. */
  readonly self: string;
  readonly pid: number;
  /** Name of the group below our own. Nobody else's: who is done with it removes it. */
  readonly group: string;
}

/** Those of this machine, with a group of a new name. */
export function systemPlaces(): CgroupPlaces {
  const { pid } = process;
  return { root: "/sys/fs/cgroup", self: "/proc/self/cgroup", pid, group: `headrace-${pid}-${randomId(6)}` };
}

type Controller = "cpu" | "memory";

/** What holds a limit: the words that `ps` shows. */
export type Enforcer = "cgroup v2" | "cgroup v1";

/** A group of ours in which instances get groups of their own. */
interface Hierarchy {
  readonly version: Enforcer;
  readonly path: string;
}

export type CgroupResult =
  | { readonly kind: "available"; readonly hierarchy: Hierarchy }
  | { readonly kind: "unavailable"; readonly why: string };

const PERIOD_US = 100_000;

/** Finds or makes the group below which instances of this process get theirs. */
export function openCgroup(controller: Controller, places: CgroupPlaces = systemPlaces()): CgroupResult {
  let own: readonly string[];
  try {
    own = readFileSync(places.self, "utf8").trim().split("\n");
  } catch {
    return { kind: "unavailable", why: "this system has no control groups" };
  }
  const tried: string[] = [];
  for (const open of [openV2, openV1]) {
    const result = open(controller, places, own);
    if (result.kind === "available") return result;
    if (result.why !== "") tried.push(result.why);
  }
  return { kind: "unavailable", why: tried.join("; ") || "this system has no control groups" };
}

function openV2(controller: Controller, places: CgroupPlaces, own: readonly string[]): CgroupResult {
  const path = own.find((line) => line.startsWith("0::"))?.slice(3);
  const base = join(places.root, path ?? "");
  if (path === undefined || !words(join(base, "cgroup.controllers")).includes(controller)) {
    return { kind: "unavailable", why: "" };
  }
  try {
    sweep(base);
    delegate(base, controller, places.pid);
    const group = join(base, places.group);
    mkdirSync(group, { recursive: true });
    writeFileSync(join(group, "cgroup.subtree_control"), `+${controller}`);
    return { kind: "available", hierarchy: { version: "cgroup v2", path: group } };
  } catch (error) {
    return { kind: "unavailable", why: `cgroup v2: ${explained(error, base)}` };
  }
}

/** Removes the groups of those who were killed: nobody else does. The system keeps what is not empty. */
function sweep(base: string): void {
  for (const name of foldersIn(base)) {
    const pid = /^headrace-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    const group = join(base, name);
    for (const instance of foldersIn(group)) removeGroup(join(group, instance));
    removeGroup(group);
  }
}

function foldersIn(path: string): readonly string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return [];
  }
}

/** Whether a process exists, be it another user's. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== "ESRCH";
  }
}

/** Gives the controller to the children of `base`, moving our own process out of the way if it is alone there. */
function delegate(base: string, controller: Controller, pid: number): void {
  const control = join(base, "cgroup.subtree_control");
  if (words(control).includes(controller)) return;
  try {
    writeFileSync(control, `+${controller}`);
  } catch (error) {
    if (systemCode(error) !== "EBUSY") throw error;
    const others = words(join(base, "cgroup.procs")).filter((other) => other !== String(pid));
    if (others.length > 0) throw new Error("other processes share our group");
    const leaf = join(base, `headrace-${pid}-supervisor`);
    mkdirSync(leaf, { recursive: true });
    writeFileSync(join(leaf, "cgroup.procs"), String(pid));
    writeFileSync(control, `+${controller}`);
  }
}

function openV1(controller: Controller, places: CgroupPlaces, own: readonly string[]): CgroupResult {
  const line = own.find((entry) => (entry.split(":")[1] ?? "").split(",").includes(controller));
  if (line === undefined) return { kind: "unavailable", why: "" };
  const [, names, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
  // Some systems mount a hierarchy under its first name, some under all of them.
  const mounted = [controller, names!]
    .map((name) => join(places.root, name))
    .find((folder) => existsSync(folder));
  if (mounted === undefined) return { kind: "unavailable", why: `cgroup v1: ${controller} is not mounted` };
  const base = existsSync(join(mounted, path!)) ? join(mounted, path!) : mounted;
  const group = join(base, places.group);
  sweep(base);
  try {
    mkdirSync(group, { recursive: true });
    return { kind: "available", hierarchy: { version: "cgroup v1", path: group } };
  } catch (error) {
    return { kind: "unavailable", why: `cgroup v1: ${explained(error, base)}` };
  }
}

function explained(error: unknown, base: string): string {
  const code = systemCode(error);
  return code === "EACCES" || code === "EROFS" || code === "EPERM"
    ? `${base} is not ours to write`
    : messageOf(error);
}

/** The group of one instance in one hierarchy. */
export class InstanceGroup {
  readonly #path: string;
  readonly #version: Enforcer;

  constructor(hierarchy: Hierarchy, id: string) {
    this.#path = join(hierarchy.path, id);
    this.#version = hierarchy.version;
  }

  /**
   * Makes the group, with its limits, and moves a process into it.
   * @throws Error when the system refuses one of these
   */
  hold(pid: number, limits: Partial<Limits>): void {
    mkdirSync(this.#path, { recursive: true });
    for (const [file, content] of limitFiles(this.#version, limits))
      writeFileSync(join(this.#path, file), content);
    writeFileSync(join(this.#path, "cgroup.procs"), String(pid));
  }

  /** How many of its processes the kernel has killed for want of memory. */
  oomKills(): number {
    const file = this.#version === "cgroup v2" ? "memory.events" : "memory.oom_control";
    const match = /^oom_kill (\d+)$/m.exec(textOf(join(this.#path, file)));
    return match === null ? 0 : Number(match[1]);
  }

  /** Only when its processes are gone; a group that cannot be removed is left. */
  remove(): void {
    removeGroup(this.#path);
  }
}

/** Removes the group below which instances had theirs. */
export function closeCgroup(hierarchy: Hierarchy): void {
  removeGroup(hierarchy.path);
}

function removeGroup(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // It is gone, or something is still in it: then the system keeps it until that is over.
  }
}

/** Files of a group and what is written into them, in order. */
function limitFiles(
  version: Enforcer,
  { cpu = 0, memory = 0 }: Partial<Limits>,
): readonly (readonly [string, string])[] {
  const quota = String(Math.round(cpu * PERIOD_US));
  const files: [string, string][] = [];
  if (version === "cgroup v2") {
    if (cpu > 0) files.push(["cpu.max", `${quota} ${PERIOD_US}`]);
    if (memory > 0) files.push(["memory.max", String(memory)]);
    return files;
  }
  if (cpu > 0) files.push(["cpu.cfs_period_us", String(PERIOD_US)], ["cpu.cfs_quota_us", quota]);
  if (memory > 0) files.push(["memory.limit_in_bytes", String(memory)]);
  return files;
}

function words(path: string): readonly string[] {
  return textOf(path)
    .split(/\s+/)
    .filter((word) => word !== "");
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

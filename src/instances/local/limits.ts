/**
 * What each instance may use, and what holds it to that: control groups where they can be had; else, for memory, a limit of the
 * process itself (RLIMIT_DATA); for processors there is no such thing, and nothing holds.
 */

import { messageOf } from "../../base/errors.ts";
import type { LimitReport } from "../../model/instance.ts";
import {
  type CgroupPlaces,
  type CgroupResult,
  closeCgroup,
  InstanceGroup,
  type Limits,
  openCgroup,
  systemPlaces,
} from "./cgroup.ts";

const CONTROLLERS = ["cpu", "memory"] as const;

/** Two instances of one machine do not share a group, and two pools of one process neither. */
export class InstanceLimits {
  readonly report: readonly LimitReport[];
  /** Bytes for RLIMIT_DATA, 0 for none. */
  readonly memoryRlimit: number;
  readonly #limits: Limits;
  readonly #opened: ReadonlyMap<(typeof CONTROLLERS)[number], CgroupResult>;
  readonly #groups = new Map<string, InstanceGroup[]>();
  readonly #refused: (why: string) => void;

  /** @param refused hears of a process that could not be put into its group */
  constructor(limits: Limits, refused: (why: string) => void, places: CgroupPlaces = systemPlaces()) {
    this.#limits = limits;
    this.#refused = refused;
    const wanted = CONTROLLERS.filter((controller) => limits[controller] > 0);
    this.#opened = new Map(wanted.map((controller) => [controller, openCgroup(controller, places)]));
    this.report = [...this.#opened].map(([resource, opened]) => reportOf(resource, limits[resource], opened));
    this.memoryRlimit = this.report.some(({ by }) => by === "rlimit") ? limits.memory : 0;
  }

  /** Puts a process that was just started into its groups. */
  hold(id: string, pid: number): void {
    for (const [controller, opened] of this.#opened) {
      if (opened.kind !== "available") continue;
      const group = new InstanceGroup(opened.hierarchy, id);
      try {
        group.hold(pid, { [controller]: this.#limits[controller] });
        const groups = this.#groups.get(id) ?? [];
        groups.push(group);
        this.#groups.set(id, groups);
      } catch (error) {
        this.#refused(`${id} has no limit of ${controller}: ${messageOf(error)}`);
      }
    }
  }

  /** The process is gone: answers whether the kernel killed it for want of memory, and gives its groups back. */
  release(id: string): { readonly overMemory: boolean } {
    const groups = this.#groups.get(id) ?? [];
    this.#groups.delete(id);
    const overMemory = groups.some((group) => group.oomKills() > 0);
    for (const group of groups) group.remove();
    return { overMemory };
  }

  /** When no process is left. */
  close(): void {
    for (const opened of this.#opened.values())
      if (opened.kind === "available") closeCgroup(opened.hierarchy);
  }
}

function reportOf(resource: "cpu" | "memory", limit: number, opened: CgroupResult): LimitReport {
  if (opened.kind === "available") return { resource, limit, by: opened.hierarchy.version, why: "" };
  const by = resource === "memory" && process.platform === "linux" ? "rlimit" : "nothing";
  return { resource, limit, by, why: opened.why };
}

/** Memory and CPU time of processes, from the system. */

import { readFile } from "node:fs/promises";
import type { Clock } from "../../base/clock.ts";
import type { InstanceReport } from "../../model/instance.ts";
import type { Member } from "../member.ts";
import type { PoolSpec } from "../settings.ts";

/** What this room knows of an instance; the platform adds the numbers of the shared table. */
export interface InstancePart extends Omit<InstanceReport, "inFlight" | "served"> {
  /** Its row of the shared table; -1 when it has none. */
  readonly row: number;
  readonly generation: number;
}

export interface Usage {
  /** Proportional set size where the system tells it, else resident set size; 0 when unknown. */
  readonly memoryBytes: number;
  /** User and system time. */
  readonly cpuMs: number;
}

const unknown: Usage = { memoryBytes: 0, cpuMs: 0 };

/** Linux counts CPU time for user space in hundredths of a second on every architecture. */
const MS_PER_TICK = 10;

/** Measures one process. A process that is gone measures 0. */
export async function measure(pid: number): Promise<Usage> {
  if (pid <= 0) return unknown;
  return process.platform === "linux" ? measureProc(pid) : measurePs(pid);
}

async function measureProc(pid: number): Promise<Usage> {
  const [stat, rollup] = await Promise.all([read(`/proc/${pid}/stat`), read(`/proc/${pid}/smaps_rollup`)]);
  const memoryBytes = kilobytes(rollup, "Pss") ?? kilobytes(await read(`/proc/${pid}/status`), "VmRSS") ?? 0;
  return { memoryBytes, cpuMs: cpuTicks(stat) * MS_PER_TICK };
}

async function measurePs(pid: number): Promise<Usage> {
  const ps = Bun.spawn(["ps", "-o", "rss=,time=", "-p", String(pid)], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  return parsePs(await new Response(ps.stdout).text());
}

/** `rss= time=` of ps: kilobytes, then `[[days-]hours:]minutes:seconds[.hundredths]`. */
export function parsePs(text: string): Usage {
  const [rss = "0", time = "0"] = text.trim().split(/\s+/);
  const [clock = "0", days = "0"] = time.split("-").reverse();
  const seconds = clock.split(":").reduce((total, part) => total * 60 + Number(part), 0);
  return { memoryBytes: Number(rss) * 1024, cpuMs: Math.round((Number(days) * 86_400 + seconds) * 1000) };
}

/** utime + stime of /proc/PID/stat. The command name, in parentheses, may hold anything: counted from the last one. */
export function cpuTicks(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
}

function kilobytes(text: string, key: string): number | undefined {
  const match = new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(text);
  return match === null ? undefined : Number(match[1]) * 1024;
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return "";
  }
}

/** Reports instances; remembers CPU times, so that the share of a core since the last report is known. */
export class UsageSampler {
  readonly #clock: Clock;
  #last = new Map<string, { readonly at: number; readonly cpuMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async report(spec: PoolSpec, members: readonly Member[]): Promise<readonly InstancePart[]> {
    const usages = await Promise.all(members.map((member) => measure(member.pid)));
    const now = this.#clock.now();
    const seen = new Map<string, { readonly at: number; readonly cpuMs: number }>();
    const parts = members.map((member, index) => {
      const { memoryBytes, cpuMs } = usages[index] ?? unknown;
      const last = this.#last.get(member.id);
      const cpuShare =
        last === undefined || now <= last.at ? 0 : Math.max(0, cpuMs - last.cpuMs) / (now - last.at);
      seen.set(member.id, { at: now, cpuMs });
      return {
        id: member.id,
        service: spec.service,
        revision: spec.revision,
        state: member.machine.state,
        pid: member.pid,
        origin: member.origin,
        ageMs: member.ageMs,
        slots: spec.concurrency,
        row: member.row,
        generation: member.generation,
        memoryBytes,
        cpuMs,
        cpuShare,
        phases: member.phases,
      };
    });
    this.#last = seen;
    return parts;
  }
}

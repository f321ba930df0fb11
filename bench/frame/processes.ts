/** Starting servers to be measured, and reading what they cost from /proc. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks a second in /proc/PID/stat: fixed by the kernel's interface to user space. */
const TICKS = 100;
const START_MS = 60_000;
const STOP_MS = 10_000;

export interface Launch {
  readonly command: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What to tell a reader where the command alone does not say it all. */
  readonly shown?: readonly string[];
}

export interface Process {
  readonly pid: number;
  readonly command: string;
}

/** CPU seconds, and of that those of Python. */
export interface Cpu {
  readonly all: number;
  readonly python: number;
}

function cpuOf(processes: readonly Process[]): Cpu {
  const used = processes.map(({ pid, command }) => ({
    seconds: cpuSecondsOf(pid),
    python: isPython(command),
  }));
  const sum = (some: typeof used) => some.reduce((total, { seconds }) => total + seconds, 0);
  return { all: sum(used), python: sum(used.filter(({ python }) => python)) };
}

/** What processes and all that descend from them have used. */
export function treeCpu(...roots: readonly (number | undefined)[]): Cpu {
  return cpuOf(roots.flatMap((pid) => (pid === undefined ? [] : descendants(pid))));
}

/** A server under test with everything it started. */
export class Group {
  /** The end of all that it wrote. */
  said = "";
  #ended = false;

  private constructor(
    readonly name: string,
    readonly child: ChildProcess,
  ) {
    child.once("exit", () => {
      this.#ended = true;
    });
    const take = (chunk: Buffer) => {
      this.said = (this.said + chunk.toString()).slice(-4000);
    };
    child.stderr?.on("data", take);
    child.stdout?.on("data", take);
  }

  /** Starts the command in a process group of its own and waits until `url` answers 200. */
  static async start(name: string, launch: Launch, url: string): Promise<Group> {
    const [program = "", ...args] = launch.command;
    const child = spawn(program, args, {
      cwd: launch.cwd,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...launch.env },
    });
    const failed = new Promise<string>((resolve) => child.once("error", ({ message }) => resolve(message)));
    const group = new Group(name, child);
    for (const end = performance.now() + START_MS; performance.now() < end; ) {
      const answer = await fetch(url).catch(() => undefined);
      await answer?.arrayBuffer();
      if (answer?.status === 200) return group;
      const why = await Promise.race([failed, Bun.sleep(25).then(() => null)]);
      if (why !== null || group.#ended) throw new Error(`${name} ended at its start: ${why ?? group.said}`);
    }
    await group.stop();
    throw new Error(`${name} did not answer ${url}: ${group.said}`);
  }

  /** All processes of the group. */
  processes(): Process[] {
    return this.child.pid === undefined || this.#ended ? [] : descendants(this.child.pid);
  }

  /** CPU seconds used so far by all of them, and of that by Python. Also by children that have ended and were waited for. */
  cpuSeconds(): Cpu {
    return cpuOf(this.processes());
  }

  /** Proportional set size of all of them, in bytes. */
  memory(): number {
    return this.processes().reduce((sum, { pid }) => sum + memoryOf(pid), 0);
  }

  async stop(): Promise<void> {
    const pid = this.child.pid;
    if (pid === undefined || this.#ended) return;
    const members = this.processes();
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    process.kill(pid, "SIGTERM");
    const late = setTimeout(() => process.kill(-pid, "SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(late);
    // A server that was killed, or that starts daemons, leaves children behind: they are ours to end, if they still are what they were.
    for (const member of members) {
      if (member.pid !== pid && commandOf(member.pid) === member.command) kill(member.pid);
    }
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended in the meantime.
  }
}

function isPython(command: string): boolean {
  return /(^|\/)python[\d.]*$/.test(command.split(" ")[0] ?? "") || /^(ray::|gunicorn:)/.test(command);
}

/** A process and all that descend from it, also those that have made sessions of their own. */
function descendants(root: number): Process[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const parent = Number(statFields(Number(entry))[1]);
      const siblings = children.get(parent);
      if (siblings === undefined) children.set(parent, [Number(entry)]);
      else siblings.push(Number(entry));
    } catch {
      // It ended while we looked.
    }
  }
  const found: Process[] = [];
  for (let level = [root]; level.length > 0; level = level.flatMap((pid) => children.get(pid) ?? []))
    for (const pid of level) found.push({ pid, command: commandOf(pid) });
  return found.filter(({ command }) => command !== "");
}

/** Empty when the process is gone. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}

/** The fields of /proc/PID/stat after the command: state, ppid, pgrp, session, ... */
function statFields(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

/** User and system time of a process and of its children that have ended; 0 when it is gone. */
export function cpuSecondsOf(pid: number): number {
  try {
    const fields = statFields(pid);
    return [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0) / TICKS;
  } catch {
    return 0;
  }
}

/** Proportional set size: memory with shared pages divided among those who share them; 0 when the process is gone. */
export function memoryOf(pid: number): number {
  try {
    const kib = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "latin1"))?.[1];
    return Number(kib ?? 0) * 1024;
  } catch {
    return 0;
  }
}
